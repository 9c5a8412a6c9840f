/** Answers where a tool failed, took too long or had nothing: what happened is said, nothing is invented. */
import type { JsonObject } from "../../../platform/json.ts";
import type { Rng } from "../../../platform/rng.ts";
import { isPlural, plural, tidy } from "./english.ts";
import { parseResult } from "./facts.ts";
import { definite, type ToolModel } from "./model.ts";
import { nounOf, subjectOf } from "./subject.ts";
import { asks } from "./verbs.ts";

/** The tool's own words for what went wrong, as the end of a sentence. */
function reasonOf(text: string): string {
  const v = parseResult(text);
  let t = text;
  if (v && !Array.isArray(v)) {
    const o = v as JsonObject;
    const inner = o.error ?? o.message ?? o.detail ?? o.reason;
    if (typeof inner === "string") t = inner;
    else if (typeof inner === "object" && inner !== null && typeof (inner as JsonObject).message === "string") t = (inner as JsonObject).message as string;
  }
  const lines = t.trim().split(/\n/);
  t = `${lines[0] ?? ""}${/:\s*$/.test(lines[0] ?? "") ? ` ${lines[1] ?? ""}` : ""}`
    .replace(/^(error|failed|exception|mcp error(?: -?\d+)?)[:\s-]+/i, "")
    .replace(/\s+/g, " ");
  const sentence = t.split(/(?<=[a-z"')])\.\s/)[0] ?? t;
  return sentence.slice(0, 140).replace(/[.!:\s]+$/, "");
}

export function sayError(model: ToolModel, args: JsonObject, text: string, rng: Rng): string {
  const { of } = subjectOf(model, args);
  const np = definite(nounOf(model));
  const reason = reasonOf(text);
  const what = `${asks(model.cls) ? `get ${np}` : "do that"}${of}`;
  const isName = Object.values(args).some((v) => typeof v === "string" && v !== "" && reason.startsWith(v));
  const low = /^[A-Z][a-z]/.test(reason) && !isName ? reason.charAt(0).toLowerCase() + reason.slice(1) : reason;
  if (reason === "") return rng.pick([`I couldn't ${what}: the tool reported an error.`, `Sorry, the tool failed, so I couldn't ${what}.`]);
  return tidy(
    rng.pick([
      `I couldn't ${what}: ${low}.`,
      `Sorry, I wasn't able to ${what}. The tool reported an error: ${low}.`,
      `That didn't work, I'm afraid. The error was: ${low}.`,
      `I tried to ${what}, but the call failed: ${low}.`,
      `Unfortunately I couldn't ${what}. The tool says: ${low}.`,
      `The request failed with an error: ${low}. ${rng.pick(["Could you check it and try again?", "Please check the details.", "Would you like to try something else?"])}`,
    ]),
  );
}

export function sayTimeout(model: ToolModel, args: JsonObject, rng: Rng): string {
  const { text } = subjectOf(model, args);
  const np = definite(nounOf(model));
  const of = text ? ` for ${text}` : "";
  return tidy(
    rng.pick([
      `The request${of} timed out, so I don't have ${asks(model.cls) ? np : "a result"}. Shall I try again?`,
      `I couldn't ${asks(model.cls) ? `get ${np}` : "finish that"}${of}: the tool took too long to respond. Please try again later.`,
      `Sorry, the tool did not answer in time${of}. You could try again in a moment.`,
      `The call timed out before anything came back${of}. Would you like me to try once more?`,
      `No answer came back in time, so I can't say anything about ${text || np}. Please try again later.`,
    ]),
  );
}

export function sayEmpty(model: ToolModel, args: JsonObject, rng: Rng): string {
  const { of, text } = subjectOf(model, args);
  const np = nounOf(model);
  if (/alert|warning/.test(np))
    return tidy(
      rng.pick([
        `There are no ${np}${of} right now.`,
        `No ${np} are in force${of}.`,
        `Nothing is reported${of}: there are no active ${np.replace(/^active /, "")}.`,
        `Good news: no ${np}${of} at the moment.`,
      ]),
    );
  if (model.cls === "search" || model.cls === "list") {
    const many = plural(np);
    return tidy(
      rng.pick([
        `I found no ${many}${of}.`,
        `There are no ${many}${of}.`,
        `The search returned nothing${of}.`,
        `Nothing came up${of}. Would you like to try something else?`,
        `No ${many} were found${of}.`,
      ]),
    );
  }
  if (!asks(model.cls)) {
    const about = text ? ` for ${text}` : "";
    return tidy(rng.pick([`The call went through, but nothing came back${about}.`, `The tool returned no result${about}, so I can't confirm it.`]));
  }
  return tidy(
    rng.pick([
      `The tool returned no data${of}, so I can't tell you ${definite(np)}.`,
      `There is no data available${of}.`,
      `Nothing came back${of}: the result is empty.`,
      `I got an empty answer${of}, so I don't have ${definite(np)}.`,
      `No ${np.replace(/^(the|current) /, "")} ${isPlural(np) ? "are" : "is"} available${of}.`,
    ]),
  );
}
