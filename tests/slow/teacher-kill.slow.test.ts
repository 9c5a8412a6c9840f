/** Ten thousand conversations of a hosted teacher, killed fifty times: nothing is lost, nothing is there twice, and little is paid for twice. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { expect, it } from "vitest";
import { Ledger } from "../../src/models/hosted/ledger.ts";
import { rngFor } from "../../src/platform/rng.ts";
import { World } from "../e2e/support/forge.ts";
import { goodTeacher, openAiServer } from "../models/openai-server.ts";

const SAMPLES = 10_000;
const KILLS = 50;
/** Requests that are on their way at once (client.ts). */
const IN_FLIGHT = 16;

it("finishes with every sample once", async () => {
  const server = await openAiServer(goodTeacher);
  const killed = new World();
  const whole = new World();
  const recipe = `version: 1
name: x
tools:
  - stub: weather
model: { family: nano }
data:
  samples: ${SAMPLES}
  augment: { factor: 1 }
  teacher: { provider: openai-compatible, base_url: "${server.url}", model: m, price_usd: { input: 1, output: 2 } }
evaluation: { samples: 20 }
`;
  const data = (world: World) => readFileSync(join(world.project, ".mcp-forge/data/train.jsonl"), "utf8");
  try {
    killed.write("forge.yaml", recipe);
    const rng = rngFor(5, "kills");
    for (let i = 0; i < KILLS; i++) {
      const before = server.asked.length;
      const run = killed.start(["generate"]);
      // At an instant of its own after it has begun to ask anew; one that has nothing left to ask for is let be.
      const until = before + rng.int(1, 400);
      let ended = false;
      void run.ended.then(() => {
        ended = true;
      });
      while (server.asked.length < until && !ended) await sleep(3);
      run.process.kill("SIGKILL");
      await run.ended;
    }
    const last = await killed.run(["generate"]);
    expect(last.code, last.err + last.out).toBe(0);
    const words = server.asked.map((a) => JSON.stringify([a.messages, a.seed]));
    // What is underway, and what has arrived and is not on disk yet.
    expect(words.length - new Set(words).size).toBeLessThanOrEqual(KILLS * 2 * IN_FLIGHT);

    whole.write("forge.yaml", recipe);
    const undisturbed = await whole.run(["generate"]);
    expect(undisturbed.code, undisturbed.err + undisturbed.out).toBe(0);
    expect(data(killed)).toBe(data(whole));
    const ids = data(killed)
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { id: string }).id);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.length).toBeGreaterThanOrEqual(SAMPLES);
    // The ledger never says less than what the server has sold, whatever was killed when: no budget would be passed.
    const sold = words.length * ((1000 * 1 + 100 * 2) / 1e6);
    const { paid, aside } = new Ledger(join(killed.project, ".mcp-forge/teacher/paid-x.jsonl")).read();
    expect(paid + aside).toBeGreaterThanOrEqual(sold - 1e-9);
  } finally {
    killed.remove();
    whole.remove();
    await server.close();
  }
});
