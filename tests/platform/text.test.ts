import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import { boundedRegExp } from "../../src/platform/bounded-regexp.ts";
import { BoundedText, LineSplitter } from "../../src/platform/lines.ts";
import { cacheDir, packageRoot } from "../../src/platform/paths.ts";
import { redact, registerSecret, safeText, stripAnsi } from "../../src/platform/redact.ts";

describe("redaction", () => {
  it("replaces registered values, also escaped ones", () => {
    registerSecret('pa"ss/word');
    for (const text of ['pa"ss/word', JSON.stringify({ x: 'a pa"ss/word b' }), `https://x/?k=${encodeURIComponent('pa"ss/word')}`]) {
      expect(redact(text)).toContain("[redacted]");
      expect(redact(text)).not.toMatch(/ss.{0,3}word/);
    }
    registerSecret("on");
    expect(redact("nothing on here")).toBe("nothing on here");
  });

  it.each([
    "sk-proj-abcdefghijklmnop1234",
    "hf_abcdefghijklmnopqrst",
    "ghp_abcdefghijklmnopqrstuvwxyz",
    "github_pat_abcdefghijklmnopqrstuv",
    "AKIAABCDEFGHIJKLMNOP",
    "xoxb-1234567890-abc",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abcdefghijk",
    "Authorization: Bearer abcdefghijklmnop",
    "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "https://user:secret@host/x",
    "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
  ])("knows the shape of %s", (key) => {
    const out = redact(`before ${key} after`);
    expect(out).toContain("[redacted]");
    expect(out).toMatch(/^before .*after$/s);
  });

  it("leaves ordinary text as it is", () => {
    for (const text of [
      "task-force sk-1",
      "sha256:0123456789abcdef",
      "a basic idea",
      "the basic configuration",
      "Basic Configuration",
      "https://example.org/a:b",
      "https://pypi.org/simple",
    ])
      expect(redact(text)).toBe(text);
  });
});

describe("foreign text for a terminal", () => {
  it("can neither colour, move, retitle, link nor reorder", () => {
    expect(stripAnsi("\u001b[31mred\u001b[0m \u001b]0;title\u0007x \u001b]8;;http://evil\u001b\\link\u001b]8;;\u001b\\ \u009b2Jy")).toBe("red x link y");
    expect(safeText("a\rb\u0008c\u202ed\u200be\r\nf\tg\u0000")).toBe("abcde\nf\tg");
    expect(safeText("abcdef", 4)).toBe("abc…");
  });

  it("never keeps a control character, whatever it is given", () => {
    const nasty = fc.string({ unit: fc.constantFrom("\u001b", "[", "]", "0", ";", "m", "\u0007", "\\", "\u009b", "\u009d", "a", "\n", "\u202e", "\r") });
    fc.assert(
      fc.property(nasty, (text) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
        expect(safeText(text)).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u202a-\u202e]/);
      }),
    );
  });
});

describe("a line splitter", () => {
  it("gives the same lines however the bytes are cut up", () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: "grapheme" }).filter((s) => !/[\n\r]/.test(s))),
        fc.array(fc.nat({ max: 7 }), { minLength: 1 }),
        (lines, sizes) => {
          const bytes = Buffer.from(lines.map((l) => `${l}\n`).join(""));
          const seen: string[] = [];
          const splitter = new LineSplitter((line) => seen.push(line), 1 << 20);
          for (let at = 0, i = 0; at < bytes.length; i++) {
            const size = 1 + (sizes[i % sizes.length] as number);
            splitter.push(bytes.subarray(at, at + size));
            at += size;
          }
          splitter.end();
          expect(seen).toEqual(lines);
        },
      ),
    );
  });

  it("keeps the end of a long stream without holding the rest", () => {
    const text = new BoundedText("tail", 10);
    for (let i = 0; i < 1000; i++) text.push(Buffer.from(`${i} `));
    expect([text.text(), text.cut]).toEqual(["997 998 999 ".slice(-10), true]);
  });
});

describe("places", () => {
  const saved = process.cwd();
  afterEach(() => process.chdir(saved));

  it("are the package's own, from any working directory", () => {
    process.chdir("/");
    expect(packageRoot()).toBe(saved);
  });

  it("of the cache follow the environment", () => {
    expect(cacheDir({ MCP_FORGE_CACHE_DIR: "/c", XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/c");
    expect(cacheDir({ XDG_CACHE_HOME: "/x", HOME: "/h" })).toBe("/x/mcp-forge");
    expect(cacheDir({ XDG_CACHE_HOME: "relative", HOME: "/h" })).toBe("/h/.cache/mcp-forge");
  });
});

describe("foreign regular expressions", () => {
  it("match as they do elsewhere", () => {
    fc.assert(
      fc.property(fc.constantFrom("^a+$", "b|c", "^[a-z]{2,4}$", "x", "(ab)*c", "é?"), fc.stringMatching(/^[abcxé]{0,6}$/), (pattern, text) => {
        expect(boundedRegExp(pattern, "u").test(text)).toBe(new RegExp(pattern, "u").test(text));
      }),
    );
    expect(() => boundedRegExp("(", "u")).toThrow(SyntaxError);
  });

  it("end, however they backtrack", () => {
    expect(boundedRegExp("^(a+)+$", "u").test(`${"a".repeat(50)}!`)).toBe(false);
  });
});
