/** The trackers of experiments for real: their own packages, told a curve, and read back by them. */
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import type { StageEvent } from "../../src/engine/stage.ts";
import { type TrackedRun, trackersOf } from "../../src/models/tracking.ts";
import { runProcess } from "../../src/platform/process.ts";
import { ensureTracker, type Tracker } from "../../src/runners/tracker-env.ts";

const KEY = "0123456789abcdef0123456789abcdef01234567";
const dir = mkdtempSync(join(tmpdir(), "forge-tracking-"));
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(dir, { recursive: true, force: true });
});

const lineOf = (step: number): string =>
  `${JSON.stringify({ step, examples: 8 * step, loss: 1 / step, learning_rate: 1e-3, grad_norm: 0.5, tokens_per_second: 900, seconds: step })}\n`;

/** A training of `steps` steps, told while it goes, evaluated after the last. */
async function told(tracker: Tracker, steps: number, o: { readonly ends: boolean }): Promise<StageEvent[]> {
  const events: StageEvent[] = [];
  const signal = new AbortController().signal;
  const ready = await trackersOf({ report_to: [tracker] }, { signal, emit: () => {} });
  if (!ready.ok) throw new Error(ready.error.message);
  const curve = join(dir, `${tracker}.jsonl`);
  rmSync(curve, { force: true });
  const run: TrackedRun = {
    ...{ curve, run: "run-1", project: "weather", folder: join(dir, "tracking"), config: { rank: 16, family: "nano" } },
    ...{ scratch: join(dir, "scratch"), logFile: join(dir, "log.txt"), signal, emit: (e) => events.push(e) },
  };
  const tracking = ready.value.start(run);
  writeFileSync(curve, lineOf(1));
  for (let step = 2; step <= steps; step++) appendFileSync(curve, lineOf(step));
  appendFileSync(curve, `{"step":${steps},"eval_loss":0.25}\n`);
  if (o.ends) appendFileSync(curve, '{"end":true}\n');
  else await new Promise((done) => setTimeout(done, 8000));
  await tracking.end(o.ends);
  return events;
}

/** What a tracker's own library reads back, as JSON. */
async function readBack(tracker: Tracker, script: string): Promise<unknown> {
  const python = await ensureTracker(tracker);
  if (!python.ok) throw new Error(python.error.message);
  const env = { PATH: process.env.PATH ?? "", HOME: dir, MLFLOW_ALLOW_FILE_STORE: "true" };
  const r = await runProcess(python.value.python, ["-c", script, join(dir, "tracking", tracker)], { stdin: "", timeoutMs: 60_000, env });
  if (!r.ok) throw new Error(r.error.message);
  expect(r.value.exitCode, r.value.stderr).toBe(0);
  return JSON.parse(r.value.stdout.trim().split("\n").at(-1) as string);
}

const TENSORBOARD = `import json, sys, os
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
a = EventAccumulator(os.path.join(sys.argv[1], "run-1")); a.Reload()
print(json.dumps({t: [[e.step, round(e.value, 4)] for e in a.Scalars(t)] for t in ("train/loss", "eval/loss")}))`;

test("TensorBoard reads its event file back, and that of a training that went on has every step once", { timeout: 300_000 }, async () => {
  await told("tensorboard", 3, { ends: false });
  expect(await told("tensorboard", 4, { ends: true })).toEqual([]);
  expect(await readBack("tensorboard", TENSORBOARD)).toEqual({
    "train/loss": [
      [1, 1],
      [2, 0.5],
      [3, 0.3333],
      [4, 0.25],
    ],
    "eval/loss": [[4, 0.25]],
  });
  expect(readdirSync(join(dir, "tracking", "tensorboard", "run-1"))).toHaveLength(1);
});

const MLFLOW = `import json, sys, pathlib
from mlflow.tracking import MlflowClient
c = MlflowClient(tracking_uri=(pathlib.Path(sys.argv[1]) / "mlruns").resolve().as_uri())
[r] = c.search_runs([c.get_experiment_by_name("weather").experiment_id])
print(json.dumps({"params": r.data.params, "loss": [[m.step, m.value] for m in c.get_metric_history(r.info.run_id, "train/loss")], "status": r.info.status}))`;

test("MLflow keeps one run with every step once", { timeout: 300_000 }, async () => {
  await told("mlflow", 2, { ends: false });
  expect(await told("mlflow", 4, { ends: true })).toEqual([]);
  expect(await readBack("mlflow", MLFLOW)).toEqual({
    params: { rank: "16", family: "nano" },
    loss: [
      [1, 1],
      [2, 0.5],
      [3, 1 / 3],
      [4, 0.25],
    ],
    status: "FINISHED",
  });
});

const WANDB = `import json, sys, glob, struct
from wandb.proto import wandb_internal_pb2 as pb
def records(data):
    at, whole = 7, b""  # LevelDB's log format behind a header of seven bytes.
    while at + 7 <= len(data):
        room = 32768 - at % 32768
        if room < 7:
            at += room
            continue
        _, length, kind = struct.unpack("<IHB", data[at : at + 7])
        if kind == 0: break
        whole += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in (1, 4):
            yield whole
            whole = b""
rows = []
for f in sorted(glob.glob(sys.argv[1] + "/wandb/offline-run-*/run-*.wandb")):
    for data in records(open(f, "rb").read()):
        r = pb.Record(); r.ParseFromString(data)
        if r.WhichOneof("record_type") == "history":
            items = {(i.key or ".".join(i.nested_key)): json.loads(i.value_json) for i in r.history.item}
            rows.append([items.get("_step"), items.get("train/loss"), items.get("eval/loss")])
print(json.dumps(rows))`;

test("Weights & Biases keeps a run for `wandb sync` where it may not go online, and the key is in no file", { timeout: 300_000 }, async () => {
  vi.stubEnv("WANDB_API_KEY", KEY);
  vi.stubEnv("WANDB_MODE", "offline");
  expect(await told("wandb", 3, { ends: true })).toEqual([]);
  expect(await readBack("wandb", WANDB)).toEqual([
    [1, 1, null],
    [2, 0.5, null],
    [3, 1 / 3, 0.25],
  ]);
  const files = readdirSync(dir, { recursive: true, withFileTypes: true }).filter((f) => f.isFile());
  expect(files.length).toBeGreaterThan(3);
  for (const f of files) expect(readFileSync(join(f.parentPath, f.name)).includes(KEY), f.name).toBe(false);
});

test("one that cannot write is a warning and nothing more", { timeout: 300_000 }, async () => {
  mkdirSync(join(dir, "tracking"), { recursive: true });
  rmSync(join(dir, "tracking", "tensorboard"), { recursive: true, force: true });
  writeFileSync(join(dir, "tracking", "tensorboard"), "in the way");
  expect(await told("tensorboard", 2, { ends: true })).toEqual([
    {
      type: "log",
      level: "warning",
      message: expect.stringMatching(/^the learning curve was not told to tensorboard to its end: .*Training goes on without it$/),
    },
  ]);
  expect(existsSync(join(dir, "tracking", "tensorboard", "run-1"))).toBe(false);
});
