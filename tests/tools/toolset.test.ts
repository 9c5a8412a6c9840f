/** Normalising definitions, the toolset's hash, definitions from files, results as text, arguments. */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { argumentChecks, compileSchema } from "../../src/tools/arguments.ts";
import { openTools } from "../../src/tools/open.ts";
import { bound, MAX_RESULT_CHARACTERS, resultText } from "../../src/tools/result-text.ts";
import { cleanText, normaliseTools, toolsetHash } from "../../src/tools/toolset.ts";
import { temporaryFolder } from "./rig.ts";

const TOOL = { name: "a", description: "A tool.", input_schema: { type: "object", properties: { x: { type: "string" }, y: { type: "integer" } } } };

describe("the hash", () => {
  it("is the published one of a known toolset", () => {
    // echo -n '[{"description":"A tool.","input_schema":{"properties":{"x":{"type":"string"},"y":{"type":"integer"}},"type":"object"},"name":"a"}]' | sha256sum
    expect(toolsetHash([TOOL])).toBe("sha256:7a5bc685050224386b3176b0efc421381b77dfa03dcfacc851d0108feddd527f");
  });

  it("does not depend on the order of keys or on where a tool comes from, and does on everything else", () => {
    const base = toolsetHash([TOOL]);
    const same = {
      input_schema: { properties: { y: { type: "integer" }, x: { type: "string" } }, type: "object" },
      description: "A tool.",
      name: "a",
      source: "mcp",
      origin: "mcp:x",
    };
    expect(toolsetHash([same])).toBe(base);
    for (const other of [
      { ...TOOL, name: "b" },
      { ...TOOL, description: "A tool" },
      { ...TOOL, input_schema: { type: "object" } },
    ])
      expect(toolsetHash([other])).not.toBe(base);
    expect(toolsetHash([TOOL, { ...TOOL, name: "b" }])).not.toBe(toolsetHash([{ ...TOOL, name: "b" }, TOOL]));
  });
});

describe("normalising", () => {
  it("drops the dialect, fills in type and properties, keeps known hints only", async () => {
    const raw = {
      name: "a",
      input_schema: { $schema: "http://json-schema.org/draft-07/schema#" },
      annotations: { readOnlyHint: true, title: "x", destructiveHint: "no" },
    };
    expect(await normaliseTools([raw], "mcp", "mcp:x")).toEqual({
      ok: true,
      value: [
        { name: "a", description: "", input_schema: { type: "object", properties: {} }, source: "mcp", origin: "mcp:x", annotations: { readOnlyHint: true } },
      ],
    });
  });

  it("takes schemas of both dialects", () => {
    const draft7 = { type: "object", properties: { a: { type: "array", items: [{ type: "string" }], additionalItems: false } }, dependencies: { a: ["b"] } };
    const draft2020 = { type: "object", properties: { a: { type: "array", prefixItems: [{ type: "string" }] } }, dependentRequired: { a: ["b"] } };
    expect(compileSchema(draft7, "http://json-schema.org/draft-07/schema#").ok).toBe(true);
    expect(compileSchema(draft2020, "https://json-schema.org/draft/2020-12/schema").ok).toBe(true);
    expect(compileSchema(draft7).ok).toBe(true);
  });

  it("survives any description, and a second pass changes nothing", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (text) => {
        const once = cleanText(text);
        expect(cleanText(once)).toBe(once);
        expect(Buffer.from(once, "utf8").toString("utf8")).toBe(once);
        // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
        expect(once).not.toMatch(/[\u0000-\u0008\u000b-\u001f\u007f]/);
      }),
    );
    expect(cleanText("\u001b[31mred\u001b[0m\r\nline\ud800")).toBe("[31mred[0m\nline\ufffd");
  });

  it("refuses a schema that is nested without end", async () => {
    let schema: object = { type: "string" };
    for (let i = 0; i < 100; i++) schema = { type: "object", properties: { x: schema } };
    expect(await normaliseTools([{ name: "a", input_schema: schema }], "mcp", "mcp:x")).toMatchObject({ ok: false, error: { code: "tools/invalid-schema" } });
  });
});

describe("choices that no value can make", () => {
  it.each([
    [
      { type: "array", items: { type: "string" }, enum: ["noise", "co2"] },
      { type: "array", items: { type: "string", enum: ["noise", "co2"] } },
    ],
    [
      { type: "array", enum: ["noise", "co2"], description: "which" },
      { type: "array", description: "which", items: { type: "string", enum: ["noise", "co2"] } },
    ],
    [
      { type: "integer", enum: ["Group A", "Group B"] },
      { type: "string", enum: ["Group A", "Group B"] },
    ],
    [
      { type: "object", properties: { enum: { type: "string", enum: [1, 2] } } },
      { type: "object", properties: { enum: { type: "number", enum: [1, 2] } } },
    ],
  ])("%j are mended", async (stated, mended) => {
    const tools = await normaliseTools([{ name: "t", input_schema: { type: "object", properties: { a: stated } } }], "file", "f");
    expect(tools.ok && tools.value[0]?.input_schema.properties).toEqual({ a: mended });
  });

  it.each([
    { type: "array", items: { type: "string" }, enum: [["a"], ["b"]] },
    { type: "string", enum: ["a", 1] },
    { type: "integer", enum: [1, "many"] },
    { type: ["string", "null"], enum: ["a", null] },
    { type: "boolean", enum: [] },
    { type: "array", items: { $ref: "#/properties/b" }, enum: ["x"] },
    { type: "object", properties: { type: { type: "string" }, enum: { type: "array", items: { type: "string" } } } },
    { type: "string", default: { type: "array", enum: ["x"] } },
  ])("%j stays as it is", async (stated) => {
    const tools = await normaliseTools([{ name: "t", input_schema: { type: "object", properties: { a: stated, b: {} } } }], "file", "f");
    if (tools.ok) expect(tools.value[0]?.input_schema.properties).toEqual({ a: stated, b: {} });
    else expect(tools.error.code).toBe("tools/invalid-schema");
  });
});

describe("arguments", () => {
  it("are checked, each problem named", () => {
    const check = argumentChecks([{ name: "a", input_schema: { type: "object", properties: { n: { type: "integer", maximum: 14 } }, required: ["n"] } }]).get(
      "a",
    );
    expect(check?.({ n: 3 })).toEqual({ valid: true, problems: [] });
    expect(check?.({ n: 15 }).problems).toEqual(["n must be <= 14"]);
    expect(check?.({}).problems).toEqual(["arguments must have required property 'n'"]);
  });

  it("are held each to its own pattern", () => {
    const input_schema = { type: "object", properties: { a: { type: "string", pattern: "^[a-z]+$" }, b: { type: "string", pattern: "^[0-9]+$" } } } as const;
    const check = argumentChecks([{ name: "a", input_schema }]).get("a");
    expect(check?.({ a: "x", b: "1" })).toEqual({ valid: true, problems: [] });
    expect(check?.({ a: "x", b: "x" }).valid).toBe(false);
  });
});

describe("definitions in files", () => {
  const openFile = async (name: string, text: string, kind: "openai" | "file") => {
    const dir = temporaryFolder();
    writeFileSync(join(dir, name), text);
    return openTools([kind === "openai" ? { openai: name } : { file: name }], { dir });
  };
  const FUNCTION = { name: "find", description: "Finds.", parameters: { type: "object", properties: { q: { type: "string" } }, required: ["q"] } };

  it.each([
    ["tools", [{ type: "function", function: FUNCTION }]],
    ["bare functions", [FUNCTION]],
    ["an object with tools", { tools: [{ type: "function", function: FUNCTION }] }],
    ["an object with functions", { functions: [FUNCTION] }],
  ])("reads OpenAI's shape: %s", async (_, content) => {
    const session = await openFile("functions.json", JSON.stringify(content), "openai");
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.toolset.tools).toEqual([
      { name: "find", description: "Finds.", input_schema: FUNCTION.parameters, source: "openai", origin: "openai:functions.json" },
    ]);
    expect(session.value.canExecute("find")).toBe(false);
    expect((await session.value.call("find", { q: "x" })).executed).toBe(false);
  });

  it("reads our own YAML", async () => {
    const session = await openFile(
      "tools.yaml",
      "tools:\n  - name: find\n    description: Finds.\n    input_schema:\n      type: object\n      properties: {q: {type: string}}\n",
      "file",
    );
    expect(session).toMatchObject({
      ok: true,
      value: { toolset: { tools: [{ name: "find", source: "file", input_schema: { properties: { q: { type: "string" } } } }] } },
    });
  });

  it.each([
    ["broken JSON", "{", "openai" as const, "no valid JSON"],
    ["no list", "{}", "openai" as const, "no list"],
    [
      "an alias bomb",
      `a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\ntools: [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]`,
      "file" as const,
      "alias",
    ],
  ])("refuses %s", async (_, text, kind, words) => {
    expect(await openFile("f", text, kind)).toMatchObject({
      ok: false,
      error: { code: "tools/unreadable-file", exit: 4, message: expect.stringContaining(words) },
    });
  });

  it("says what is missing", async () => {
    const dir = temporaryFolder();
    expect(await openTools([{ stub: { from: "tools.json" } }], { dir })).toMatchObject({
      ok: false,
      error: { code: "tools/unreadable-file", exit: 4, message: expect.stringContaining("no such file") },
    });
    expect(await openTools([{ stub: "wether" }], { dir })).toMatchObject({ ok: false, error: { code: "tools/unknown-stub", exit: 4 } });
    expect(await openTools([{ file: "nowhere.yaml" }], { dir })).toMatchObject({
      ok: false,
      error: { code: "tools/unreadable-file", message: expect.stringContaining("no such file") },
    });
  });
});

describe("results as text", () => {
  it.each([
    [
      "text parts",
      {
        content: [
          { type: "text", text: "a" },
          { type: "text", text: "b" },
        ],
      },
      "a\nb",
      false,
    ],
    ["an error", { content: [{ type: "text", text: "no" }], isError: true }, "no", true],
    ["structured content alone", { structuredContent: { t: 18 }, content: [] }, '{"t":18}', false],
    ["structured content beside a picture", { structuredContent: { data: "AAAA" }, content: [{ type: "image", data: "AAAA" }] }, "[image]", false],
    ["structured content beside an empty text", { structuredContent: { content: "" }, content: [{ type: "text", text: "" }] }, "", false],
    ["structured content beside its text", { structuredContent: { t: 18 }, content: [{ type: "text", text: "18 degrees" }] }, "18 degrees", false],
    [
      "pictures and links",
      {
        content: [
          { type: "image", mimeType: "image/png", data: "AAAA" },
          { type: "resource_link", uri: "file:///a" },
          { type: "resource", resource: { uri: "file:///b", blob: "AA" } },
          { type: "resource", resource: { uri: "x", text: "inside" } },
        ],
      },
      "[image: image/png]\n[resource: file:///a]\n[resource: file:///b]\ninside",
      false,
    ],
    ["nothing", { content: [] }, "", false],
    ["nonsense", { content: [null, 3, { type: "text" }] }, "[unknown content]\n[unknown content]\n[unknown content]", false],
    ["no content at all", { answer: 1 }, '{"answer":1}', false],
  ])("%s", (_, result, text, isError) => {
    expect(resultText(result)).toEqual({ text, isError });
  });

  it("is bounded, whatever comes", () => {
    fc.assert(fc.property(fc.anything(), (value) => resultText({ content: value }).text.length <= MAX_RESULT_CHARACTERS + 100));
    const long = resultText({ content: [{ type: "text", text: "x".repeat(MAX_RESULT_CHARACTERS * 3) }] });
    expect(long.text.length).toBeLessThan(MAX_RESULT_CHARACTERS + 100);
    expect(bound("ab😀", 3)).toBe("ab\n[cut: 2 more characters]");
  });
});
