/** Limits of the qa gate: the most that training and evaluation may share. */
import { describe, expect, it } from "vitest";
import type { PipelineContext } from "../../src/stages/context.ts";
import { gate } from "../../src/stages/gates.ts";

const judge = (qa: Record<string, number>, figures: Record<string, number>) =>
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
