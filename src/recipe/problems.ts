/**
 * Turns the validator's errors into located failures in a reader's words: what was expected, what
 * stands there, and the nearest valid word. One failure a cause: an alternative that was not meant
 * is not reported beside the one that was.
 */
import type { ErrorObject } from "ajv";
import type { Failure } from "../platform/result.ts";
import { type Located, locate } from "./locate.ts";
import { nearest } from "./nearest.ts";
import { exampleAt, homesOf, keysAt, schemaAt, wordsAt } from "./schema-words.ts";
import { describeTree, type MapTree, type Range, type Source, type Tree } from "./source.ts";
import type { RecipePath } from "./types.ts";
import { wellKnown, wellKnownHint } from "./well-known.ts";

/** A failure with its place in the file as an offset, to sort and compare by. */
export interface Problem {
  readonly at: Range;
  readonly failure: Failure;
}

/** Every distinct problem that the errors speak of, and the paths where they are. */
export function problemsOf(errors: readonly ErrorObject[], tree: MapTree, source: Source): { problems: Problem[]; paths: RecipePath[] } {
  const problems: Problem[] = [];
  const paths: RecipePath[] = [];
  for (const error of relevant(errors, tree)) {
    const path = pathOf(error.instancePath, tree);
    paths.push(error.keyword === "additionalProperties" ? [...path, String(error.params.additionalProperty)] : path);
    const located = locate(tree, path);
    if (located.tree?.kind === "leaf" && located.tree.unknown) continue;
    const { at, code, message, hint } = describe(error, path, located);
    problems.push({ at, failure: source.failure(code, message, at, hint) });
  }
  return { problems, paths };
}

/** A path as it would be said: `tools[0].mcp.command`. */
export const pathText = (path: RecipePath): string => path.map((p, i) => (typeof p === "number" ? `[${p}]` : i === 0 ? p : `.${p}`)).join("");

interface Description {
  readonly at: Range;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
}

/** Keeps of each group of alternatives only what speaks of the one that the author meant. */
function relevant(errors: readonly ErrorObject[], tree: MapTree): ErrorObject[] {
  const choices = errors.filter((e) => e.keyword === "anyOf" || e.keyword === "oneOf");
  const unknown = errors.filter((e) => e.keyword === "additionalProperties");
  const unknownKeysAt = new Set(unknown.map((e) => e.instancePath));
  return errors.filter((error) => {
    // The rule on names is reported once, with the name.
    if (error.propertyName !== undefined) return false;
    // A misspelt key is not also missing.
    if (error.keyword === "required" && unknown.some((e) => e.instancePath === error.instancePath && misspelt(e, error))) return false;
    for (const choice of choices) {
      if (choice === error) {
        // A misspelt key explains why none of the alternatives is there.
        if (error.keyword === "oneOf" && unknownKeysAt.has(error.instancePath)) return false;
        // A deeper word about the alternative that was meant says more than "none fits".
        if (error.keyword === "anyOf" && errors.some((e) => e !== error && meant(e, error, tree))) return false;
        continue;
      }
      if (choice.keyword === "oneOf" && error.schemaPath.startsWith(`${choice.schemaPath}/`)) return false;
      const inside = error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`);
      if (choice.keyword === "anyOf" && inside && !meant(error, choice, tree)) return false;
    }
    return true;
  });
}

const misspelt = (unknown: ErrorObject, required: ErrorObject): boolean =>
  nearest(String(unknown.params.additionalProperty), [String(required.params.missingProperty)]) !== undefined;

/** Whether an error under an `anyOf` belongs to the alternative whose kind the author wrote. */
function meant(error: ErrorObject, choice: ErrorObject, tree: MapTree): boolean {
  const inside = error.instancePath === choice.instancePath || error.instancePath.startsWith(`${choice.instancePath}/`);
  if (!inside || error.keyword === "anyOf") return false;
  const kind = locate(tree, pathOf(choice.instancePath, tree)).tree?.kind;
  if (error.instancePath !== choice.instancePath) return true;
  if (kind === "leaf") return false;
  return error.keyword !== "type" && error.keyword !== "enum";
}

/** A JSON pointer as a path; numbers only where the tree has a list. */
function pathOf(pointer: string, root: MapTree): (string | number)[] {
  const path: (string | number)[] = [];
  let tree: Tree | undefined = root;
  for (const raw of pointer.split("/").slice(1)) {
    const step = raw.replaceAll("~1", "/").replaceAll("~0", "~");
    if (tree?.kind === "list") {
      path.push(Number(step));
      tree = tree.items[Number(step)];
    } else {
      path.push(step);
      tree = tree?.kind === "map" ? tree.members.get(step)?.value : undefined;
    }
  }
  return path;
}

function describe(error: ErrorObject, path: (string | number)[], located: Located): Description {
  const name = path.length === 0 ? "the recipe" : `\`${pathText(path)}\``;
  const at = located.range;
  const found = located.tree ? describeTree(located.tree) : "nothing";
  const params = error.params as Readonly<Record<string, unknown>>;
  switch (error.keyword) {
    case "additionalProperties":
      return unknownKey(String(params.additionalProperty), path, located);
    case "required": {
      const missing = String(params.missingProperty);
      const example = exampleAt([...path, missing]);
      return {
        at: located.key,
        code: "missing-key",
        message: `${name} lacks the key \`${missing}\``,
        hint: example === undefined ? undefined : `add it, for example \`${missing}: ${example}\``,
      };
    }
    case "oneOf":
    case "not":
      return exactlyOne(path, located);
    case "enum":
    case "anyOf":
    case "const": {
      const words = error.keyword === "const" ? [String(params.allowedValue)] : wordsAt(path);
      const close = located.tree?.kind === "leaf" && typeof located.tree.value === "string" ? nearest(located.tree.value, words) : undefined;
      const list = words.map((w) => `\`${w}\``).join(", ");
      const other = error.keyword === "anyOf" ? alternatives(path) : "";
      return {
        at,
        code: "unknown-word",
        message: `${name} must be ${words.length === 1 ? list : `one of ${list}`}${other}; this is ${found}`,
        hint:
          typeof params.allowedValue === "number"
            ? quotedNumberHint(located.tree, "number")
            : isFamily(path)
              ? otherModel(located.tree, close)
              : close !== undefined
                ? `did you mean \`${close}\`?`
                : otherWord(path, located.tree),
      };
    }
    case "type": {
      const wanted = typeWords(params.type);
      const hint =
        located.tree?.kind === "leaf" && located.tree.value === null
          ? "give it a value, or take the key away to have the default"
          : quotedNumberHint(located.tree, params.type);
      return { at, code: "wrong-type", message: `${name} must be ${wanted}; this is ${found}`, hint: hint ?? exampleHint(path) };
    }
    case "pattern":
    case "propertyNames":
      return pattern(path, located, found, name, error);
    case "minimum":
      return { at, code: "out-of-range", message: `${name} must be at least ${params.limit}; this is ${found}` };
    case "maximum":
      return {
        at,
        code: "out-of-range",
        message: `${name} must be at most ${params.limit}; this is ${found}`,
        hint: rateHint(path, located.tree, params.limit),
      };
    case "exclusiveMinimum":
      return { at, code: "out-of-range", message: `${name} must be more than ${params.limit}; this is ${found}` };
    case "exclusiveMaximum":
      return { at, code: "out-of-range", message: `${name} must be less than ${params.limit}; this is ${found}` };
    case "minItems":
      return { at, code: "too-few", message: `${name} must have at least ${count(params.limit, "entry", "entries")}`, hint: exampleHint(path) };
    case "minLength":
      return { at, code: "too-few", message: `${name} must not be empty`, hint: exampleHint(path) };
    case "maxItems":
    case "maxProperties":
      return { at, code: "too-many", message: `${name} may have at most ${count(params.limit, "entry", "entries")}` };
    case "maxLength":
      return { at, code: "too-many", message: `${name} may have at most ${count(params.limit, "character", "characters")}` };
    case "uniqueItems": {
      const twice = located.tree?.kind === "list" ? located.tree.items[Math.max(Number(params.i), Number(params.j))] : undefined;
      return {
        at: twice?.range ?? at,
        code: "duplicate",
        message: `${name} lists ${twice ? describeTree(twice) : "an entry"} twice`,
        hint: "keep one of the two",
      };
    }
    default:
      return { at, code: "invalid", message: `${name} ${error.message ?? "is not valid"}`, hint: exampleHint(path) };
  }
}

function unknownKey(key: string, path: (string | number)[], located: Located): Description {
  const at = located.tree?.kind === "map" ? (located.tree.members.get(key)?.key ?? located.key) : located.key;
  const keys = keysAt(path);
  const meantKey = nearest(key, keys);
  const home = homesOf(key).find((h) => pathText(h) !== pathText(path));
  const where = path.length === 0 ? "at the top level" : `in \`${pathText(path)}\``;
  const inVariant = path[0] === "variants" && path.length === 2 && (key === "version" || key === "name" || key === "variants");
  const hint =
    meantKey !== undefined
      ? `did you mean \`${meantKey}\`?`
      : inVariant
        ? "a variant cannot change it"
        : home !== undefined
          ? home.length === 0
            ? `\`${key}\` belongs at the top level`
            : `\`${key}\` belongs under \`${pathText(home)}\``
          : `known here: ${keys.join(", ")}`;
  return { at, code: "unknown-key", message: `unknown key \`${key}\` ${where}`, hint };
}

/** The rule that exactly one of several keys is there (a tool source, a server, a model). */
function exactlyOne(path: (string | number)[], located: Located): Description {
  const name = `\`${pathText(path)}\``;
  const kinds = path.at(-1) === "mcp" ? ["command", "url"] : path.at(-1) === "model" ? ["family", "hf_id"] : ["stub", "mcp", "openai", "file"];
  const members = located.tree?.kind === "map" ? located.tree.members : undefined;
  const written = kinds.filter((k) => members?.has(k));
  const list = kinds.map((k) => `\`${k}\``).join(", ");
  if (written.length > 1) {
    const second = members?.get(written[1] as string)?.key ?? located.key;
    return {
      at: second,
      code: "exclusive-keys",
      message: `${name} has ${written.map((k) => `\`${k}\``).join(" and ")}, of which only one may be there`,
      hint: path[0] === "tools" && path.length === 2 ? "make it two entries of the list" : "remove one of them",
    };
  }
  const example = exampleAt([...path, kinds[0] as string]);
  return {
    at: located.key,
    code: "missing-key",
    message: `${name} must have exactly one of ${list}`,
    hint: example === undefined ? undefined : `for example \`${kinds[0]}: ${example}\``,
  };
}

function pattern(path: (string | number)[], located: Located, found: string, name: string, error: ErrorObject): Description {
  const at = located.range;
  const last = path.at(-1);
  if (error.keyword === "propertyNames") {
    const bad = String(error.params.propertyName);
    const key = located.tree?.kind === "map" ? (located.tree.members.get(bad)?.key ?? at) : at;
    return {
      at: key,
      code: "name",
      message: `\`${bad}\` cannot be the name of a variant`,
      hint: "use lower-case letters, digits, dots, dashes and underscores",
    };
  }
  if (last === "name")
    return {
      at,
      code: "name",
      message: `\`name\` must be lower-case letters, digits, \`.\`, \`-\` and \`_\`, beginning with a letter or digit; this is ${found}`,
      hint: "it names files and the model, so it can be no path; for example `weather-expert`",
    };
  if (last === "url" || last === "base_url") return { at, code: "wrong-format", message: `${name} must begin with http:// or https://; this is ${found}` };
  if (last === "hf_id") return { at, code: "wrong-format", message: `${name} must be OWNER/NAME; this is ${found}`, hint: exampleHint(path) };
  return { at, code: "wrong-format", message: `${name} has a form that is not allowed; this is ${found}`, hint: exampleHint(path) };
}

/** What forge calls that others call by the name of the library: PEFT, on transformers, is what the default backend is. */
const otherWord = (path: readonly (string | number)[], tree: Tree | undefined): string | undefined =>
  path.at(-2) === "train" && path.at(-1) === "backend" && tree?.kind === "leaf" && /^(peft|trl|lora|hf|huggingface|pytorch|torch)$/i.test(String(tree.value))
    ? "training with PEFT is called `transformers` here, and is the default"
    : undefined;

const isFamily = (path: readonly (string | number)[]): boolean => path.at(-2) === "model" && path.at(-1) === "family";

function alternatives(path: (string | number)[]): string {
  if (isFamily(path)) return ", or the path of a family file (models/NAME.json)";
  const kinds = (schemaAt(path)?.anyOf ?? [])
    .filter((n) => n.enum === undefined && (n.type !== undefined || n.properties !== undefined)) // the others are the words themselves
    .map((n) =>
      n.type === "array"
        ? "a list of names"
        : n.type === "integer"
          ? `a whole number from ${n.minimum} to ${n.maximum}`
          : n.properties?.from !== undefined
            ? "a mapping {from: FILE}"
            : `a mapping {${Object.keys(n.properties ?? {}).join(", ")}}`,
    );
  return kinds.length === 0 ? "" : `, or ${kinds.join(" or ")}`;
}

const TYPES: Readonly<Record<string, string>> = {
  object: "a mapping of keys and values",
  array: "a list",
  string: "text",
  integer: "a whole number",
  number: "a number",
  boolean: "true or false",
  null: "empty",
};

const typeWords = (type: unknown): string =>
  Array.isArray(type) ? type.map((t) => TYPES[String(t)] ?? String(t)).join(" or ") : (TYPES[String(type)] ?? String(type));

function quotedNumberHint(tree: Tree | undefined, type: unknown): string | undefined {
  if (tree?.kind !== "leaf") return undefined;
  const { value } = tree;
  if ((type === "integer" || type === "number") && typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value)))
    return `write it without quotes: ${value}`;
  if (type === "string" && (typeof value === "number" || typeof value === "boolean")) return `put quotes around it: "${value}"`;
  if (type === "boolean" && typeof value === "string" && /^(yes|no|on|off)$/i.test(value)) return `write ${/^(yes|on)$/i.test(value) ? "true" : "false"}`;
  return undefined;
}

/** A share that was written in per cent. A rate of learning is none. */
const rateHint = (path: RecipePath, tree: Tree | undefined, limit: unknown): string | undefined =>
  limit === 1 && path.at(-1) !== "learning_rate" && tree?.kind === "leaf" && typeof tree.value === "number" && tree.value <= 100
    ? `a share goes from 0 to 1: ${tree.value / 100}`
    : undefined;

function exampleHint(path: readonly (string | number)[]): string | undefined {
  const example = exampleAt(path);
  return example === undefined ? undefined : `for example \`${typeof path.at(-1) === "number" ? "- " : `${path.at(-1)}: `}${example}\``;
}

const count = (n: unknown, one: string, many: string): string => `${n} ${n === 1 ? one : many}`;

/** What helps whoever names a family that does not come with forge; `close` is one that does. */
function otherModel(tree: Located["tree"], close: string | undefined): string {
  const meant = tree?.kind === "leaf" && typeof tree.value === "string" ? wellKnown(tree.value) : undefined;
  if (meant !== undefined) return wellKnownHint(meant);
  return close === undefined ? "for another model: forge models add FOLDER, FILE.gguf or OWNER/NAME" : `did you mean \`${close}\`?`;
}
