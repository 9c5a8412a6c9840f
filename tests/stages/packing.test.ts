/** What the stage `pack` hands to a bundle: settings of servers by name, and the mark where a report does not say what it measured. */
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test, vi } from "vitest";
import { makeReport } from "../../src/evaluation/report.ts";
import { ok } from "../../src/platform/result.ts";
import { loadRecipe } from "../../src/recipe/load.ts";
import type { LoopRecord } from "../../src/schemas/generated/loop-record.ts";
import { buildPipeline } from "../../src/stages/pipeline.ts";
import { weatherToolset } from "../bundle/support/toolsets.ts";

const project = realpathSync(mkdtempSync(join(tmpdir(), "forge-packing-")));
afterAll(() => rmSync(project, { recursive: true }));
mkdirSync(join(project, ".git"));
const file = (name: string, content: unknown): string => {
  writeFileSync(join(project, name), typeof content === "string" ? content : JSON.stringify(content));
  return join(project, name);
};
const licensePath = file("LICENSE", "Apache License\n");
vi.mock("../../src/models/base.ts", async (real) => ({ ...(await real<object>()), ensureBase: () => Promise.resolve(ok({ licensePath })) }));

const CASE = { id: "a", messages: [{ role: "user", content: "hi" }], expect: null };
const RECORD: LoopRecord = {
  ...{ id: "a", cluster: "a", scenario: null, tool_name: null, question: "hi", decoding: "free", first_turn_only: false },
  ...{ steps: [], calls: [], answer: "Hello.", ended: "answer", ok: true, ms: 1, warm_up: false },
  judgement: {
    ...{ due: "none", attempted: false, parsed: false, parsed_calls: 0, conforming_calls: 0, tool_right: false, slots_due: 0, slots_right: 0 },
    ...{ exact: false, completed: true, error_loop: false, error_handled: false, grounded: null, reasons: [] },
  },
};

/** Packs with a report as an earlier version wrote it, or as this one does; gives the bundle's texts by name. */
async function pack(older: boolean): Promise<Record<string, string>> {
  const gates = "qa: { schema_pass_rate: 0 }, validate: { tool_call_parse_rate: 0, schema_conformance_rate: 0, tool_selection_accuracy: 0 }";
  const recipe = `version: 1\nname: x\ntools:\n  - mcp: { command: run, args: ["\${env:K}"] }\nevaluation: { benchmark: false }\ngates: { ${gates} }\n`;
  const loaded = await loadRecipe(file("forge.yaml", recipe), { env: { K: "hunter2hunter2" } });
  if (!loaded.ok) throw new Error(loaded.error[0]?.message);
  const pipeline = buildPipeline(loaded.value, { unproven: true });
  const stage = pipeline.ok ? pipeline.value.nodes.find((n) => n.id === "pack") : undefined;
  if (stage?.kind !== "stage") throw new Error("there is no stage to pack");
  const toolset = await weatherToolset();
  const report = makeReport({
    kind: "validate",
    model: "x",
    measured: { model: "a".repeat(64), toolset: toolset.hash },
    records: [RECORD],
    sideBySide: 1,
  });
  const { model_sha256: _, ...unnamed } = report;
  const bundle = mkdtempSync(join(project, "bundle-"));
  const packed = await stage.run({
    inputs: {
      toolset: file("tools.json", toolset),
      heldout: file("heldout.jsonl", CASE),
      train: file("train.jsonl", ""),
      training: file("training.json", { figures: {} }),
      qa: file("qa.json", { figures: {} }),
      model_q8_0: file("model.gguf", "GGUF"),
      export_q8_0: file("export.json", {
        bits_per_weight: 8.51,
        kl: 0.00123,
        perplexity: 1.3141,
        perplexity_reference: 1.3,
        seconds: 5,
        tokens_per_second: 98765,
      }),
      records_q8_0: file("records.jsonl", RECORD),
      validation_q8_0: file("validation.json", older ? unnamed : report),
    },
    outputs: { bundle },
    scratch: project,
    logFile: "",
    recordedAt: "2026-01-02T03:04:05.000Z",
    signal: new AbortController().signal,
    emit: () => {},
  });
  if (!packed.ok) throw new Error(packed.error.message);
  const names = readdirSync(bundle).filter((name) => !name.endsWith(".gguf") && name !== "tests");
  return Object.fromEntries(names.map((name) => [name, readFileSync(join(bundle, name), "utf8")]));
}

test("the README says how the file came out of its export, and nothing that a machine's speed decides", async () => {
  const { "README.md": text = "" } = await pack(false);
  expect(text).toContain(
    "- `model.gguf`: the model (q8_0, 8.51 bits a weight; mean KL 1.2e-3 nats from the f16 file; perplexity 1.314 on training samples, of the f16 file 1.300)",
  );
  expect(text).not.toContain("98765");
});

test("the value of a setting is in no file of the bundle", async () => {
  const texts = await pack(false);
  expect(JSON.stringify(texts)).not.toContain("hunter2");
  expect(texts["agent.yaml"]).toContain("command: run '${env:K}'");
});

test("a report that does not say which model it measured marks the bundle", async () => {
  const reason = "the report does not say which model it measured";
  expect((await pack(true))["agent.yaml"]).toContain(`validate:q8_0: ${reason}`);
  expect((await pack(false))["agent.yaml"]).not.toContain(reason);
});
