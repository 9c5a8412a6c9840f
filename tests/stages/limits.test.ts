/** Limits of the qa gate: the most that training and evaluation may share. */
import { describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/platform/json.ts";
import type { PipelineContext } from "../../src/stages/context.ts";
import { gate } from "../../src/stages/gates.ts";

const judge = (qa: Record<string, number>, figures: JsonObject) =>
  gate({ recipe: { gates: { qa, decoding: "free" } } } as unknown as PipelineContext, "qa", "qa").judge(figures);

describe("a limit", () => {
  it("refuses what goes over it, and says how much is allowed and what to do", () => {
    const { verdicts, advice } = judge({ max_near_prompts: 2, max_shared_values: 0.5 }, { near_prompts: 3, shared_values: 0.5 });
    expect(verdicts).toMatchObject([
      { figure: "max_near_prompts", value: 3, threshold: 2, passed: false, note: "at most 2 is allowed" },
      { figure: "max_shared_values", value: 0.5, threshold: 0.5, passed: true },
    ]);
    expect(advice.join()).toMatch(/^max_near_prompts: .*`data\.teacher\.temperature`.*`gates\.qa\.max_near_prompts`/);
  });

  it("of 0 allows nothing, where a threshold of 0 asks for nothing", () => {
    expect(judge({ max_shared_frames: 0, schema_pass_rate: 0 }, { shared_frames: 1, schema_pass_rate: 0 }).verdicts).toMatchObject([
      { passed: false },
      { passed: true },
    ]);
    expect(judge({ max_shared_frames: 0 }, { shared_frames: 0 }).verdicts).toMatchObject([{ passed: true, note: undefined }]);
  });

  it("is kept by what no case could go over, and a threshold is not reached by it", () => {
    expect(judge({ max_shared_values: 0, schema_pass_rate: 0.9 }, {}).verdicts).toMatchObject([
      { value: null, passed: true, note: "not measured: no case asks for it" },
      { value: null, passed: false },
    ]);
  });
});

describe("a plan that was not met", () => {
  const short = "no_tool 1 of 9 (near_heldout), error get_weather 0 of 2 (near_heldout)";
  const figures = { planned: 60, samples: 47, plan_met: 47 / 60, scenarios_covered: 0.8, short, short_reasons: ["near_heldout"] };

  it("is refused, and says what is short, why, and what to do", () => {
    const { verdicts, advice } = judge({ plan_met: 0.9, scenarios_covered: 1 }, figures);
    expect(verdicts.map((v) => v.passed)).toEqual([false, false]);
    for (const [i, name] of ["plan_met", "scenarios_covered"].entries()) {
      expect(advice[i]).toMatch(new RegExp(`^${name}: short: no_tool 1 of 9 .*raise \`data\\.teacher\\.temperature\`.*\`gates\\.qa\\.${name}\``));
    }
    expect(judge({ plan_met: 0.75, scenarios_covered: 0 }, figures).verdicts.every((v) => v.passed)).toBe(true);
  });

  it("with nothing made is refused whatever the thresholds, with one advice", () => {
    const { verdicts, advice } = judge({ plan_met: 0, min_samples_per_tool: 10 }, { ...figures, samples: 0, plan_met: 0, min_samples_per_tool: 0 });
    expect(verdicts[0]).toMatchObject({ figure: "samples", value: 0, threshold: 1, passed: false });
    expect(advice).toEqual([expect.stringMatching(/^samples: no sample is left; short: no_tool 1 of 9/)]);
  });

  it("is none where nothing was planned, nor is a length where no model is named", () => {
    expect(judge({ plan_met: 0.9, scenarios_covered: 1, max_too_long: 0, max_self_similarity: 0.5 }, { planned: null, samples: 3 }).verdicts).toMatchObject([
      { figure: "max_self_similarity", value: null, passed: true, note: "not measured: too few samples about the same tool" },
    ]);
  });
});
