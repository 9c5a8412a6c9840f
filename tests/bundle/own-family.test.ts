/** A bundle of a family that does not come with forge says itself how its model is talked to, and is read without the family's file. */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { loadBundle } from "../../src/bundle/read.ts";
import { verifyBundle } from "../../src/bundle/verify.ts";
import type { Family } from "../../src/models/family.ts";
import { createRenderer } from "../../src/models/render.ts";
import type { PromptTemplate } from "../../src/schemas/generated/prompt-template.ts";
import { official, officialFamily } from "../models/official-rig.ts";
import { packed } from "./support/packing.ts";
import { smollm2 } from "./support/toolsets.ts";

const special_tokens = ["<|begin_of_text|>", "<|start_header_id|>", "<|end_header_id|>", "<|eot_id|>"];
const { family: own } = smollm2();
const family = { ...own, name: "own", title: "Own Llama", template: "llama-3.jinja", special_tokens, stop_tokens: ["<|eot_id|>"] };
const made = () =>
  packed({ family, renderer: createRenderer(family), baseModel: { name: family.title, hf_id: null, revision: null, family: "own", license: "Apache-2.0" } });
const prompt = (dir: string): PromptTemplate => JSON.parse(readFileSync(join(dir, "prompt_template.json"), "utf8")) as PromptTemplate;

test("it names the template and the control tokens; one of a family that comes with forge does not", async () => {
  expect(prompt(await made())).toMatchObject({ family: "own", template: "llama-3.jinja", special_tokens });
  expect(prompt(await packed())).not.toHaveProperty("template");
  expect(prompt(await packed())).not.toHaveProperty("special_tokens");
});

test("it is verified and loaded by them", async () => {
  const dir = await made();
  const verified = await verifyBundle(dir, { deep: false });
  expect(verified.ok && verified.value.checks.filter((c) => !c.passed)).toEqual([]);
  const loaded = await loadBundle(dir);
  if (!loaded.ok) throw new Error(loaded.error.message);
  const asked = loaded.value.renderer.prompt([{ role: "user", content: "say <|eot_id|>" }], loaded.value.toolset.tools);
  expect(asked.startsWith("<|begin_of_text|><|start_header_id|>system")).toBe(true);
  expect(asked).toContain("say < |eot_id|>");
  expect(readFileSync(join(dir, "README.md"), "utf8")).toContain("`<|eot_id|>`");
});

test("a template that is not forge's is never run", async () => {
  const dir = await made();
  const file = join(dir, "prompt_template.json");
  for (const [template, message] of [
    ["own.jinja", "which this version does not have"],
    ["../../../tmp/own.jinja", "must match pattern"],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...prompt(dir), template: template }));
    const verified = await verifyBundle(dir, { deep: false });
    expect(verified.ok && verified.value.checks.flatMap((c) => (c.passed ? [] : [c.message])).join("\n")).toContain(message);
    expect((await loadBundle(dir)).ok).toBe(false);
  }
});

test("control words that do not fit its template, or would begin a line, are refused", async () => {
  const dir = await made();
  const file = join(dir, "prompt_template.json");
  const whole = prompt(dir);
  for (const [change, message] of [
    [{ special_tokens: ["<|eot_id|>"] }, "writes <|begin_of_text|>, which is none of `special_tokens`"],
    [{ stop_tokens: ["<|start_header_id|>"] }, "ends a turn with <|eot_id|>"],
    [{ stop_tokens: ["<|eot_id|>", "x\nSYSTEM y"] }, "has a control character"],
  ] as const) {
    writeFileSync(file, JSON.stringify({ ...whole, ...change }));
    const verified = await verifyBundle(dir, { deep: false });
    expect(verified.ok && verified.value.checks.flatMap((c) => (c.passed ? [] : [c.message])).join("\n")).toContain(message);
    expect((await loadBundle(dir)).ok).toBe(false);
  }
});

test("of a model that thinks it says so, and every program is told how a thought stands", async () => {
  const special = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"];
  const thinker = {
    ...own,
    name: "thinker",
    title: "Own Thinker",
    template: "qwen3-thinking.jinja",
    thinking: { open: "<think>", close: "</think>" },
    special_tokens: special,
    stop_tokens: ["<|im_end|>"],
  };
  const baseModel = { name: thinker.title, hf_id: null, revision: null, family: "thinker", license: "Apache-2.0" };
  const dir = await packed({ family: thinker, renderer: createRenderer(thinker), baseModel });
  const verified = await verifyBundle(dir, { deep: false });
  expect(verified.ok && verified.value.checks.filter((c) => !c.passed)).toEqual([]);
  const read = (name: string): string => readFileSync(join(dir, name), "utf8");
  expect(read("agent.yaml")).toContain("supports_thinking: true");
  expect(read("README.md")).toContain("what it writes between `<think>` and `</think>` is no answer");
  expect(read("Modelfile")).toContain("<think>\n{{ .Thinking }}\n</think>\n\n{{ end }}{{ .Content }}");
  expect(read("Modelfile")).toContain("{{ if and .IsThinkSet (not .Think) }}<think>\n\n</think>\n\n{{ end }}");
  expect((await loadBundle(dir)).ok && createRenderer(thinker).thinking).toMatchObject({ open: "<think>", opened: false });
  writeFileSync(join(dir, "agent.yaml"), read("agent.yaml").replace("supports_thinking: true", "supports_thinking: false"));
  const lying = await verifyBundle(dir, { deep: false });
  expect(lying.ok && JSON.stringify(lying.value.checks)).toContain("does not think, and its chat template lets it");
});

describe("a bundle whose chat template is the model's own", () => {
  const madeOfficial = (name: string) => {
    const family = { ...own, name: "own", title: "Own", ...officialFamily(name), stop_tokens: ["<|im_end|>"] } as unknown as Family;
    return packed({
      family,
      renderer: createRenderer(family),
      baseModel: { name: family.title, hf_id: null, revision: null, family: "own", license: "Apache-2.0" },
    });
  };

  test("says so, is verified, and talks by it", async () => {
    const dir = await madeOfficial("hermes.jinja");
    expect(prompt(dir)).toMatchObject({
      template: "chatml.jinja",
      chat_template: official("hermes.jinja").text,
      official: { rewrites: false, spacing: "python" },
    });
    expect(prompt(dir).call_syntax.example).toBe('<tool_call>\n{"name": "get_weather", "arguments": {}}\n</tool_call>');
    const verified = await verifyBundle(dir, { deep: false });
    expect(verified.ok && verified.value.checks.filter((c) => !c.passed)).toEqual([]);
    const loaded = await loadBundle(dir);
    if (!loaded.ok) throw new Error(loaded.error.message);
    expect(loaded.value.renderer.prompt([{ role: "user", content: "say <|im_end|>" }], [])).toContain(
      "You are a model of the tests.<|im_end|>\n<|im_start|>user\nsay < |im_end|>",
    );
    for (const file of ["README.md", "Modelfile"]) expect(readFileSync(join(dir, file), "utf8")).toContain("without");
    expect(readFileSync(join(dir, "Modelfile"), "utf8")).toContain("# Ollama writes the arguments of earlier calls without spaces");
  });

  test("is refused where that loses something, ends nowhere, or is another than it says", async () => {
    const dir = await madeOfficial("hermes.jinja");
    const whole = prompt(dir);
    const file = join(dir, "prompt_template.json");
    for (const [change, message] of [
      [{ chat_template: official("bare.jinja").text }, "it shows no tools, drops calls"],
      [{ chat_template: "{% macro f(n) %}{{ f(n) }}{{ f(n) }}{% endmacro %}{{ f(1) }}" }, "nests more than 400 levels"],
      [{ official: { rewrites: true, spacing: "python" } }, "is written otherwise than is said of it"],
    ] as const) {
      writeFileSync(file, JSON.stringify({ ...whole, ...change }));
      const verified = await verifyBundle(dir, { deep: false });
      expect(verified.ok && verified.value.checks.flatMap((c) => (c.passed ? [] : [c.message])).join("\n")).toContain(message);
      expect((await loadBundle(dir)).ok).toBe(false);
    }
  });
});
