/** What people and scripts see of a run, from the events alone. */
import { describe, expect, test, vi } from "vitest";
import { gateTable } from "../../src/cli/render/gate-table.ts";
import { gateWords } from "../../src/cli/render/phrases.ts";
import { StageProgress } from "../../src/cli/render/progress.ts";
import { chooseRenderer, type RenderOptions } from "../../src/cli/render/renderer.ts";
import { describeTools } from "../../src/cli/render/tools.ts";
import type { RunEvent } from "../../src/engine/events.ts";
import { safeText } from "../../src/platform/redact.ts";
import type { Toolset } from "../../src/schemas/generated/toolset.ts";

type WithoutStamp<E> = E extends RunEvent ? Omit<E, "seq" | "time"> : never;

/** Plays events into a renderer; `at` seconds set the clock. */
function play(options: RenderOptions, events: readonly (WithoutStamp<RunEvent> & { at?: number })[]) {
  const out: string[] = [];
  const err: string[] = [];
  const renderer = chooseRenderer(
    { out: (t) => out.push(t), err: (t) => err.push(t), live: false, columns: 80, paint: (_, t) => t, paintErr: (_, t) => t },
    options,
  );
  let clock = 0;
  for (const [i, { at, ...event }] of events.entries()) {
    clock = at ?? clock;
    renderer.onEvent({ seq: i + 1, time: new Date(1e12 + clock * 1000).toISOString(), ...event } as RunEvent);
  }
  return { out: out.join(""), err: err.join("") };
}

const started: WithoutStamp<Extract<RunEvent, { type: "stage-started" }>> = {
  type: "stage-started",
  node: "train",
  title: "Fine-tune",
  reasons: ["`data.samples` 300 → 800", "b", "c"],
};
const cached: WithoutStamp<Extract<RunEvent, { type: "stage-cached" }>> = {
  type: "stage-cached",
  node: "inspect",
  title: "Read the tools",
  summary: "3 tools",
  figures: {},
};
const refused: WithoutStamp<Extract<RunEvent, { type: "gate-judged" }>> = {
  type: "gate-judged",
  node: "gate:qa",
  title: "Gate qa",
  stage: "qa",
  passed: false,
  verdicts: [
    { figure: "schema_pass_rate", value: 0.5, threshold: 0.98, passed: false, note: "n = 20" },
    { figure: "min_samples_per_tool", value: 12, threshold: 10, passed: true },
  ],
  advice: [],
};

describe("one line at a time", () => {
  test("says why a stage runs, and how it ended", () => {
    const { out } = play({}, [started, { type: "stage-finished", node: "train", title: "Fine-tune", seconds: 250, summary: "15 steps", figures: {} }]);
    expect(out).toBe("train: started: `data.samples` 300 → 800; b; and 1 more\ntrain: done in 4 min 10 s: 15 steps\n");
  });

  test("progress at most every ten seconds", () => {
    const beats = Array.from({ length: 61 }, (_, i) => ({ type: "stage-progress", node: "train", done: i, total: 60, unit: "samples", at: i * 0.5 }) as const);
    const lines = play({}, [{ ...started, at: 0 }, ...beats])
      .out.split("\n")
      .filter((l) => l.includes("/60 samples"));
    expect(lines).toHaveLength(3);
    expect(lines[0]).toBe("train: 20/60 samples, 2.0 samples/s, 20 s left");
  });

  test("a phase is told at once, however short the time since the last line", () => {
    const fetching = { type: "stage-progress", node: "train", done: 0, total: 93e6, unit: "bytes", message: "fetching SmolLM2, once" } as const;
    const { out } = play({}, [
      { ...started, at: 0 },
      { ...fetching, at: 0.1 },
      { ...fetching, done: 5e6, at: 2 },
      { ...fetching, message: "unpacking", at: 3 },
    ]);
    expect(out.split("\n").slice(1)).toEqual(["train: 0 B of 93 MB, fetching SmolLM2, once", "train: 0 B of 93 MB, unpacking", ""]);
  });

  test("a silent stage gives a sign of life every half minute", () => {
    vi.useFakeTimers({ now: 1e12 });
    try {
      const out: string[] = [];
      const renderer = chooseRenderer(
        { out: (t) => out.push(t), err: () => undefined, live: false, columns: 80, paint: (_, t) => t, paintErr: (_, t) => t },
        {},
      );
      renderer.onEvent({ seq: 1, time: new Date(1e12).toISOString(), ...started } as RunEvent);
      vi.advanceTimersByTime(61_000);
      expect(out.slice(1)).toEqual(["train: still at work after 30 s\n", "train: still at work after 1 min 00 s\n"]);
      void renderer.finish();
      vi.advanceTimersByTime(61_000);
      expect(out).toHaveLength(3);
    } finally {
      vi.useRealTimers();
    }
  });

  test("nothing while nothing runs; what is unchanged in one line once something does", () => {
    expect(play({}, [cached, { ...cached, node: "qa" }]).out).toBe("");
    expect(play({}, [cached, { ...cached, node: "generate" }, started]).out).toMatch(/^unchanged: inspect, generate\ntrain: started/);
  });

  test("a refused gate names the figure, its threshold and its n", () => {
    expect(play({}, [refused]).out).toBe("gate:qa: refused: schema_pass_rate 0.500 < 0.98 (n = 20)\n");
  });

  test("quiet: problems only, on stderr", () => {
    const { out, err } = play({ quiet: true }, [started, refused, { type: "notice", level: "warning", message: "damaged artifact set aside" }]);
    expect(out).toBe("");
    expect(err).toContain("schema_pass_rate");
    expect(err).toContain("damaged artifact");
  });

  test("a tool server's words cannot drive the terminal", () => {
    const log = { type: "stage-log", node: "inspect", level: "info", message: "up\u001b[2J\u001b]0;owned\u0007 and running" } as const;
    expect(play({}, [log]).out).toBe("inspect: up and running\n");
  });

  test("debug lines with --verbose only", () => {
    const log = { type: "stage-log", node: "train", level: "debug", message: "loss scaler" } as const;
    expect(play({}, [log]).out).toBe("");
    expect(play({ verbose: true }, [log]).out).toBe("train: loss scaler\n");
  });

  test("interrupted work is said to be kept", () => {
    const failure = { code: "x", message: "y", exit: 130 };
    expect(play({}, [started, { type: "stage-failed", node: "train", title: "", seconds: 3, interrupted: true, failure, logFile: "l" }]).out).toContain(
      "train: stopped after 3.0 s, what was done is kept",
    );
  });
});

test("--json: each event one line, as it is, and nothing else on stdout", () => {
  const { out } = play({ json: true }, [cached, started, refused]);
  const lines = out
    .trimEnd()
    .split("\n")
    .map((l) => JSON.parse(l) as RunEvent);
  expect(lines.map((e) => e.seq)).toEqual([1, 2, 3]);
  expect(lines[1]).toMatchObject(started);
});

describe("progress", () => {
  const at = (s: number) => new Date(1e12 + s * 1000).toISOString();
  const beat = (s: number, done: number, more: object = {}) =>
    ({ seq: 1, time: at(s), type: "stage-progress", node: "n", done, total: 100, unit: "samples", ...more }) as Extract<RunEvent, { type: "stage-progress" }>;

  test("loss and the stage's own time left win over what is computed", () => {
    const p = new StageProgress(at(0));
    p.update({ seq: 1, time: at(0), type: "stage-metric", node: "n", name: "loss", value: 0.31 });
    p.update(beat(0, 0));
    p.update(beat(10, 20, { etaSeconds: 77 }));
    expect(p.words()).toBe("20/100 samples, loss 0.310, 2.0 samples/s, 1 min 17 s left");
  });

  test("a resumed stage's rate counts what this run did", () => {
    const p = new StageProgress(at(0));
    p.update(beat(0, 80));
    p.update(beat(10, 90));
    expect(p.rate).toBe(1);
    expect(p.left).toBe(10);
  });

  test("bytes are shown as sizes, and a new unit starts a new rate", () => {
    const p = new StageProgress(at(0));
    p.update(beat(0, 0, { unit: "bytes", total: 93e6 }));
    p.update(beat(2, 46.5e6, { unit: "bytes", total: 93e6 }));
    expect(p.words()).toBe("47 MB of 93 MB, 23 MB/s, 2.0 s left");
    p.update(beat(3, 5));
    expect(p.rate).toBeUndefined();
  });
});

test("the table of gates shows free, constrained, threshold, n and base", () => {
  const rate = (value: number) => ({ value, n: 70, low: 0, high: 1 });
  const lines = gateTable(
    {
      gates: [
        {
          id: "gate:validate:q8_0",
          stage: "validate:q8_0",
          passed: false,
          advice: [],
          verdicts: [{ figure: "tool_selection_accuracy", value: 0.81, threshold: 0.9, passed: false }],
        },
      ],
      nodes: [
        {
          id: "validate:q8_0",
          figures: { tool_selection_accuracy: rate(0.81), constrained_tool_selection_accuracy: rate(0.93) },
        },
        { id: "baseline:q8_0", figures: { tool_selection_accuracy: rate(0.02) } },
      ],
    },
    { paint: (_, t) => t },
  );
  expect(lines.at(-1)?.split(/ +/)).toEqual(["✗", "validate:q8_0", "tool_selection_accuracy", "0.810", "0.930", "0.900", "70", "0.020"]);
});

test("a figure just under its threshold never reads as if it reached it", () => {
  const verdict = { figure: "schema_pass_rate", value: 0.97959, threshold: 0.98, passed: false };
  expect(gateWords({ passed: false, verdicts: [verdict] })).toBe("refused: schema_pass_rate 0.9796 < 0.98");
  expect(gateWords({ passed: true, verdicts: [{ ...verdict, value: 0.9997, passed: true }] })).toBe("passed: schema_pass_rate 0.9997");
  const gates = [{ id: "gate:qa", stage: "qa", passed: false, advice: [], verdicts: [verdict] }];
  expect(gateTable({ gates, nodes: [] }, { paint: (_, t) => t }).at(-1)).toMatch(/schema_pass_rate +0\.9796 +- +0\.980 /);
});

test("tools: required parameters are marked, foreign text cannot drive the terminal", () => {
  const toolset = {
    version: 1,
    hash: `sha256:${"0".repeat(64)}`,
    tools: [
      {
        name: "get_forecast",
        description: "Fore\u001b[2Jcast\u001b]0;owned\u0007 for\na place",
        source: "stub",
        origin: "stub:weather",
        input_schema: {
          type: "object",
          required: ["location"],
          properties: {
            location: { type: "string", description: "Where\u202e" },
            days: { type: "integer", minimum: 1, maximum: 14 },
            unit: { enum: ["c", "f"] },
          },
        },
      },
    ],
  } as Toolset;
  const text = describeTools(toolset, { columns: 80, paint: (_, t) => t }, safeText).join("\n");
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what must not be there
  expect(text).not.toMatch(/[\u001b\u0007\u202e]/);
  expect(text).toContain("Forecast for a place");
  expect(text).toMatch(/location\* +string/);
  expect(text).toMatch(/days +integer 1\.\.14/);
  expect(text).toMatch(/unit +one of "c", "f"/);
});
