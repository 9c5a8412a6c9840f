/** A teacher that has the conversations of language-seeds.ts, and what augmentation makes of each of them. */
import { generate } from "../../src/data/generate.ts";
import { readConversation } from "../../src/data/teacher/hosted/read.ts";
import type { Teacher } from "../../src/data/teacher/teacher.ts";
import type { CallPort, Generation, Slot, SynthesisPlan } from "../../src/data/types.ts";
import { ok } from "../../src/platform/result.ts";
import { answerPlain } from "./fixtures.ts";
import { SEEDS, seedTools } from "./language-seeds.ts";

/** Every seed of a language becomes `factor` samples, in the order of the seeds. */
export async function varyAll(
  code: string,
  factor: number,
  o: { seed?: number; session?: CallPort; languages?: readonly string[]; users?: (user: string) => string; answers?: (answer: string) => string } = {},
): Promise<Generation> {
  const seeds = SEEDS[code] ?? [];
  const slots = seeds.flatMap((s, i) =>
    Array.from({ length: factor }, (_, n): Slot => ({ id: `${code}/${i}/${n}`, scenario: s.scenario, kind: s.kind, tool: s.tool }) as Slot),
  );
  const teacher: Teacher = {
    name: "fixed",
    attempts: () => 12,
    draft: async (requests) =>
      ok(
        requests.map(({ slot, attempt }) => {
          const s = seeds[Number(slot.id.split("/")[1])] as (typeof seeds)[number];
          if (!slot.id.endsWith("/0")) return null;
          const called = s.args === undefined ? null : { name: s.tool, arguments: JSON.stringify(s.args) };
          const user = o.users?.(s.user) ?? s.user;
          return readConversation(
            JSON.stringify({ turns: [{ user, call: called, also_right: [], result: s.result ?? null, answer: o.answers?.(s.answer) ?? s.answer }] }),
            slot,
            attempt,
          );
        }),
      ),
  };
  const plan = { version: 1, train: slots, evaluation: [] } as unknown as SynthesisPlan;
  const input = {
    toolset: seedTools,
    plan,
    seed: o.seed ?? 7,
    session: o.session ?? null,
    answerPlain,
    augment: factor,
    ...(o.languages && { languages: o.languages }),
  };
  const made = await generate(input, teacher);
  if (!made.ok) throw new Error(made.error.message);
  return made.value;
}
