/** Asking back for a required argument that was not given, and the replies that give it. */
import type { Rng } from "../../../platform/rng.ts";
import { article, capital, isPlural, listing, singular, tidy } from "./english.ts";
import { mentionsOf } from "./mentions/index.ts";
import type { Param, ToolModel } from "./model.ts";
import type { Binding } from "./request.ts";
import { asks } from "./verbs.ts";

/** What to call an argument when asking for it. */
function wanted(p: Param): string {
  const { kind, noun, side } = p.role;
  if (kind === "place" || kind === "airport")
    return side === "start" ? "starting point" : side === "end" ? "destination" : noun === "location" ? "place" : noun;
  if (kind === "query") return /topic|keyword|term/.test(noun) ? noun : "topic";
  if (kind === "text") return noun;
  if (kind === "count") return `number of ${noun}`;
  if (kind === "path") return side === "end" ? "new path" : side === "start" ? "file to start from" : "file";
  if (kind === "folder") return "folder";
  if (kind === "nickname" && side === "end") return "new name";
  if (kind === "nickname" && side === "start") return "current name";
  if (kind === "hotel" || kind === "restaurant") return kind;
  return noun;
}

/** A question for one missing argument. Never a guess. */
export function askFor(p: Param, model: ToolModel, rng: Rng): string {
  const w = wanted(p);
  const many = isPlural(w) && p.role.kind === "list";
  const np = model.objects.find((o) => o.split(" ").length <= 3) ?? model.objects[0] ?? "";
  const task = asks(model.cls) ? `look that up` : `do that`;
  const place = p.role.kind === "place" || p.role.kind === "airport";
  const options: string[] = [
    `What ${many ? "are" : "is"} the ${w}?`,
    `Could you tell me the ${w}?`,
    `I need the ${w} to ${task}. What ${many ? "are they" : "is it"}?`,
    `Sure, but I still need the ${w}.`,
    `Which ${w} do you mean?`,
    `Happy to help. What ${w} should I use?`,
    `You haven't said the ${w} yet. Could you give it to me?`.replace("give it", many ? "give them" : "give it"),
    `Before I can ${task}, I need to know the ${w}.`,
  ];
  if (place && p.role.side === null)
    options.push(`For which ${w}?`, `Which ${w} should I check?`, `Where? Please tell me the ${w}.`, `Sure, which ${w} are you interested in?`);
  if (p.role.kind === "date" || p.role.kind === "datetime") options.push(`For which date?`, `When should that be? I need the ${w}.`);
  if (p.role.kind === "count") options.push(`How many ${p.role.noun}?`);
  if (asks(model.cls) && place) options.push(`Which ${w} would you like ${article(np) === "an" || isPlural(np) ? "the" : "the"} ${np} for?`);
  return capital(tidy(rng.pick(options)));
}

/** One question for several missing arguments. */
export function askForAll(params: readonly Param[], model: ToolModel, rng: Rng): string {
  const w = listing([...new Set(params.map((p) => `the ${wanted(p)}`))]);
  const task = asks(model.cls) ? "look that up" : "do that";
  return tidy(
    rng.pick([
      `I need a few details first: ${w}.`,
      `Sure. Could you tell me ${w}?`,
      `To ${task} I need ${w}. What are they?`,
      `Happy to help. Please give me ${w}.`,
      `I still need ${w} before I can ${task}.`,
    ]),
  );
}

/** The user's reply that gives what was missing. */
export function supply(missing: readonly Binding[], model: ToolModel, rng: Rng): string {
  const topic = singular(model.objects[0] ?? "");
  const said = missing.map((b) => {
    const forms = mentionsOf(b.param, b.value, topic).filter((m) => m.at === "after" || (m.at === "alone" && missing.length === 1));
    const bare = forms.length === 0 || (missing.length === 1 && b.value.said !== "" && rng.chance(0.45));
    const text = bare
      ? b.value.said === ""
        ? b.value.json === true
          ? "yes"
          : "no"
        : b.value.said
      : rng.weighted(forms.map((f) => [f.text, f.weight] as const)).replaceAll(/\bX\b/g, () => b.value.said);
    return { text: text.replace(/^, /, ""), bare, alone: /^[A-Z]/.test(text) && !bare };
  });
  const joined = said.map((s) => s.text).join(" ");
  const one = said.length === 1 ? said[0] : undefined;
  if (one?.bare)
    return tidy(
      rng.pick([
        joined,
        `${joined}, please`,
        `It's ${joined}`,
        `${capital(joined)}.`,
        `Oh sorry, ${joined}`,
        `I meant ${joined}`,
        `${joined} please`,
        `Let's say ${joined}.`,
      ]),
    );
  return tidy(rng.pick([capital(joined), `${capital(joined)}, please`, `${capital(joined)}.`, `Sorry, ${one?.alone ? joined : joined}`]));
}
