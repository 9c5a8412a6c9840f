/** Input that is unusual in form, not in meaning: shouting, stray white space, rambling, heavy punctuation. */
import type { Rng } from "../../../platform/rng.ts";
import * as P from "./patterns.ts";
import type { Binding } from "./request.ts";

/** Disturbs a request; the arguments stay readable, and literal ones (paths, ids, quoted text) stay as they are. */
export function disturb(text: string, bindings: readonly Binding[], rng: Rng): string {
  const mayShout = bindings.every((b) => b.value.caseless || b.value.said === "" || b.value.said === b.value.said.toUpperCase());
  const ways: ((t: string) => string)[] = [
    (t) => spread(t, bindings, rng),
    (t) =>
      `${rng.shuffle(P.CONTEXTS).slice(0, 3).join(" ")} ${t.replace(/([^.?!])$/, "$1.")} ${rng.pick(["That's all for now.", "Sorry for the long message.", "I hope that makes sense.", "Tell me if anything is unclear."])}`,
    (t) => t.replace(/[.?!]?$/, rng.pick(["???", "!!!", "?!", "..."])),
    (t) => `${rng.pick(["\n", "  \n", "\t"])}${t}${rng.pick(["\n\n", "   ", " \n"])}`,
    (t) => `${rng.pick(["umm", "hmm", "ehm", "err"])} ${t.charAt(0).toLowerCase()}${t.slice(1)}`,
    (t) => `${rng.pick(["hello?? anyone there?", "HELP", "ok ok ok", "test test", "hey hey hey"])} ${t}`,
  ];
  if (mayShout)
    ways.push(
      (t) => t.toUpperCase(),
      (t) => t.toUpperCase().replace(/[.?!]?$/, "!!"),
    );
  return rng.pick(ways)(text);
}

/** Extra white space between words, not inside a value. */
function spread(text: string, bindings: readonly Binding[], rng: Rng): string {
  const values = bindings.map((b) => b.value.said).filter((s) => s !== "");
  const inside = (at: number) =>
    values.some((v) => {
      const i = text.toLowerCase().indexOf(v.toLowerCase());
      return i >= 0 && at >= i && at < i + v.length;
    });
  return text.replace(/ /g, (m, at: number) => (!inside(at) && rng.chance(0.3) ? rng.pick(["  ", "   ", "\n"]) : m));
}
