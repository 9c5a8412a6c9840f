/** A chat with a bundle: the model reads what was said before, calls and results among it; what its window does not hold is forgotten from the front. */
import { expect, it } from "vitest";
import { openChat } from "../../src/bundle/try.ts";
import type { TryOutcome } from "../../src/bundle/types.ts";
import { err, type Result } from "../../src/platform/result.ts";
import { stubEntry } from "../tools/rig.ts";
import { packed, scripted } from "./support/packing.ts";

const CALL = (place: string): string => `<tool_call>\n{"name":"get_weather","arguments":{"location":"${place}"}}\n</tool_call>`;
/** Calls for the place that was named last, or answers. */
const talker = (prompt: string): string => {
  const last = prompt.slice(prompt.lastIndexOf("<|im_start|>user"));
  if (last.includes("<tool_response>")) return "There you are.";
  if (last.includes("thanks")) return "You're welcome!";
  const places = [...prompt.matchAll(/(?:in|about) (Paris|Oslo)/g)].map((m) => m[1]);
  return CALL(places.at(-1) ?? "Nowhere");
};

async function chat(answer: (prompt: string) => string = talker) {
  const engine = scripted(answer);
  const prompts: string[] = [];
  const opened = await openChat(await packed(), {
    openEngine: async (o) => {
      const made = await engine.openEngine(o);
      if (!made.ok) return made;
      const complete = made.value.complete.bind(made.value);
      return {
        ok: true,
        value: Object.assign(made.value, {
          complete: (request: Parameters<typeof complete>[0]) => {
            prompts.push(request.prompt);
            return complete(request);
          },
        }),
      };
    },
    stubEntry: await stubEntry(),
  });
  if (!opened.ok) throw new Error(opened.error.message);
  return { ...opened.value, prompts };
}

const value = (r: Result<TryOutcome>): TryOutcome => {
  if (!r.ok) throw new Error(r.error.message);
  return r.value;
};

it("goes on from what was said, called and answered", async () => {
  const { say, close, prompts } = await chat();
  expect(value(await say("How is it in Paris?")).calls).toMatchObject([{ arguments: { location: "Paris" }, executed: true }]);
  expect(value(await say("again?")).calls).toMatchObject([{ arguments: { location: "Paris" } }]);
  expect(value(await say("and what about Oslo?")).calls).toMatchObject([{ arguments: { location: "Oslo" } }]);
  expect(value(await say("thanks"))).toMatchObject({ calls: [], answer: "You're welcome!", ended: "answer" });
  const last = prompts.at(-1) as string;
  const order = ["How is it in Paris?", CALL("Paris"), "<tool_response>", "There you are.", "again?", "and what about Oslo?", CALL("Oslo"), "thanks"];
  const places = order.map((text) => last.indexOf(text));
  expect(places.every((at) => at >= 0)).toBe(true);
  expect(places).toEqual(places.toSorted((a, b) => a - b));
  await close();
});

it("keeps no call that came to nothing, and refuses an empty message without ending", async () => {
  const { say, close, prompts } = await chat((p) => (p.includes("second") ? "Fine." : '<tool_call>\n{"name":"get_tides","arguments":{}}\n</tool_call>'));
  expect(value(await say("the first"))).toMatchObject({ answer: null, ended: "invalid_call" });
  expect(await say("  ")).toMatchObject({ ok: false, error: { code: "bundle/prompt" } });
  expect(value(await say("the second")).answer).toBe("Fine.");
  expect(prompts.at(-1)).toContain("the first");
  expect(prompts.at(-1)).not.toContain("get_tides");
  await close();
});

it("forgets what was said first where the window does not hold it all, and says so once", async () => {
  const opened = await openChat(await packed(), {
    openEngine: async (o) => {
      const made = await scripted(talker).openEngine(o);
      if (!made.ok) return made;
      const complete = made.value.complete.bind(made.value);
      const short = (request: Parameters<typeof complete>[0]) =>
        (request.prompt.match(/<\|im_start\|>user/g) ?? []).length > 5
          ? Promise.resolve(err({ code: "llama/prompt-too-long", message: "too long", exit: 1 as const }))
          : complete(request);
      return { ok: true, value: Object.assign(made.value, { complete: short }) };
    },
    stubEntry: await stubEntry(),
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const outcomes: TryOutcome[] = [];
  for (const message of ["in Paris?", "in Oslo?", "in Paris?", "in Oslo?", "thanks", "thanks", "thanks", "thanks"])
    outcomes.push(value(await opened.value.say(message)));
  const forgot = "the chat is longer than the model reads: what was said first is left out";
  expect(outcomes.map((o) => o.notes.includes(forgot))).toEqual([false, false, true, false, false, true, false, true]);
  // Full after its call was made: it is made once, and the next message has room.
  expect(outcomes[2]).toMatchObject({ calls: [{ executed: true }], answer: null, ended: "token_limit" });
  expect(outcomes.slice(3).map((o) => o.ended)).toEqual(Array.from({ length: 5 }, () => "answer"));
  await opened.value.close();
});

it("refuses a message that the model's window does not hold, and keeps the chat", async () => {
  const opened = await openChat(await packed(), {
    openEngine: async (o) => {
      const made = await scripted(talker).openEngine(o);
      if (!made.ok) return made;
      const complete = made.value.complete.bind(made.value);
      const short = (request: Parameters<typeof complete>[0]) =>
        request.prompt.includes("long ".repeat(100))
          ? Promise.resolve(err({ code: "llama/prompt-too-long", message: "too long", exit: 1 as const }))
          : complete(request);
      return { ok: true, value: Object.assign(made.value, { complete: short }) };
    },
    stubEntry: await stubEntry(),
  });
  if (!opened.ok) throw new Error(opened.error.message);
  const { say, close } = opened.value;
  value(await say("How is it in Paris?"));
  expect(await say("long ".repeat(120))).toMatchObject({ ok: false, error: { code: "bundle/prompt", exit: 4 } });
  expect(value(await say("again?"))).toMatchObject({ calls: [{ arguments: { location: "Paris" } }], notes: [] });
  await close();
});
