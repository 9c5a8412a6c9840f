/**
 * The chat templates of real models, as TRL's wheel carries them: what the round trip says of each, as docs/models.md has it; the same text as transformers
 * renders, byte for byte; and plain talk by forge's templates as by theirs.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { TEMPLATES } from "../../src/models/known.ts";
import { LONG, PLAIN, THOUGHTFUL, TOOLS } from "../../src/models/official/probes.ts";
import { type RoundTrip, roundTrip, verdictOf } from "../../src/models/official/round-trip.ts";
import { type OfficialTemplate, TemplateError } from "../../src/models/official/template.ts";
import { rendererOf } from "../../src/models/rendering.ts";
import { thinkingOf } from "../../src/models/thinking.ts";
import { packageRoot } from "../../src/platform/paths.ts";
import { ensurePythonForTests } from "../../src/runners/python-env.ts";
import type { Message } from "../../src/schemas/generated/sample.ts";
import { renderings } from "../models/rig.ts";

const TRL = "trl==1.13.0";
const LLAMA = { bos_token: "<|begin_of_text|>", eos_token: "<|eot_id|>" };
const R1 = { bos_token: "<｜begin▁of▁sentence｜>", eos_token: "<｜end▁of▁sentence｜>" };

const KEEPS = "keeps tools, calls, results";
const OF_LLAMA = /^refuses two calls in one turn .*, drops the words beside a call, changes or repeats results$/;
/** File of TRL's, the template of ours for the same models, the names of tokens, and what is found. */
const TABLE: readonly (readonly [file: string, ours: string, named: Omit<OfficialTemplate, "text">, plain: RoundTrip["plain"], verdict: string | RegExp])[] = [
  ["qwen2_5.jinja", "qwen2.5.jinja", {}, "same", KEEPS],
  ["qwen3_instruct_2507.jinja", "chatml.jinja", {}, "same", KEEPS],
  ["qwen3.jinja", "qwen3-thinking.jinja", {}, "same", `${KEEPS} and thoughts; cuts earlier thoughts: one row per turn`],
  ["qwen3.jinja", "qwen3.jinja", {}, "other", "has the model think, which needs --thinking"],
  ["deepseek_r1_distill.jinja", "deepseek-r1-thinking.jinja", R1, "same", "shows no tools, drops calls that come with content (be it empty), drops thoughts"],
  ["llama3.jinja", "llama-3.jinja", LLAMA, "same", "shows no tools, drops calls"],
  ["llama3_1.jinja", "llama-3.1.jinja", LLAMA, "same", OF_LLAMA],
  ["llama3_2.jinja", "llama-3.1.jinja", LLAMA, "same", OF_LLAMA],
  [
    "gemma3.jinja",
    "gemma-3.jinja",
    { bos_token: "<bos>", eos_token: "<eos>" },
    "same",
    /^shows no tools, drops calls, refuses results \(“Conversation roles must alternate/,
  ],
];

let folder: string;
let python: { readonly python: string; readonly pythonPath: string };
beforeAll(async () => {
  const found = await ensurePythonForTests();
  if (!found.ok) throw new Error(found.error.message);
  python = found.value;
  folder = mkdtempSync(join(tmpdir(), "forge-trl-"));
  execFileSync(python.python, ["-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps", "--dest", folder, TRL]);
  const wheel = readdirSync(folder).find((name) => name.endsWith(".whl")) ?? "";
  execFileSync(python.python, ["-m", "zipfile", "-e", join(folder, wheel), folder]);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const read = (file: string): string => readFileSync(join(folder, "trl", "chat_templates", file), "utf8");

describe.each(TABLE)("%s beside %s", (file, ours, named, plain, verdict) => {
  const special_tokens = TEMPLATES[ours]?.needs ?? [];

  test("is judged as the documents say", () => {
    const tried = roundTrip({ text: read(file), ...named }, { template: ours, special_tokens });
    expect(tried.plain).toBe(plain);
    expect(verdictOf(tried)).toEqual(typeof verdict === "string" ? verdict : expect.stringMatching(verdict));
  });

  test("renders as transformers does, or is refused by both", () => {
    const renderer = rendererOf({ template: ours, special_tokens, official: { text: read(file), ...named, rewrites: true, spacing: "python" } });
    const thinks = thinkingOf(ours) !== undefined;
    const conversations: readonly (readonly Message[])[] = [
      ...PLAIN.system,
      ...PLAIN.none,
      ...renderings.map((r) => r.messages),
      ...prefixes(thinks ? THOUGHTFUL : LONG),
    ];
    const asked = conversations.flatMap((messages) => [true, false].map((prompt) => ({ messages, prompt })));
    const mine = asked.map(({ messages, prompt }) => {
      try {
        return renderer.prompt(messages, TOOLS, { addGenerationPrompt: prompt });
      } catch (e) {
        if (e instanceof TemplateError) return null;
        throw e;
      }
    });
    const tools = TOOLS.map((t) => ({ type: "function", function: { name: t.name, description: t.description, parameters: t.input_schema } }));
    const given = asked.map(({ messages, prompt }) => ({ template: read(file), messages, tools, add_generation_prompt: prompt, named }));
    const theirs: unknown = JSON.parse(
      execFileSync(python.python, [join(packageRoot(), "python", "tests", "test_chat_template.py"), "given"], {
        input: JSON.stringify(given),
        encoding: "utf8",
        maxBuffer: 1 << 28,
        env: { ...process.env, PYTHONPATH: python.pythonPath },
      }),
    );
    expect(mine).toEqual(theirs);
    expect(mine.filter((text) => text !== null).length).toBeGreaterThan(8);
  });
});

/** A conversation up to each of its messages, from the user's first. */
const prefixes = (messages: readonly Message[]): Message[][] => messages.slice(1).map((_, i) => messages.slice(0, i + 2));
