/** What `forge doctor` says of a checkout of llama.cpp that MCP_FORGE_LLAMA_CPP names: it is looked at, not taken for granted. */
import { mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { examine } from "../../src/stages/doctor.ts";

let dir: string;
beforeEach(() => {
  dir = realpathSync(mkdtempSync(join(tmpdir(), "forge-doctor-llama-")));
});
afterEach(() => rmSync(dir, { recursive: true }));

test("a checkout without the converter is missing, a whole one is fine", { timeout: 30_000 }, async () => {
  const checkout = join(dir, "llama.cpp");
  const finding = async () => (await examine({ projectDir: dir, env: { MCP_FORGE_LLAMA_CPP: checkout } })).findings.find((f) => f.check === "llama");
  expect(await finding()).toMatchObject({
    status: "missing",
    message: expect.stringContaining("is no checkout of llama.cpp"),
    fix: expect.stringContaining("unset it"),
  });
  for (const folder of ["conversion", join("gguf-py", "gguf")]) mkdirSync(join(checkout, folder), { recursive: true });
  writeFileSync(join(checkout, "conversion", "base.py"), "");
  expect(await finding()).toMatchObject({ status: "ok" });
});
