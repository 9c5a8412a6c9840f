/** The learning curve as rows and CSV, and as a line of cells. */
import { expect, test } from "vitest";
import { StageProgress } from "../../src/cli/render/progress.ts";
import { showsUnicode, sparkline } from "../../src/cli/render/sparkline.ts";
import { curveCsv, readCurve } from "../../src/models/learning-curve.ts";

const LINES = [
  '{"step":1,"examples":8,"loss":0.9,"learning_rate":0.001,"grad_norm":2.5,"tokens_per_second":601.3,"seconds":3.4}',
  '{"step":2,"examples":16,"loss":0.5,"learning_rate":0.002,"grad_norm":1e-7,"tokens_per_second":700,"seconds":4.8}',
  '{"step":2,"eval_loss":0.7}',
  '{"end":true}',
];

test("an evaluation belongs to its step's row, and half a line counts for nothing", () => {
  const rows = readCurve(`${LINES.join("\n")}\n{"step":3,"lo`);
  expect(rows.map((r) => [r.step, r.loss, r.eval_loss])).toEqual([
    [1, 0.9, undefined],
    [2, 0.5, 0.7],
  ]);
  expect(curveCsv(rows)).toBe(
    "step,examples,loss,eval_loss,learning_rate,grad_norm,tokens_per_second,seconds\n1,8,0.9,,0.001,2.5,601.3,3.4\n2,16,0.5,0.7,0.002,1e-7,700,4.8\n",
  );
  expect(readCurve("")).toEqual([]);
  const onGpu = readCurve('{"step":1,"loss":2,"seconds":3,"gpu_memory_bytes":5000000000}\n{"step":2,"loss":1,"seconds":4}\n');
  expect(curveCsv(onGpu)).toBe(
    "step,examples,loss,eval_loss,learning_rate,grad_norm,tokens_per_second,seconds,gpu_memory_bytes\n1,,2,,,,,3,5000000000\n2,,1,,,,,4,\n",
  );
});

test("a curve in cells: high at the left where it falls, on the scale of what is shown", () => {
  expect(sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8)).toBe("█▇▆▅▄▃▂▁");
  expect(sparkline([8, 7, 6, 5, 4, 3, 2, 1], 8, false)).toBe("#*+=~-._");
  expect(sparkline([4, 4, 3, 3, 1, 1], 3)).toBe("█▆▁");
  expect(sparkline([3, 2], 20)).toBe("█▁");
  for (const values of [[], [1], [2, 2, 2], [Number.NaN, 1]]) expect(sparkline(values, 9)).toBe("");
});

test("blocks are for terminals whose locale is UTF-8", () => {
  expect(showsUnicode({ LANG: "en_US.UTF-8" }, "linux")).toBe(true);
  expect(showsUnicode({ LANG: "en_US.UTF-8", LC_ALL: "C" }, "linux")).toBe(false);
  expect(showsUnicode({ LC_CTYPE: "C.utf8" }, "linux")).toBe(true);
  expect(showsUnicode({}, "darwin")).toBe(true);
  expect(showsUnicode({ TERM: "linux" }, "linux")).toBe(false);
});

test("a stage's line tells both losses, and its end the curve, where there is enough of one", () => {
  const time = "2026-01-01T00:00:00.000Z";
  const stamp = { seq: 1, time, node: "train" } as const;
  const p = new StageProgress(time);
  p.update({ ...stamp, type: "stage-progress", done: 8, total: 80, unit: "examples" });
  for (const value of [1, 0.55, 0.25]) p.update({ ...stamp, type: "stage-metric", name: "loss", value });
  p.update({ ...stamp, type: "stage-metric", name: "eval_loss", value: 0.7 });
  expect(p.words()).toBe("8/80 examples, loss 0.250, held-out loss 0.700");
  expect(p.curve()).toBe("");
  p.update({ ...stamp, type: "stage-metric", name: "loss", value: 0.2 });
  expect(p.curve()).toBe("█▄▁▁");
  expect(p.curve(false)).toBe("#~__");
});
