/**
 * The whole way on a recipe small enough for the default suite: the real CLI in a temporary project, a real
 * MCP stub server, real training of the real base model, real GGUF in llama.cpp. It proves that the parts fit and
 * that the engine's promises hold on them; how good the model gets is the default recipe's business.
 */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import type { Agent } from "../../src/schemas/generated/agent.ts";
import type { EvaluationReport } from "../../src/schemas/generated/evaluation-report.ts";

const bin = join(import.meta.dirname, "../../dist/forge.js");
const MINUTE = 60_000;

const recipe = (o: { samples?: number; parse?: number; exports?: string } = {}): string => `version: 1
name: tiny
seed: 3
tools: [{ stub: weather }]
model: { family: nano }
profile: fast_dev
train: { batch: 4, accumulation: 2 }
data: { samples: ${o.samples ?? 40}, min_per_tool: 4 }
evaluation: { samples: 12 }
gates:
  qa: { schema_pass_rate: 0.9, min_samples_per_tool: 4 }
  validate: { tool_call_parse_rate: ${o.parse ?? 0}, schema_conformance_rate: 0, tool_selection_accuracy: 0, loop_completion_rate: 0, error_handling_rate: 0 }
  benchmark: { no_tool_correctness: 0 }
exports: ${o.exports ?? "[q8_0]"}
`;

let dir: string;
const forge = (...args: string[]): { code: number | null; stdout: string; stderr: string } => {
  const r = spawnSync(process.execPath, [bin, ...args], {
    cwd: dir,
    encoding: "utf8",
    timeout: 13 * MINUTE,
    env: { ...process.env, NO_COLOR: "1", PLANTED_API_KEY: "sk-planted-0123456789abcdef" },
  });
  return { code: r.status, stdout: r.stdout, stderr: r.stderr };
};
const plan = (): Record<string, { status: string; reasons: string[] }> => {
  const out = JSON.parse(forge("plan", "--json").stdout) as { nodes: { id: string; status: string; reasons: string[] }[] };
  return Object.fromEntries(out.nodes.map((n) => [n.id, n]));
};
const changed = (p: ReturnType<typeof plan>): string[] => Object.keys(p).filter((id) => p[id]?.status !== "cached");

beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), "forge e2e ü "));
  writeFileSync(join(dir, "forge.yaml"), recipe());
});
afterAll(() => rmSync(dir, { recursive: true, force: true }));

describe.sequential("the whole way", () => {
  it(
    "goes from a recipe to a bundle",
    () => {
      const r = forge("apply", "forge.yaml");
      expect(r.stderr + r.stdout).not.toContain("sk-planted");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      const files = readdirSync(join(dir, "dist/tiny"));
      for (const f of ["model.gguf", "tools.json", "prompt_template.json", "agent.yaml", "tests", "README.md", "Modelfile", "LICENSE", "manifest.json"])
        expect(files).toContain(f);
      expect(existsSync(join(dir, "forge.lock"))).toBe(true);
    },
    14 * MINUTE,
  );

  it(
    "does nothing the second time",
    () => {
      const lock = readFileSync(join(dir, "forge.lock"), "utf8");
      expect(forge("plan").code).toBe(0);
      const r = forge("apply");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      expect(readFileSync(join(dir, "forge.lock"), "utf8")).toBe(lock);
      expect(changed(plan())).toEqual([]);
    },
    2 * MINUTE,
  );

  it(
    "verifies the bundle, by hash and by running it",
    () => {
      const r = forge("verify-bundle", "dist/tiny");
      expect(r.code, r.stdout + r.stderr).toBe(0);
    },
    6 * MINUTE,
  );

  it(
    "tries a prompt on the bundle",
    () => {
      const r = forge("try", "dist/tiny", "What is the weather in Oslo?", "--json");
      const said = JSON.parse(r.stdout) as { calls: unknown[]; answer: string | null; ended: string; notes: string[] };
      // So small a model may end without an answer, or never: then the command fails and says why.
      expect(r.code, r.stdout + r.stderr).toBe(said.ended === "answer" ? 0 : 1);
      expect(Array.isArray(said.calls) && (said.answer !== null || said.notes.length > 0)).toBe(true);
    },
    6 * MINUTE,
  );

  it(
    "judges a case file on the bundle",
    () => {
      writeFileSync(
        join(dir, "cases.jsonl"),
        `${JSON.stringify({ id: "a", messages: [{ role: "user", content: "weather in Oslo please" }], expect: [{ name: "get_weather", arguments: { location: ["Oslo"] } }] })}\n`,
      );
      const r = forge("benchmark", "dist/tiny", "--cases", "cases.jsonl", "--json");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      const report = JSON.parse(r.stdout) as { cases: { id: string; calls: unknown[]; ok: boolean }[]; figures: object };
      expect(report.cases.map((c) => c.id)).toEqual(["a"]);
      expect(report.figures).toHaveProperty("tool_selection_accuracy");
    },
    6 * MINUTE,
  );

  it(
    "re-judges a gate without measuring again, refuses to pack, and packs unproven when told",
    () => {
      rmSync(join(dir, "dist"), { recursive: true });
      writeFileSync(join(dir, "forge.yaml"), recipe().replace("min_samples_per_tool: 4 }", "min_samples_per_tool: 400 }"));
      const p = plan();
      for (const id of ["generate", "qa", "export:q8_0", "validate:q8_0"]) expect(p[id]?.status, id).not.toBe("run");
      const r = forge("apply");
      expect(r.code, r.stdout + r.stderr).toBe(3);
      expect(r.stdout + r.stderr).toContain("min_samples_per_tool");
      expect(existsSync(join(dir, "dist/tiny/model.gguf"))).toBe(false);
      const unproven = forge("pack", "--unproven");
      expect(unproven.code, unproven.stdout + unproven.stderr).toBe(0);
      for (const f of ["README.md", "agent.yaml", "Modelfile", "manifest.json"])
        expect(readFileSync(join(dir, "dist/tiny", f), "utf8").toLowerCase()).toContain("unproven");
    },
    8 * MINUTE,
  );

  it(
    "judges with the grammar where the recipe says so, and the bundle is what was judged",
    () => {
      writeFileSync(join(dir, "forge.yaml"), recipe().replace("gates:\n", "gates:\n  decoding: constrained\n"));
      const p = plan();
      expect(p["validate:q8_0"]?.reasons.join()).toContain("`gates.decoding` (not set) → constrained");
      expect(changed(p).filter((id) => /^(generate|qa|train|export)/.test(id))).toEqual([]);
      const r = forge("apply", "--json");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      const report = JSON.parse(readFileSync(join(dir, ".mcp-forge/reports/validation_q8_0.json"), "utf8")) as EvaluationReport;
      const held = report.constrained ?? {};
      expect(held.loop_completion_rate?.n).toBe(report.figures.loop_completion_rate?.n);
      const verdicts = r.stdout.split("\n").flatMap((line) => {
        const event = line === "" ? undefined : (JSON.parse(line) as { type: string; node?: string; verdicts?: { figure: string; value: number | null }[] });
        return event?.type === "gate-judged" && event.node === "gate:validate:q8_0" ? (event.verdicts ?? []) : [];
      });
      expect(verdicts.length).toBeGreaterThan(0);
      for (const { figure, value } of verdicts) expect([figure, value]).toEqual([figure, held[figure]?.value ?? null]);
      const agent = parse(readFileSync(join(dir, "dist/tiny/agent.yaml"), "utf8")) as Agent;
      expect(agent.runtime).toMatchObject({ decoding: "constrained", grammar: "tools.gbnf" });
      expect(agent.validation.tool_call_parse_rate).toBe(held.tool_call_parse_rate?.value);
      expect(readFileSync(join(dir, "dist/tiny/README.md"), "utf8")).toContain("The figures below were reached with the grammar `tools.gbnf`");
      expect(forge("verify-bundle", "dist/tiny").code).toBe(0);
    },
    8 * MINUTE,
  );

  it(
    "packs without a mark what no gate refuses, --unproven or not",
    () => {
      rmSync(join(dir, "dist"), { recursive: true });
      writeFileSync(join(dir, "forge.yaml"), recipe());
      const r = forge("pack", "--unproven");
      expect(r.code, r.stdout + r.stderr).toBe(0);
      for (const f of ["README.md", "agent.yaml", "Modelfile", "manifest.json"])
        expect(readFileSync(join(dir, "dist/tiny", f), "utf8").toLowerCase()).not.toContain("unproven");
      expect(forge("apply").code).toBe(0);
    },
    8 * MINUTE,
  );

  it(
    "plans only what depends on a change, and says why",
    () => {
      writeFileSync(join(dir, "forge.yaml"), recipe({ exports: "[q8_0, q4_k_m]" }));
      const p = plan();
      expect(changed(p).filter((id) => id.endsWith("q8_0"))).toEqual([]);
      expect(p["export:q4_k_m"]?.status).toBe("run");
      writeFileSync(join(dir, "forge.yaml"), recipe({ samples: 44 }));
      const q = plan();
      expect(q.inspect?.status).toBe("cached");
      expect(q.generate?.status).toBe("run");
      expect(q.generate?.reasons.join()).toContain("`data.samples` 40 → 44");
      expect(q.train?.status).toBe("maybe");
    },
    2 * MINUTE,
  );
});
