/** What a stranger's text may do in the report's forms for people: nothing but be read. */
import { expect, it } from "vitest";
import { measureQuality } from "../../src/data/qa.ts";
import { qaCsv } from "../../src/data/qa-csv.ts";
import { qaMarkdown } from "../../src/data/qa-markdown.ts";
import type { QaReport } from "../../src/schemas/generated/qa-report.ts";
import { weatherSet } from "./fixtures.ts";

/** Clears the screen, retitles the window, goes to the line's beginning, turns text round, hides. */
const HOSTILE = "a\u001b[2J\u001b]0;owned\u0007b\rc\u009b31md\u202ee\u200bf\u0000g\u0008h";
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROLS = /[\u0000-\u0008\u000b\u000c\u000e-\u001f\u007f-\u009f\u202a-\u202e\u200b]/;

const report: QaReport = {
  ...measureQuality({ samples: [], heldout: [], toolset: weatherSet }),
  issues: [{ check: "schema", sample: HOSTILE, message: HOSTILE }],
  dropped: { [HOSTILE]: 1 },
  taken_out: [{ line: 3, sample: HOSTILE, check: "json", message: `line 3 ${HOSTILE}` }],
  repaired: { schema: 1 },
  repairs: { total: 1, samples: 1, first: [{ line: 4, sample: HOSTILE, check: "schema", path: HOSTILE, before: HOSTILE, after: HOSTILE }] },
  coverage: { by_tool: { [HOSTILE]: 2 }, by_scenario: { [HOSTILE]: 2 }, by_kind: { [HOSTILE]: 2 } },
};

it.each([
  ["Markdown", qaMarkdown(report)],
  ["CSV", qaCsv(report).replaceAll("\r\n", "\n")],
])("%s holds no control character of a sample's id or text", (_, text) => {
  expect(text).toContain("abcdefgh".slice(0, 2));
  expect(text).not.toMatch(CONTROLS);
  expect(text).not.toContain("\r");
  expect(text).not.toContain("owned");
});

it("a secret in a message is masked in both", () => {
  const key = `sk-${"a1B2".repeat(8)}`;
  const told = { ...report, issues: [{ check: "schema", sample: "s", message: `has ${key}` }] };
  for (const text of [qaMarkdown(told), qaCsv(told)]) expect(text).not.toContain(key);
});
