/** The base model's answers are asked for once. */
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { keptAnswers } from "../../src/models/kept-answers.ts";
import { err, ok } from "../../src/platform/result.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-answers-"));
});
afterEach(() => rmSync(dir, { recursive: true, force: true }));

const many = (n: number, from = 0): string[] => Array.from({ length: n }, (_, i) => `What is ${from + i}?`);

function asked() {
  const questions: string[] = [];
  const told: [number, number][] = [];
  const ask = keptAnswers(
    join(dir, "answers", "base.jsonl"),
    async (batch, hear) => {
      const answers = batch.map((q) => (q === "What is 3?" ? "" : `${q} Who knows.\n"Me."`));
      for (const [i, question] of batch.entries()) {
        if (question === "What is 100?") return err({ code: "x", message: "stopped", exit: 130 as const });
        questions.push(question);
        hear(i, answers[i] ?? "");
      }
      return ok(answers);
    },
    (done, total) => told.push([done, total]),
  );
  return { ask, questions, told };
}

test("each question once, in whatever order, over runs and after an interruption", async () => {
  const first = asked();
  const questions = [...many(40), "What is 3?"];
  const answers = await first.ask(questions);
  expect(answers).toEqual(ok(questions.map((q) => (q === "What is 3?" ? "" : `${q} Who knows.\n"Me."`))));
  expect(first.questions).toEqual(many(40));
  expect([first.told.at(0), first.told.at(-1)]).toEqual([
    [2, 41],
    [41, 41],
  ]);
  const second = asked();
  expect(await second.ask([...many(30, 20)].reverse())).toMatchObject({ ok: true });
  expect(second.questions).toEqual(many(10, 40).reverse());
  // A run that stops keeps what was said before.
  const stopped = asked();
  expect(await stopped.ask(many(100, 30))).toMatchObject({ ok: false, error: { message: "stopped" } });
  const after = asked();
  await after.ask(many(55, 45));
  expect(after.questions).toEqual([]);
});

test("a file that is damaged or cannot be written costs time only", async () => {
  await asked().ask(many(5));
  const file = join(dir, "answers", "base.jsonl");
  writeFileSync(file, readFileSync(file, "utf8").slice(0, -10));
  appendFileSync(file, "\n[1, 2]\nnonsense\n");
  const again = asked();
  await again.ask(many(5));
  expect(again.questions).toEqual(["What is 4?"]);
  rmSync(join(dir, "answers"), { recursive: true });
  writeFileSync(join(dir, "answers"), "a file where the folder should be");
  const blocked = asked();
  expect(await blocked.ask(many(5))).toMatchObject({ ok: true });
  expect(blocked.questions).toEqual(many(5));
});
