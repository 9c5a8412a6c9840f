/** The one canonical text of a JSON value, and the digest of it. */
import fc from "fast-check";
import { expect, test } from "vitest";
import { digestJson, digestText } from "../../src/platform/digest.ts";
import { canonicalJson } from "../../src/platform/json.ts";

/** The same value with the keys of every object in another order. */
function turned(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(turned);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(
    Object.entries(value)
      .reverse()
      .map(([k, v]) => [k, turned(v)]),
  );
}

test("it says the value, whatever the order of its keys, and two values have two texts", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), (a, b) => {
      expect(JSON.parse(canonicalJson(a))).toEqual(JSON.parse(JSON.stringify(a)));
      expect(canonicalJson(turned(a))).toBe(canonicalJson(a));
      const same = JSON.stringify(JSON.parse(canonicalJson(a))) === JSON.stringify(JSON.parse(canonicalJson(b)));
      expect(canonicalJson(a) === canonicalJson(b)).toBe(same);
    }),
  );
});

test("keys are sorted by code unit, undefined members are left out, no white space", () => {
  expect(canonicalJson({ b: 1, a: [undefined, { z: undefined, y: "ä" }], B: null, 10: 0, 9: 0 })).toBe('{"10":0,"9":0,"B":null,"a":[null,{"y":"ä"}],"b":1}');
  expect([canonicalJson({}), canonicalJson([]), canonicalJson({ a: undefined }), canonicalJson(undefined)]).toEqual(["{}", "[]", "{}", "null"]);
});

test("a digest is SHA-256 of the UTF-8 bytes", () => {
  // FIPS 180-2, appendix B.1.
  expect(digestText("abc")).toBe("sha256:ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  expect(digestText(new TextEncoder().encode("ä"))).toBe(digestText("ä"));
  expect(digestJson({ b: 1, a: 2 })).toBe(digestText('{"a":2,"b":1}'));
});
