/**
 * Why a node runs again, in the user's words: what its last record says against what holds now.
 * Guarantees: pure; values are shown before and after, shortened; at least one reason for any difference.
 */
import { canonicalJson, type JsonValue } from "../platform/json.ts";
import type { Digests } from "./fingerprint.ts";
import type { StageRecord } from "./record.ts";
import type { GateDefinition, StageDefinition } from "./stage.ts";
import type { GateState } from "./state.ts";

/** Longest value that a reason quotes, in characters. */
const LONGEST = 48;
/** More differences than this are counted, not listed. */
const MOST = 8;

type Slice = Readonly<Record<string, JsonValue | undefined>>;

/** Why `stage` would run, given its last record. Empty when nothing known changed. */
export function stageReasons(stage: StageDefinition, last: StageRecord, now: { readonly inputs?: Digests; readonly files?: Digests }): string[] {
  const reasons: string[] = [];
  if (last.version !== stage.version) reasons.push(`stage ${stage.id}: version ${last.version} → ${stage.version}`);
  reasons.push(...differences(last.recipe as Slice, stage.recipe, (path) => `\`${path}\``));
  reasons.push(...differences(last.settings as Slice, stage.settings ?? {}, (path) => `setting ${path}`));
  reasons.push(...differences(last.runtime as Slice, stage.runtime ?? {}, (path) => `runtime ${path}`));
  const upstream = new Set<string>();
  for (const [name, input] of Object.entries(stage.inputs)) {
    const before = last.inputs[name];
    if (before === undefined) reasons.push(`new input ${name} from ${input.stage}`);
    else if (before.stage !== input.stage || before.output !== input.output)
      reasons.push(`input ${name}: ${before.stage}/${before.output} → ${input.stage}/${input.output}`);
    else if (now.inputs?.[name] !== undefined && now.inputs[name] !== before.digest) upstream.add(input.stage);
  }
  for (const name of Object.keys(last.inputs)) if (stage.inputs[name] === undefined) reasons.push(`input ${name} is no longer used`);
  for (const id of upstream) reasons.push(`upstream ${id} changed`);
  for (const name of Object.keys(stage.files ?? {})) {
    if (last.files[name] === undefined) reasons.push(`new file ${name}`);
    else if (now.files?.[name] !== undefined && now.files[name] !== last.files[name]) reasons.push(`file ${name} changed`);
  }
  for (const name of Object.keys(last.files)) if (stage.files?.[name] === undefined) reasons.push(`file ${name} is no longer used`);
  const outputs = Object.fromEntries(Object.entries(last.outputs).flatMap(([name, o]) => (Object.hasOwn(stage.reports ?? {}, name) ? [] : [[name, o.kind]])));
  if (canonicalJson(outputs) !== canonicalJson(stage.outputs)) reasons.push(`outputs of stage ${stage.id} changed`);
  return reasons;
}

export const NEVER_JUDGED = "never judged";

/** Why a gate is judged anew, given its last verdict. */
export function gateReasons(gate: GateDefinition, last: GateState | undefined): string[] {
  if (last === undefined) return [NEVER_JUDGED];
  const reasons = last.version === gate.version ? [] : [`${gate.id}: version ${last.version} → ${gate.version}`];
  return [...reasons, ...differences(last.recipe as Slice, gate.recipe, (path) => `\`${path}\``)];
}

/** Each leaf that differs, named and with its values: "`data.samples` 300 → 800"; more than `most` are counted. */
export function differences(before: Slice, after: Slice, name: (path: string) => string, most = MOST): string[] {
  const found: string[] = [];
  const compare = (path: string, a: JsonValue | undefined, b: JsonValue | undefined): void => {
    if (a === undefined && b === undefined) return;
    if (a !== undefined && b !== undefined && canonicalJson(a) === canonicalJson(b)) return;
    if (isRecord(a) && isRecord(b)) {
      for (const key of union(a, b)) compare(`${path}.${key}`, member(a, key), member(b, key));
    } else {
      const [x, y] = [shown(a), shown(b)];
      found.push(x === y ? `${name(path)} changed` : `${name(path)} ${x} → ${y}`);
    }
  };
  for (const path of union(before, after)) compare(path, member(before, path), member(after, path));
  return found.length <= most ? found : [...found.slice(0, most - 1), `and ${found.length - most + 1} more`];
}

const isRecord = (v: JsonValue | undefined): v is { readonly [key: string]: JsonValue } => v !== null && typeof v === "object" && !Array.isArray(v);
const member = (o: Slice, key: string): JsonValue | undefined => (Object.hasOwn(o, key) ? o[key] : undefined);
const union = (a: object, b: object): string[] => [...new Set([...Object.keys(a), ...Object.keys(b)])].sort();

function shown(value: JsonValue | undefined): string {
  if (value === undefined) return "(not set)";
  const digest = typeof value === "string" && /^(?:sha256:)?[0-9a-f]{40,}$/.exec(value);
  if (digest) return `${digest[0].slice(0, value.startsWith("sha256:") ? 19 : 12)}…`;
  const text = typeof value === "string" ? value : JSON.stringify(value);
  const flat = text.replace(/\s+/g, " ");
  return flat.length > LONGEST ? `${flat.slice(0, LONGEST - 1)}…` : flat === "" ? '""' : flat;
}
