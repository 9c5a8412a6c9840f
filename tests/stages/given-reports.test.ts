/** Files that somebody brings to `pack`: a report has to be about that model and those tools, and a model has to be whole. */
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import type { StageContext, StageDefinition } from "../../src/engine/stage.ts";
import { makeReport } from "../../src/evaluation/report.ts";
import { digestText, hexOf } from "../../src/platform/hash.ts";
import { givenModel, givenReport } from "../../src/stages/single/given.ts";
import { toolsetHash } from "../../src/tools/toolset.ts";

const dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-given-")));
afterAll(() => rmSync(dir, { recursive: true }));
const file = (name: string, content: string | Uint8Array): string => {
  writeFileSync(join(dir, name), content);
  return join(dir, name);
};

const MODEL = "GGUF of the one";
const TOOLSET = { version: 1, hash: toolsetHash([]), tools: [] };
const inputs = { model: file("model.gguf", MODEL), toolset: file("tools.json", JSON.stringify(TOOLSET)), records: file("r.jsonl", "") };
const outputs = (): Record<string, string> => {
  const to = mkdtempSync(join(dir, "out-"));
  return Object.fromEntries(["model", "report", "markdown", "records"].map((name) => [name, join(to, name)]));
};

const run = (stage: StageDefinition, given: Readonly<Record<string, string>>) =>
  stage.run({
    inputs: given,
    outputs: outputs(),
    scratch: dir,
    recordedAt: "",
    logFile: "",
    signal: new AbortController().signal,
    emit: () => {},
  } satisfies StageContext);

const REPORT = makeReport({
  kind: "validate",
  model: "x",
  measured: { model: hexOf(digestText(MODEL)), toolset: TOOLSET.hash },
  records: [],
  sideBySide: 1,
});
const taken = (report: object, unproven = false) =>
  run(givenReport("validate", "q8_0", { path: "v.json", model: "model.gguf", records: "r.jsonl", unproven }), {
    ...inputs,
    report: file("v.json", JSON.stringify(report)),
  });

test("a report about this model and these tools is taken", async () => {
  expect(await taken(REPORT)).toMatchObject({ ok: true });
});

test.each([
  ["another model", { model_sha256: "a".repeat(64) }, "files/other-model", "v.json is not about model.gguf"],
  ["other tools", { toolset_hash: `sha256:${"a".repeat(64)}` }, "files/other-tools", "other tools than these"],
])("one about %s is not, unproven or not", async (_, change, code, message) => {
  for (const unproven of [false, true])
    expect(await taken({ ...REPORT, ...change }, unproven)).toMatchObject({
      ok: false,
      error: { code, exit: 4, message: expect.stringContaining(message), hint: expect.stringContaining("forge validate --model model.gguf") },
    });
});

test("one that does not say is taken as unproven only", async () => {
  const { model_sha256: _, ...older } = REPORT;
  expect(await taken(older)).toMatchObject({ ok: false, error: { code: "files/unnamed-model", exit: 4, hint: expect.stringContaining("--unproven") } });
  expect(await taken(older, true)).toMatchObject({ ok: true });
});

test("a model that was cut is not taken", async () => {
  const head = Buffer.alloc(24);
  head.write("GGUF");
  head.writeUInt32LE(3, 4);
  head.writeBigUInt64LE(2n, 8);
  const stage = givenModel("model.gguf", "q8_0");
  expect(await run(stage, { model: file("cut.gguf", head) })).toMatchObject({ ok: false, error: { code: "models/truncated", exit: 4 } });
  head.writeBigUInt64LE(0n, 8);
  expect(await run(stage, { model: file("whole.gguf", Buffer.concat([head, Buffer.alloc(8)])) })).toMatchObject({ ok: true });
});
