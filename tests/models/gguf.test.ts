/** What a GGUF says of itself, read from files that llama.cpp's converter wrote in form, and from files that lie. */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import { ggufText, truncatedGguf } from "../../src/models/gguf.ts";

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

/** A tensor of the list: dimensions, ggml's number of the type, where it begins in the data. */
const tensor = (name: string, dimensions: number[], type: number, offset: number): Buffer =>
  Buffer.concat([text(name), u32(dimensions.length), ...dimensions.map(u64), u32(type), u64(offset)]);
/** Two tensors: 8 numbers of 4 bytes, then 64 in two blocks of q8_0 (34 bytes each), from a multiple of `alignment` on. */
function withTensors(alignment: number): Buffer {
  const entries = alignment === 32 ? [] : [entry("general.alignment", 4, u32(alignment))];
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    ...[u32(3), u64(2), u64(entries.length)],
    ...entries,
    tensor("a", [4, 2], 0, 0),
    tensor("b", [32, 2], 8, alignment),
  ]);
  return Buffer.concat([head, Buffer.alloc((alignment - (head.length % alignment)) % alignment), Buffer.alloc(alignment + 68)]);
}
function missingOf(bytes: Uint8Array): string | undefined {
  const path = join(dir, "tensors.gguf");
  writeFileSync(path, bytes);
  return truncatedGguf(path);
}

test("a file that ends before its last tensor is not whole, wherever it was cut", () => {
  for (const alignment of [32, 64]) {
    const whole = withTensors(alignment);
    expect(missingOf(whole)).toBeUndefined();
    expect(missingOf(Buffer.concat([whole, Buffer.alloc(9)]))).toBeUndefined();
    expect(missingOf(whole.subarray(0, -1))).toBe(`its tensors end at byte ${whole.length}, and it has ${whole.length - 1}`);
    for (let length = 8; length < whole.length; length += 5) expect(missingOf(whole.subarray(0, length)), String(length)).toBeDefined();
  }
});

test("what is not understood is not called cut", () => {
  expect(missingOf(Buffer.concat([Buffer.from("GGUF"), u32(9), u64(5), u64(5)]))).toBeUndefined();
  expect(missingOf(file(entry("a", 77, u32(0))))).toBeUndefined();
});
