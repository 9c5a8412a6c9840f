/** What a GGUF says of itself, read from files that llama.cpp's converter wrote in form, and from files that lie. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { ggufText } from "../../src/models/gguf.ts";

const dir = mkdtempSync(join(tmpdir(), "forge-gguf-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));

const u32 = (n: number): Buffer => Buffer.from(new Uint32Array([n]).buffer);
const u64 = (n: number | bigint): Buffer => Buffer.from(new BigUint64Array([BigInt(n)]).buffer);
const text = (s: string): Buffer => Buffer.concat([u64(Buffer.byteLength(s)), Buffer.from(s)]);
const entry = (key: string, type: number, value: Buffer): Buffer => Buffer.concat([text(key), u32(type), value]);
const file = (...entries: Buffer[]): Buffer => Buffer.concat([Buffer.from("GGUF"), u32(3), u64(0), u64(entries.length), ...entries]);
function read(bytes: Uint8Array, key = "mcp_forge.base_model"): string | undefined {
  const path = join(dir, "model.gguf");
  writeFileSync(path, bytes);
  return ggufText(path, key);
}

const WHOLE = file(
  entry("a", 4, u32(7)),
  entry("b", 9, Buffer.concat([u32(8), u64(2), text("one"), text("two")])),
  entry("c", 9, Buffer.concat([u32(5), u64(3), Buffer.alloc(12)])),
  entry("d", 7, Buffer.from([1])),
  entry("mcp_forge.base_model", 8, text("mcp-forge/nano")),
);

test("finds a text behind entries of every form", () => {
  expect(read(WHOLE)).toBe("mcp-forge/nano");
  expect(read(WHOLE, "nothing")).toBeUndefined();
  expect(read(WHOLE, "a")).toBeUndefined();
});

test("no file, no GGUF, another version: nothing", () => {
  expect(ggufText(join(dir, "none.gguf"), "a")).toBeUndefined();
  expect(read(Buffer.alloc(0))).toBeUndefined();
  expect(read(Buffer.from("not a model at all"))).toBeUndefined();
  expect(read(Buffer.concat([Buffer.from("GGUF"), u32(1), u64(0), u64(0)]))).toBeUndefined();
});

test("lengths that lie end at the end of the file", () => {
  expect(read(file(entry("a", 9, Buffer.concat([u32(8), u64(1n << 62n)]))))).toBeUndefined();
  expect(read(file(Buffer.concat([u64((1n << 64n) - 1n), Buffer.from("x")])))).toBeUndefined();
  expect(read(file(entry("a", 77, u32(0))))).toBeUndefined();
  fc.assert(
    fc.property(fc.integer({ min: 4, max: WHOLE.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const damaged = Buffer.from(WHOLE);
      damaged[at] = byte;
      expect(["undefined", "string"]).toContain(typeof read(damaged));
      expect(["undefined", "string"]).toContain(typeof read(WHOLE.subarray(0, at)));
    }),
    { numRuns: 200 },
  );
});
