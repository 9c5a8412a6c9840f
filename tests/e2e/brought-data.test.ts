/** `forge qa --data` on a large file: the built command holds little of it, and a kill leaves whole files or none. */
import { closeSync, openSync, readdirSync, readFileSync, writeSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { pathToFileURL } from "node:url";
import { afterEach, beforeEach, expect, test } from "vitest";
import { World } from "./support/forge.ts";

let world: World;
beforeEach(() => {
  world = new World();
  world.write("tools.json", JSON.stringify({ tools: [{ name: "f", description: "Does it.", input_schema: { type: "object", properties: {} } }] }));
});
afterEach(() => world.remove());

const said = (text: string): string =>
  JSON.stringify({
    messages: [
      { role: "user", content: text },
      { role: "assistant", content: "Yes." },
    ],
  });
function data(lines: Iterable<string>): void {
  const file = openSync(join(world.project, "big.jsonl"), "w");
  for (const line of lines) writeSync(file, `${line}\n`);
  closeSync(file);
}
const ARGS = [
  "qa",
  "--data",
  "big.jsonl",
  "--tools",
  "tools.json",
  "--fix",
  "--output",
  "clean.jsonl",
  "--min-samples-per-tool",
  "0",
  "--max-self-similarity",
  "1",
];
const MB = 1 << 20;
const PATIENCE = { timeout: 300_000 };

test("150 MB, most of it no conversations, are read in less", PATIENCE, async () => {
  data(
    (function* () {
      for (let i = 0; i < 150; i++) {
        yield said(`What is thing number ${i} good for?`);
        yield "x".repeat(MB);
      }
    })(),
  );
  const told = join(world.root, "peak");
  const hook = world.write(
    "peak.mjs",
    `import { writeFileSync } from "node:fs"; process.on("exit", () => writeFileSync(process.env.MCP_FORGE_TEST_PEAK, String(process.resourceUsage().maxRSS)));`,
  );
  const ended = await world.run(ARGS, { NODE_OPTIONS: `--import=${pathToFileURL(hook).href}`, MCP_FORGE_TEST_PEAK: told });
  expect(ended.code, ended.out + ended.err).toBe(0);
  expect(ended.out).toContain("150 samples, 150 of 300 lines taken out");
  expect(Number(readFileSync(told, "utf8")) / 1024).toBeLessThan(240);
});

test.each(["generate: started", "qa: started", "clean.jsonl"])(
  "killed at %s, it leaves the cleaned file that was there, or a whole new one",
  PATIENCE,
  async (at) => {
    data(Array.from({ length: 3000 }, (_, i) => said(`What is thing number ${i} good for, ${"and ".repeat(i % 50)} in ${i}?`)));
    world.write("clean.jsonl", "the old one\n");
    const run = world.start(ARGS);
    if (at === "clean.jsonl")
      while (!readdirSync(world.project).some((name) => name.startsWith(".clean.jsonl")) && run.process.exitCode === null) await sleep(1);
    else await run.until(at);
    run.process.kill("SIGKILL");
    await run.ended;
    const text = readFileSync(join(world.project, "clean.jsonl"), "utf8");
    if (text === "the old one\n") return;
    const samples = text
      .trimEnd()
      .split("\n")
      .map((l) => JSON.parse(l) as object);
    expect(samples).toHaveLength(3000);
  },
);

test("what goes to standard output is alone there", PATIENCE, async () => {
  data(["one", "two", "three"].map(said));
  const ended = await world.run(["qa", "--data", "big.jsonl", "--tools", "tools.json", "--fix", "--output", "/dev/stdout", "--min-samples-per-tool", "0"]);
  expect([ended.code, ended.err]).toEqual([0, ""]);
  const written = ended.out.trimEnd().split("\n");
  expect(written.map((line) => JSON.parse(line).messages[0].content)).toEqual(["one", "two", "three"]);
});
