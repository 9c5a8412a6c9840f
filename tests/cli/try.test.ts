/** What `forge try` ends with, by how the loop ended. The bundle's model is not asked: bundle/try.ts has its own tests. */
import { Readable } from "node:stream";
import { afterEach, expect, test, vi } from "vitest";
import type { TryOutcome } from "../../src/bundle/types.ts";
import { runCli } from "../../src/cli/program.ts";
import { ok } from "../../src/platform/result.ts";

const outcome = vi.hoisted(() => ({ value: {} as TryOutcome }));
vi.mock("../../src/bundle/try.ts", () => ({
  tryBundle: () => Promise.resolve(ok(outcome.value)),
  openChat: () =>
    Promise.resolve(ok({ say: (prompt: string) => Promise.resolve(ok({ ...outcome.value, answer: `heard ${prompt}` })), close: () => Promise.resolve() })),
}));
afterEach(() => void vi.restoreAllMocks());

async function tried(
  ended: TryOutcome["ended"],
  prompt: string | null = "How warm is it?",
  ...flags: string[]
): Promise<{ code: number; out: string; err: string }> {
  const notes = ended === "answer" ? [] : ["the answer was cut off after 512 tokens"];
  outcome.value = { calls: [], answer: "It is 18 degrees and", ended, notes, unproven: false };
  let [out, err] = ["", ""];
  vi.spyOn(process.stdout, "write").mockImplementation((text) => {
    out += String(text);
    return true;
  });
  vi.spyOn(process.stderr, "write").mockImplementation((text) => {
    err += String(text);
    return true;
  });
  const code = await runCli(["try", "bundle", ...(prompt === null ? [] : [prompt]), ...flags]);
  vi.mocked(process.stdout.write).mockRestore();
  vi.mocked(process.stderr.write).mockRestore();
  return { code, out, err };
}

test("a whole answer is fine", async () => {
  expect(await tried("answer")).toMatchObject({ code: 0, out: expect.stringContaining("It is 18 degrees"), err: "" });
});

test("one that was cut off is shown, with a note and the code of a failure", async () => {
  expect(await tried("token_limit")).toMatchObject({
    code: 1,
    out: expect.stringContaining("It is 18"),
    err: "note: the answer was cut off after 512 tokens\n",
  });
  const { code, out } = await tried("token_limit", undefined, "--json");
  expect(code).toBe(1);
  expect(JSON.parse(out)).toMatchObject({ ended: "token_limit", notes: ["the answer was cut off after 512 tokens"] });
});

test("a chat answers each line of its input, blank ones left out, and ends with the code of the worst answer", async () => {
  const input = vi.spyOn(process, "stdin", "get");
  const chat = async (ended: TryOutcome["ended"], ...flags: string[]) => {
    input.mockReturnValue(Readable.from(["How warm is it?\n", "\n", "and in Bergen?"]) as typeof process.stdin);
    return tried(ended, null, ...flags);
  };
  const { code, out } = await chat("answer");
  expect([code, out.split("\n")]).toEqual([0, ["answer  heard How warm is it?", "answer  heard and in Bergen?", ""]]);
  const json = await chat("token_limit", "--json");
  expect(json.code).toBe(1);
  expect(
    json.out
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as TryOutcome).answer),
  ).toEqual(["heard How warm is it?", "heard and in Bergen?"]);
});
