/**
 * A pipeline of toy stages in place of the real one, so that the real command and the real engine can be
 * tested in milliseconds. What the stages do is steered from outside: TOY_RATE (the figure that the gate
 * judges), TOY_TRAIN_MS (how long training takes), TOY_FAIL (the id of a stage that fails), TOY_CHILD (a
 * file to which `train` writes the pid of a child that does not stop by itself), TOY_STUBBORN (training
 * that does not listen to the signal), TOY_DRIVER (a socket at which every stage says that it has begun, and waits to be told
 * how it ends: driver.ts).
 */
import { mkdir, writeFile } from "node:fs/promises";
import { connect } from "node:net";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { GateDefinition, NodeDefinition, StageContext, StageDefinition } from "../../src/engine/stage.ts";
import { EXIT } from "../../src/platform/exit.ts";
import type { JsonObject } from "../../src/platform/json.ts";
import { spawnChild } from "../../src/platform/process.ts";
import { err, ok, type Result } from "../../src/platform/result.ts";
import type { LoadedRecipe } from "../../src/recipe/types.ts";

const { env } = process;

export function buildPipeline(loaded: LoadedRecipe, options: { unproven?: boolean } = {}): Result<unknown> {
  const { recipe } = loaded;
  const bundle = resolve(loaded.dir, recipe.bundle.output);
  const gate: GateDefinition = {
    kind: "gate",
    id: "gate:qa",
    title: "Gate qa",
    version: 1,
    recipe: { "gates.qa": { ...recipe.gates.qa } },
    inputs: {},
    stage: "qa",
    judge: (figures) => {
      const rate = figures.schema_pass_rate as { value: number };
      const threshold = recipe.gates.qa.schema_pass_rate;
      const passed = rate.value >= threshold;
      return {
        verdicts: [{ figure: "schema_pass_rate", value: rate.value, threshold, passed, note: "n = 50" }],
        advice: passed ? [] : ["look at the dropped samples"],
      };
    },
  };
  const nodes: NodeDefinition[] = [
    stage("inspect", "Read the tools", { tools: recipe.tools.length }, {}, async ({ outputs }) => {
      await writeFile(outputs.out as string, "tools");
      return "3 tools";
    }),
    stage("generate", "Make training data", { "data.samples": recipe.data.samples, rate: env.TOY_RATE }, { inspect: "inspect" }, async ({ outputs, emit }) => {
      for (let i = 0; i <= 4; i++) emit({ type: "progress", done: i, total: 4, unit: "samples" });
      await writeFile(outputs.out as string, `${recipe.data.samples} ${env.TOY_RATE}`);
      return `${recipe.data.samples} samples`;
    }),
    stage(
      "qa",
      "Check the data",
      {},
      { generate: "generate" },
      async ({ outputs }) => {
        await writeFile(outputs.out as string, `report ${env.TOY_RATE}`);
        return "measured";
      },
      { schema_pass_rate: { value: Number(env.TOY_RATE ?? 1), n: 50 } },
    ),
    gate,
    { ...stage("train", "Fine-tune the model", { train: { ...recipe.train } }, { generate: "generate" }, train), after: ["gate:qa"] },
    {
      ...stage("pack", "Pack the bundle", { unproven: options.unproven === true }, { train: "train" }, async ({ outputs }) => {
        await mkdir(outputs.out as string);
        await writeFile(join(outputs.out as string, "agent.yaml"), "name: toy\n");
        return "packed";
      }),
      outputs: { out: "folder" },
      views: { out: bundle },
      after: ["gate:qa"],
    },
  ];
  const lockfile = join(dirname(loaded.file), `${basename(loaded.file).replace(/\.[^.]+$/, "")}.lock`);
  // As the real one does.
  const chosen = options.unproven === true ? nodes.filter((n) => n.kind !== "gate").map((n) => ({ ...n, after: [] })) : nodes;
  return ok({
    nodes: chosen,
    lockfile,
    projectRoot: loaded.projectRoot,
    name: recipe.name,
    variant: loaded.variant,
    bundle,
    context: { loaded, recipe, backend: "transformers" },
  });
}

async function train({ outputs, scratch, signal, emit }: StageContext): Promise<string | undefined> {
  if (env.TOY_CHILD) {
    const child = await spawnChild(process.execPath, ["-e", "process.on('SIGTERM', () => {}); setInterval(() => {}, 1000)"]);
    if (child.ok) await writeFile(env.TOY_CHILD, String(child.value.pid));
  }
  const until = Date.now() + Number(env.TOY_TRAIN_MS ?? 0);
  for (let step = 0; Date.now() < until; step++) {
    emit({ type: "metric", name: "loss", value: 1 / (step + 1) });
    emit({ type: "progress", done: step, total: 1000, unit: "steps" });
    await sleep(20);
    if (signal.aborted && !env.TOY_STUBBORN) {
      await mkdir(scratch, { recursive: true });
      await writeFile(join(scratch, "checkpoint"), String(step));
      return undefined;
    }
  }
  await writeFile(outputs.out as string, "adapter");
  return "trained";
}

/** Says that a stage has begun, passes on what the driver wants logged, and waits for its word: succeed or fail. An abort ends the wait. */
function driven(path: string, id: string, { signal, emit }: StageContext): Promise<string> {
  return new Promise((done) => {
    const socket = connect(path, () => socket.write(`${id}\n`));
    const end = (word: string): void => {
      socket.destroy();
      done(word);
    };
    signal.addEventListener("abort", () => end("abort"), { once: true });
    socket.once("close", () => done("fail"));
    socket.on("error", () => end("fail"));
    createInterface(socket).on("line", (line) => {
      if (line.startsWith("log ")) emit({ type: "log", level: "info", message: line.slice(4) });
      else end(line);
    });
  });
}

function stage(
  id: string,
  title: string,
  recipe: StageDefinition["recipe"],
  inputs: Readonly<Record<string, string>>,
  run: (context: StageContext) => Promise<string | undefined>,
  figures: JsonObject = {},
): StageDefinition {
  return {
    kind: "stage",
    id,
    title,
    version: 1,
    recipe,
    inputs: Object.fromEntries(Object.entries(inputs).map(([name, from]) => [name, { stage: from, output: "out" }])),
    outputs: { out: "file" },
    resources: { cpu: 1 },
    async run(context) {
      if (env.TOY_DRIVER !== undefined && (await driven(env.TOY_DRIVER, id, context)) === "fail")
        return err({ code: "toy/failed", message: `${id} was told to fail`, exit: EXIT.failed });
      if (context.signal.aborted) return err({ code: "toy/interrupted", message: "interrupted", exit: EXIT.interrupted });
      if (env.TOY_FAIL === id) return err({ code: "toy/failed", message: `${id} cannot go on`, hint: "Unset TOY_FAIL.", exit: EXIT.failed });
      const summary = await run(context);
      if (summary === undefined) return err({ code: "toy/interrupted", message: "interrupted", exit: EXIT.interrupted });
      return ok({ figures, summary });
    },
  };
}
