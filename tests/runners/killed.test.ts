/** Steps that the system kills: started again a bounded number of times, told why, and never against the user's will. */
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { StageEvent } from "../../src/engine/stage.ts";
import { judge, runThroughKills, type Verdict, type Watch } from "../../src/runners/killed.ts";

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), "forge-killed-"));
  vi.stubEnv("MCP_FORGE_PYTHON", join(import.meta.dirname, "fake-python.mjs"));
  vi.stubEnv("MCP_FORGE_FAKE_SEEN", join(dir, "seen"));
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

/** Plays a step under a watch that sees one cause for every kill, or these one after the other; what was said, and which processes it followed. */
async function play(
  name: string,
  cause: Verdict["cause"] | readonly Verdict["cause"][],
  signal = new AbortController().signal,
  onEvent?: (event: StageEvent) => void,
) {
  vi.stubEnv("MCP_FORGE_FAKE_STEP", name);
  const said: string[] = [];
  const followed: number[] = [];
  let open = 0;
  const causes = typeof cause === "string" ? undefined : [...cause];
  const causeNow = (): Verdict["cause"] => (typeof cause === "string" ? cause : (causes?.shift() ?? "unknown"));
  const watch = (): Watch => {
    open += 1;
    return {
      follow: (pid) => void followed.push(pid),
      verdict: () => ({ cause: causeNow(), words: "it held 7.9 GB of 8.0 GB" }),
      end: () => {
        open -= 1;
      },
    };
  };
  const result = await runThroughKills(
    "train",
    { v: 1, seed: 7 },
    {
      scratch: join(dir, "scratch"),
      logFile: join(dir, "train.log"),
      signal,
      onEvent: (e) => {
        if (e.type === "log" && e.level === "warning" && !e.message.includes("differs from the pinned one")) said.push(e.message);
        onEvent?.(e);
      },
    },
    watch,
  );
  expect(open).toBe(0);
  return { result, said, followed };
}
/** `killed` in the spec of each start; null where it was not told. */
const told = (): unknown => JSON.parse(`[${readFileSync(join(dir, "seen"), "utf8").trim().replaceAll("\n", ",")}]`);
const starts = (): number => readFileSync(join(dir, "seen"), "utf8").split("\n").length - 1;

test("what was killed is told how often, and goes on to its figures; each restart is one line with what was seen", async () => {
  const { result, said, followed } = await play("killed-twice", "memory");
  expect(result).toEqual({ ok: true, value: { killed: 2 } });
  expect(said).toEqual(
    [1, 2].map(
      (n) =>
        `the step \`train\` was killed by the system (it held 7.9 GB of 8.0 GB); it is started again, from its last checkpoint and with less memory (${n} of 8 times at most)`,
    ),
  );
  expect(new Set(followed).size).toBe(3);
});

test.each([
  ["memory", 9, 6, "give the container more memory"],
  ["unknown", 9, 6, "give the container more memory"],
  ["other", 2, 1, "Look for what ends processes here"],
] as const)("one that is killed whenever it starts is given up: %s, after %i starts", async (cause, times, exit, hint) => {
  const { result, said } = await play("killed", cause);
  expect(result).toMatchObject({ ok: false, error: { code: "step/killed", exit } });
  if (!result.ok) {
    expect(result.error.message).toMatch(new RegExp(`it held 7.9 GB of 8.0 GB.*for the ${times}(th|nd) time: the step \`train\` is not started again$`));
    expect(result.error.hint).toContain(hint);
  }
  expect([said.length, starts()]).toEqual([times - 1, times]);
});

test("a kill that somebody else sent is not told as one for memory, and what goes on after it takes no less", async () => {
  const { result, said } = await play("killed-thrice", ["memory", "other", "memory"]);
  expect(result).toEqual({ ok: true, value: {} });
  expect(told()).toEqual([null, 1, 1, 2]);
  expect(said.map((line) => line.replace(/^.*it is started again, /, ""))).toEqual([
    "from its last checkpoint and with less memory (1 of 8 times at most)",
    "from its last checkpoint (1 of 1 times at most)",
    "from its last checkpoint and with less memory (2 of 8 times at most)",
  ]);
});

test.each(["error", "silent", "babble"])("a step that plays `%s` is no killed one: once, as it is", async (name) => {
  const { result, said, followed } = await play(name, "memory");
  expect(result.ok).toBe(false);
  expect([said, followed.length]).toEqual([[], 1]);
});

test("a process of several that was killed, as the first one says, is a killed step", async () => {
  const { result, said } = await play("lost-a-process", "memory");
  expect(result).toEqual({ ok: true, value: { killed: 1 } });
  expect(said[0]).toMatch(/^process 2 of the 2 that train was killed by the system \(it held/);
});

test("nothing is started again once we were asked to stop: not what we killed, and not what was killed in that moment", async () => {
  const abort = new AbortController();
  const { result, followed } = await play("deaf-and-killed", "memory", abort.signal, (e) => e.type === "progress" && abort.abort());
  expect(result).toMatchObject({ ok: false, error: { code: "step/interrupted", exit: 130 } });
  expect(followed).toHaveLength(1);
});

test("the kernel's count decides; then what it held; where neither can be read nobody knows", () => {
  const GB = 1e9;
  expect(judge(3, 4, 2 * GB, 8 * GB)).toEqual({ cause: "memory", words: "by the kernel's out-of-memory killer; it held 2.0 GB of 8.0 GB" });
  expect(judge(3, 3, 7 * GB, 8 * GB).cause).toBe("memory");
  expect(judge(undefined, undefined, 7 * GB, 8 * GB).cause).toBe("memory");
  expect(judge(3, 3, 2 * GB, 8 * GB)).toMatchObject({ cause: "other", words: expect.stringContaining("2.0 GB of 8.0 GB") });
  expect(judge(3, 3, undefined, 8 * GB).cause).toBe("other");
  expect(judge(undefined, undefined, undefined, 8 * GB)).toEqual({ cause: "unknown", words: "probably for want of memory" });
  expect(judge(undefined, 1, 1 * GB, 8 * GB).cause).toBe("unknown");
});
