/**
 * Whether config.json describes the weights that lie beside it. A model is made by the one and filled from the other: transformers draws at random what
 * has no weights, so a file that was edited, or taken from another model, would be trained without a word.
 */
type Config = Readonly<Record<string, unknown>>;

/** The shape of each tensor by its name. */
export type Shapes = ReadonlyMap<string, readonly number[]>;

const LAYER = /^model\.layers\.(\d{1,5})\./;

/** Width of a head where config.json does not say it (transformers' defaults of these models); of others it is `hidden_size / num_attention_heads`. */
const HEAD_WIDTHS: Readonly<Record<string, number>> = { gemma3_text: 256, glm4: 128, qwen3: 128 };

/** What of config.json does not fit the tensors, as the end of a sentence; undefined where all fits that both speak of. */
export function shapeProblem(config: Config, shapes: Shapes): string | undefined {
  const layers = new Set([...shapes.keys()].flatMap((name) => LAYER.exec(name)?.[1] ?? []));
  const says = stated(config, "num_hidden_layers");
  if (says !== undefined && layers.size > 0 && layers.size !== says)
    return `its config.json has ${says} layers (\`num_hidden_layers\`) and its weights ${layers.size}`;
  for (const [name, shape] of shapes)
    for (const { of, axis, expected, words } of expectations(config))
      if (of.test(name) && expected !== undefined && shape[axis] !== expected)
        return `by its config.json ${words}, and its weights have ${shape.length > axis ? shape[axis] : "none"} (${name.slice(0, 100)})`;
  return undefined;
}

interface Expectation {
  /** Names of the tensors. */
  readonly of: RegExp;
  readonly axis: 0 | 1;
  /** Undefined where config.json leaves it open. */
  readonly expected: number | undefined;
  readonly words: string;
}

function expectations(config: Config): Expectation[] {
  const [hidden, vocabulary, inner] = [stated(config, "hidden_size"), stated(config, "vocab_size"), stated(config, "intermediate_size")];
  const [heads, ofKeys] = [stated(config, "num_attention_heads"), stated(config, "num_key_value_heads")];
  const named = stated(config, "head_dim") ?? HEAD_WIDTHS[String(config.model_type)];
  const width = named ?? (hidden !== undefined && heads !== undefined ? hidden / heads : undefined);
  const times = (count: number | undefined): number | undefined => (count === undefined || width === undefined ? undefined : count * width);
  const joined = heads === undefined || ofKeys === undefined ? undefined : times(heads + 2 * ofKeys);
  const axis = 0;
  const rows = (name: string): RegExp => new RegExp(`\\.${name}\\.weight$`);
  const numbers = `a token is ${hidden} numbers (\`hidden_size\`)`;
  return [
    { of: /^(model\.embed_tokens|lm_head)\.weight$/, axis, expected: vocabulary, words: `there are ${vocabulary} tokens (\`vocab_size\`)` },
    { of: /^(model\.embed_tokens|lm_head)\.weight$/, axis: 1, expected: hidden, words: numbers },
    { of: /^model\.norm\.weight$/, axis, expected: hidden, words: numbers },
    { of: rows("self_attn\\.q_proj"), axis, expected: times(heads), words: `${heads} heads have ${times(heads)} rows (\`num_attention_heads\`, \`head_dim\`)` },
    {
      of: rows("self_attn\\.[kv]_proj"),
      axis,
      expected: times(ofKeys),
      words: `${ofKeys} heads of keys have ${times(ofKeys)} rows (\`num_key_value_heads\`, \`head_dim\`)`,
    },
    { of: rows("self_attn\\.qkv_proj"), axis, expected: joined, words: `all heads have ${joined} rows (\`num_attention_heads\`, \`num_key_value_heads\`)` },
    { of: rows("mlp\\.gate_proj"), axis, expected: inner, words: `a layer is ${inner} wide inside (\`intermediate_size\`)` },
    { of: rows("mlp\\.gate_up_proj"), axis, expected: inner && 2 * inner, words: `a layer is ${inner && 2 * inner} wide inside (twice \`intermediate_size\`)` },
  ];
}

const stated = (config: Config, name: string): number | undefined => {
  const value = config[name];
  return typeof value === "number" && Number.isSafeInteger(value) && value > 0 ? value : undefined;
};
