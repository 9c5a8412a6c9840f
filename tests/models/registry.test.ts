/** The families that come with forge, by name and size: each data file says everything and agrees with itself; the hub is asked as `models add` asks it; another model than the file's is refused. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { findSize } from "../../src/models/add/size.ts";
import { familyByHubId, familyNames, getFamily, getSource, isComplete } from "../../src/models/family.ts";
import { checkFamily } from "../../src/models/family-check.ts";
import { modelOfWord } from "../../src/models/family-file.ts";
import { ARCHITECTURES, chatTemplates, PRE_TOKENIZERS, problemOfWords, TEMPLATES } from "../../src/models/known.ts";
import { architectureOfSize, disagreement, type Size, sizeName, sizeOf, sizesOf, sizeWord, templateOf, unpinned } from "../../src/models/registry.ts";
import { thinkingOf } from "../../src/models/thinking.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { FAMILIES, MODELS } from "../../src/recipe/available.ts";
import { type Meant, wellKnown, wellKnownHint } from "../../src/recipe/well-known.ts";
import type { Shape } from "../../src/schemas/generated/family.ts";
import { validate } from "../../src/schemas/generated/family.validate.js";
import { COMMIT, type RegistryHub, sha256, standIn, startRegistryHub } from "./registry-hub.ts";

const family = (name: string) => {
  const found = getFamily(name);
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
};
const size = (name: string, source: string): Size => sizeOf(family(name), source) as Size;
const all = familyNames().flatMap((name) => sizesOf(family(name)));
const rows = all.map((s) => [sizeWord(s), s] as const);

/** Numbers in the matrices of a model of that shape (python/forge_steps/preflight.py; norms and biases are not counted). */
const numbersIn = ({ hidden: h, intermediate: i, layers, heads, key_value_heads: kv, head_dim: d, vocabulary, tied }: Shape): number =>
  layers * (2 * h * heads * d + 2 * h * kv * d + 3 * h * i) + vocabulary * h * (tied ? 1 : 2);

test("the recipe's schema, its words and the program know the same families", () => {
  const schema = JSON.parse(readFileSync(join(packageRoot(), "schemas", "forge.schema.json"), "utf8")) as {
    definitions: { model: { properties: { family: { anyOf: [{ enum: string[] }] } } } };
  };
  expect(schema.definitions.model.properties.family.anyOf[0].enum).toEqual(FAMILIES);
  expect([...FAMILIES].sort()).toEqual(familyNames());
  for (const name of ["nano", "smollm2", "deepseek-r1", "qwen-2.5", "qwen-3", "llama-3.1", "llama-3.2", "mistral", "glm-4", "gemma-3", "phi-4"])
    expect(FAMILIES).toContain(name);
});

describe.each(familyNames())("the data file of %s", (name) => {
  const f = family(name);

  test("says everything that is asked of a family, in words that forge has", () => {
    expect(validate(f), JSON.stringify(validate.errors)).toBe(true);
    expect(f).toMatchObject({
      tool_call_syntax: "hermes",
      ollama: { template: "measured" },
      runtime: { recommended: expect.any(String) },
      lora: { targets: "all-linear" },
    });
    expect(f.chat?.reason).toBeTruthy();
    expect(chatTemplates()).toContain(f.template);
    expect(PRE_TOKENIZERS).toContain(f.tokenizer);
    expect(problemOfWords(f.template, f.special_tokens, f.stop_tokens)).toBeUndefined();
    const thinks = thinkingOf(f.template);
    expect(f.thinking).toEqual(thinks === undefined ? null : { open: thinks.open, close: thinks.close });
    expect(f.ollama?.version).toBe(thinks === undefined ? undefined : "0.9");
  });

  test("means one of its sources by `default`, whose figures are the family's", () => {
    const first = getSource(f, "default");
    if (!first.ok) throw new Error(first.error.message);
    const named = sizeOf(f, "default");
    expect(named === undefined).toBe(isComplete(name));
    if (named === undefined) return;
    expect([f.parameters, f.vram]).toEqual([named.source.parameters, undefined]);
    expect(sizeOf(f, named.name)?.source).toBe(named.source);
  });
});

describe.each(rows)("%s", (word, s) => {
  test("is of the shape that has its parameters", () => {
    expect(Math.abs(s.source.parameters / numbersIn(s.source.shape) - 1)).toBeLessThan(0.003);
    expect(s.source.vram.measured).toBe(false);
    expect(ARCHITECTURES).toContain(architectureOfSize(s));
  });

  test("is, before the hub was asked, a family that can be planned with, and never a part of another", () => {
    const before = unpinned(s);
    expect(validate(before), JSON.stringify(validate.errors)).toBe(true);
    expect(problemOfWords(before.template, before.special_tokens, before.stop_tokens)).toBeUndefined();
    expect(isComplete(before.name)).toBe(false);
    expect(before).toMatchObject({ hub_id: s.source.repository, parameters: s.source.parameters });
    expect([before.head_start, before.plain_answers]).toEqual([undefined, undefined]);
    // No file may ask the hub on behalf of a project.
    expect(checkFamily(before)).toMatchObject({ ok: false });
    expect(familyByHubId(s.source.repository)).toBe(word);
  });
});

test("no two sizes are called alike, as families of their own", () => {
  const names = all.map(sizeName);
  expect(new Set(names).size).toBe(names.length);
  expect(new Set(all.map((s) => s.source.repository)).size).toBe(all.length);
});

describe("the names that people write", () => {
  /** Every source that is offered is one that the family has. */
  const offers = (name: string): Meant | undefined => {
    const meant = wellKnown(name);
    if (meant === undefined) return undefined;
    const { family: f, source, sources = [] } = meant;
    for (const word of [source ?? "default", ...sources]) expect(getSource(family(f), word), `${name}: ${f}/${word}`).toMatchObject({ ok: true });
    expect(meant.sources, name).not.toEqual([]);
    for (const [, word = ""] of wellKnownHint(meant).matchAll(/source: ([^ ]+) }/g)) expect(getSource(family(f), word), name).toMatchObject({ ok: true });
    return meant;
  };

  test("are known by the very models that the data files have", () => {
    const models = familyNames().flatMap((name) => {
      const { hub_id } = family(name);
      return [...(hub_id === undefined ? [] : [[name, "default", hub_id]]), ...sizesOf(family(name)).map((s) => [name, s.name, s.source.repository])];
    });
    expect([...MODELS].sort()).toEqual(models.sort());
  });

  test.each<[string, Meant | undefined]>([
    ["Qwen2.5", { family: "qwen-2.5" }],
    ["qwen_2.5", { family: "qwen-2.5" }],
    ["Qwen/Qwen2.5-7B-Instruct", { family: "qwen-2.5", source: "7b" }],
    ["qwen-2.5/7b", { family: "qwen-2.5", source: "7b" }],
    ["qwen3:8b", { family: "qwen-3", source: "8b" }],
    ["phi4", { family: "phi-4" }],
    ["microsoft/phi-4", { family: "phi-4" }],
    ["DeepSeek-R1", { family: "deepseek-r1" }],
    ["deepseek-r1:7b", { family: "deepseek-r1", source: "qwen-7b" }],
    ["deepseek-ai/DeepSeek-R1-Distill-Llama-8B", { family: "deepseek-r1", source: "llama-8b" }],
    ["mistral-nemo", { family: "mistral", source: "nemo" }],
    ["mistralai/Mistral-Small-24B-Instruct-2501", { family: "mistral", source: "small" }],
    ["gemma-3-1b-it", { family: "gemma-3", source: "1b" }],
    ["Meta-Llama-3.1-8B-Instruct", { family: "llama-3.1", source: "8b" }],
    ["zai-org/GLM-4-9B-0414", { family: "glm-4", source: "9b" }],
    ["smollm2-135m", { family: "smollm2" }],
    ["HuggingFaceTB/SmolLM2-135M-Instruct", { family: "smollm2" }],
    ["smollm2_360m", { family: "smollm2", source: "360m" }],
    // What there is, where the size is not there.
    ["mistral-7b", { family: "mistral", sources: ["nemo", "small"] }],
    ["gemma-3-4b-it", { family: "gemma-3", sources: ["270m", "1b"] }],
    ["qwen2.5-72b", { family: "qwen-2.5", sources: ["0.5b", "1.5b", "3b", "7b", "14b"] }],
    ["qwen-2.5/72b", { family: "qwen-2.5", sources: ["0.5b", "1.5b", "3b", "7b", "14b"] }],
    // Other models, and ours as it is written.
    ["nano-7b", undefined],
    ["Qwen/Qwen3-4B-Instruct-2507", undefined],
    ["qwen2.5-coder-7b", undefined],
    ["glm-4.5", undefined],
    ["llama-3", undefined],
    ["qwen-2.5", undefined],
  ])("%s", (name, meant) => {
    expect(offers(name)).toEqual(meant);
  });

  test("lead to nothing that is not there, however they are put together", () => {
    const part = fc.constantFrom(...FAMILIES, ...MODELS.flatMap(([, source, repository]) => [source, repository]), "7b", "4b-it", "instruct", "70B", "2507");
    fc.assert(
      fc.property(
        fc.array(fc.tuple(part, fc.constantFrom("", "-", "_", ":", "/")), { minLength: 1, maxLength: 3 }),
        (parts) => void offers(parts.flat().join("")),
      ),
    );
  });

  test("are told in a recipe and for a flag, where OWNER/NAME stays whole", () => {
    expect(modelOfWord("qwen-2.5/7b")).toEqual({ family: "qwen-2.5", source: "7b" });
    for (const id of ["Qwen/Qwen2.5-7B-Instruct", "meta-llama/Llama-3.1-8B-Instruct"]) {
      const failure = getFamily(modelOfWord(id).family);
      if (failure.ok) throw new Error("it is a family");
      expect(failure.error.hint).toMatch(/Write `model: { family: (qwen-2\.5|llama-3\.1), source: (7b|8b) }` \(as a flag: (qwen-2\.5\/7b|llama-3\.1\/8b)/);
    }
  });
});

describe("asked of the hub", () => {
  let hub: RegistryHub;
  const options = (onWarning?: (message: string) => void) => ({
    signal: new AbortController().signal,
    timing: { stall: 2000, pause: 5 },
    ...(onWarning && { onWarning }),
  });
  beforeEach(async () => {
    for (const name of ["HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "MCP_FORGE_OFFLINE", "HF_HUB_OFFLINE", "HF_TOKEN"])
      vi.stubEnv(name, undefined);
    hub = await startRegistryHub(all.map((s) => standIn(s)));
    vi.stubEnv("HF_ENDPOINT", hub.endpoint);
  });
  afterEach(async () => {
    vi.unstubAllEnvs();
    await hub.close();
  });
  const refused = async (s: Size) => {
    const found = await findSize(s, options());
    if (found.ok) throw new Error("it was taken");
    return found.error;
  };

  test.each(rows)("%s is a model that forge can train, pinned file by file", async (_word, s) => {
    const warnings: string[] = [];
    const found = await findSize(
      s,
      options((w) => warnings.push(w)),
    );
    if (!found.ok) throw new Error(`${found.error.message} ${found.error.hint}`);
    expect(warnings).toEqual([]);
    expect(checkFamily(found.value)).toMatchObject({ ok: true });
    expect(disagreement(s, found.value)).toBeUndefined();
    expect(found.value).toMatchObject({
      ...{ name: sizeName(s), template: templateOf(s), thinking: s.family.thinking, tokenizer: unpinned(s).tokenizer, licence: unpinned(s).licence },
      ...{ parameters: s.source.parameters, training: unpinned(s).training },
    });
    expect(found.value.special_tokens).toContain("<|one_of_its_own|>");
    expect(found.value.stop_tokens).toEqual(expect.arrayContaining(s.family.stop_tokens.slice(0, 1)));
    const source = found.value.sources.default;
    if (source?.kind !== "hub") throw new Error("not of the hub");
    expect([source.repository, source.revision]).toEqual([s.source.repository, COMMIT]);
    for (const [name, content] of hub.repositories.get(s.source.repository)?.files ?? [])
      expect(source.files[name]).toEqual({ sha256: sha256(content), bytes: content.length });
  });

  test.each<[string, Size, Readonly<Record<string, object>>, RegExp]>([
    [
      "another architecture",
      size("qwen-2.5", "7b"),
      { "config.json": { model_type: "qwen3", architectures: ["Qwen3ForCausalLM"], hidden_act: "silu", max_position_embeddings: 32768 } },
      /qwen3, not qwen2/,
    ],
    [
      "a shorter window",
      size("llama-3.2", "1b"),
      { "config.json": { model_type: "llama", architectures: ["LlamaForCausalLM"], hidden_act: "silu", max_position_embeddings: 8192 } },
      /8192 tokens, not for 131072/,
    ],
    [
      "no tokens for a thought",
      size("deepseek-r1", "default"),
      { "tokenizer.json": { ...tokenizerWithout(size("deepseek-r1", "default"), "<think>") } },
      /no token <think>/,
    ],
    ["other turn markers", size("phi-4", "14b"), { "tokenizer.json": { ...tokenizerWithout(size("phi-4", "14b"), "<|im_sep|>") } }, /no token <\|im_sep\|>/],
  ])("what has %s is not the model, and refused by name", async (_name, s, changes, message) => {
    hub.repositories.set(s.source.repository, standIn(s, changes));
    const error = await refused(s);
    expect(error).toMatchObject({ exit: 4, message: expect.stringMatching(message) });
    expect(error.message).toContain(sizeWord(s));
  });

  test.each([401, 403])("one that is gated (%i) says where its licence is accepted, and who is to be named", async (status) => {
    const s = size("llama-3.2", "3b");
    const repository = standIn(s);
    hub.repositories.set(s.source.repository, { ...repository, refuses: status });
    const error = await refused(s);
    expect(error).toMatchObject({ code: "models/hub-refused", exit: 6 });
    expect(error.hint).toContain("It is gated: accept its licence at https://huggingface.co/meta-llama/Llama-3.2-3B-Instruct");
    expect(error.hint).toContain("HF_TOKEN");
  });

  test("a token goes along, and is in nothing that is pinned", async () => {
    vi.stubEnv("HF_TOKEN", "hf_aTokenThatNobodyElseMaySee");
    const found = await findSize(size("gemma-3", "270m"), options());
    expect(found.ok).toBe(true);
    expect(hub.asked.every((a) => a.token === "Bearer hf_aTokenThatNobodyElseMaySee")).toBe(true);
    expect(JSON.stringify(found)).not.toContain("hf_aToken");
  });

  test.each(["HF_HUB_OFFLINE", "MCP_FORGE_OFFLINE"])("with %s nobody is asked, and what to do is said", async (name) => {
    vi.stubEnv(name, "1");
    expect(await refused(size("qwen-3", "0.6b"))).toMatchObject({
      ...{ code: "models/hub-offline", exit: 6, hint: expect.stringContaining("forge models pin") },
      message: expect.stringMatching(/^qwen-3\/0\.6b is not pinned in the lockfile.*forbids it/),
    });
    expect(hub.asked).toEqual([]);
  });

  test("what is of another size or licence than was known is taken, with a warning", async () => {
    const s = size("qwen-2.5", "3b");
    const smaller = standIn(size("qwen-2.5", "0.5b"));
    hub.repositories.set(s.source.repository, { ...smaller, id: s.source.repository });
    const warnings: string[] = [];
    expect(
      (
        await findSize(
          s,
          options((w) => warnings.push(w)),
        )
      ).ok,
    ).toBe(true);
    expect(warnings).toEqual([
      expect.stringContaining("494032768 parameters"),
      expect.stringContaining("under Apache-2.0; forge knew it under LicenseRef-qwen-research"),
    ]);
  });
});

/** The vocabulary of a size's stand-in without one of its tokens. */
function tokenizerWithout(s: Size, token: string): object {
  const whole = JSON.parse(standIn(s).files.get("tokenizer.json")?.toString("utf8") ?? "{}") as { added_tokens: { content: string }[] };
  return { ...whole, added_tokens: whole.added_tokens.filter((t) => t.content !== token) };
}

test("every template that a family uses is one whose turn markers are known", () => {
  for (const s of all) expect(Object.keys(TEMPLATES)).toContain(templateOf(s));
});
