/** What a call is about, in words: for `I found no flights from NRT to OSL`. */
import type { JsonObject } from "../../../platform/json.ts";
import type { ToolModel } from "./model.ts";

export interface Subject {
  /** `Oslo`, `order 17`; empty when no argument says it. */
  readonly text: string;
  /** With a leading space and its preposition: ` for Oslo`, ` from NRT to OSL`; empty with `text`. */
  readonly of: string;
}

export interface Outcome {
  readonly text: string;
  readonly isError: boolean;
  readonly timedOut: boolean;
}

const TELLING = new Set(
  "place airport path folder query id title nickname person product hotel restaurant symbol enum project word song movie company host".split(" "),
);

export function subjectOf(model: ToolModel, args: JsonObject): Subject {
  const given = model.params.filter((q) => q.property.required && args[q.property.name] !== undefined);
  const value = (p: (typeof given)[number]): string => {
    const v = args[p.property.name];
    const t = typeof v === "string" || typeof v === "number" ? String(v) : "";
    return t.length > 60 ? "" : t;
  };
  const start = given.find((p) => p.role.side === "start" && /^(place|airport)$/.test(p.role.kind));
  const end = given.find((p) => p.role.side === "end" && /^(place|airport)$/.test(p.role.kind));
  if (start && end && value(start) && value(end)) return { text: `${value(start)} to ${value(end)}`, of: ` from ${value(start)} to ${value(end)}` };
  const p = given.find((q) => TELLING.has(q.role.kind));
  const v = p ? value(p) : "";
  if (!p || v === "") return { text: "", of: "" };
  const text = p.role.kind === "id" && !/[A-Za-z]/.test(v) ? `${p.role.entity} ${v}`.trim() : v;
  const inside = p.role.kind === "place" && !/weather|forecast|alert|condition|temperature/.test(model.objects[0] ?? "");
  return { text, of: ` ${inside ? "in" : "for"} ${text}` };
}

/** The tool's object, bare and short. */
export const nounOf = (model: ToolModel): string => model.objects.find((o) => o.split(" ").length <= 3) ?? model.objects[0] ?? "result";
