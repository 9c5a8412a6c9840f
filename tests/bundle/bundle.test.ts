/** A bundle is whole or it is refused: packing, checking after every kind of damage, and trying. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { parse, stringify } from "yaml";
import { makeManifest } from "../../src/bundle/manifest.ts";
import { modelNames, packBundle } from "../../src/bundle/pack.ts";
import { chooseSmokeTests } from "../../src/bundle/smoke.ts";
import { tryBundle } from "../../src/bundle/try.ts";
import type { BundleCheck } from "../../src/bundle/types.ts";
import { verifyBundle } from "../../src/bundle/verify.ts";
import { digestTree } from "../../src/platform/hash.ts";
import { stubEntry, temporaryFolder } from "../tools/rig.ts";
import { CASES, packed, packInput, right, scripted } from "./support/packing.ts";

async function checksOf(dir: string, deep = false, more = {}): Promise<{ passed: boolean; failed: string[]; checks: readonly BundleCheck[] }> {
  const verified = await verifyBundle(dir, { deep, ...more });
  if (!verified.ok) throw new Error(verified.error.message);
  const failed = verified.value.checks.filter((c) => !c.passed).map((c) => `${c.check}: ${c.message}`);
  return { passed: verified.value.passed, failed, checks: verified.value.checks };
}

/** Makes the manifest fit what is in the folder: what a forger would do. */
async function rehash(dir: string): Promise<void> {
  const old = JSON.parse(readFileSync(join(dir, "manifest.json"), "utf8")) as { name: string; toolset_hash: string };
  writeFileSync(join(dir, "manifest.json"), JSON.stringify(await makeManifest(dir, { name: old.name, toolset_hash: old.toolset_hash })));
}

const edit = (dir: string, file: string, change: (text: string) => string): void =>
  writeFileSync(join(dir, file), change(readFileSync(join(dir, file), "utf8")));

describe("packing", () => {
  it("writes the reference's files, and a shallow check finds them whole", async () => {
    const dir = await packed();
    for (const file of [
      "model.gguf",
      "model.q4_k_m.gguf",
      "tools.json",
      "tools.openai.json",
      "prompt_template.json",
      "agent.yaml",
      "tests/validation.json",
      "README.md",
      "Modelfile",
      "LICENSE",
      "manifest.json",
    ]) {
      expect(existsSync(join(dir, file)), file).toBe(true);
    }
    expect(await checksOf(dir)).toMatchObject({ passed: true, failed: [] });
    const agent = parse(readFileSync(join(dir, "agent.yaml"), "utf8")) as Record<string, unknown>;
    expect(agent).toMatchObject({
      name: "weather-expert",
      created_at: "2026-01-02T03:04:05.000Z",
      toolset: { source: "stub:weather", command: "forge stub weather", sources: [{ stub: "weather", execute: "all" }] },
      runtime: { recommended_context_length: 2048, stop_tokens: ["<|im_end|>", "<|endoftext|>"], temperature: 0, supports_thinking: false },
      models: [
        { file: "model.gguf", format: "q8_0" },
        { file: "model.q4_k_m.gguf", format: "q4_k_m" },
      ],
    });
    expect(agent.unproven).toBeUndefined();
  });

  it("gives the same bytes for the same input", async () => {
    expect(await digestTree(await packed())).toBe(await digestTree(await packed()));
  });

  it("copies models, never links them", async () => {
    const input = await packInput();
    await packBundle(input);
    expect(statSync(join(input.outputDir, "model.gguf")).ino).not.toBe(statSync(input.models[0]?.path ?? "").ino);
  });

  it("says in every file that people or programs read that a bundle is unproven", async () => {
    const reason = "validate: tool_selection_accuracy 0.71, wanted 0.9";
    const dir = await packed({ unproven: { reasons: [reason] } });
    for (const file of ["README.md", "agent.yaml", "Modelfile"]) {
      const text = readFileSync(join(dir, file), "utf8").replaceAll("\\", "");
      expect(text, file).toContain("UNPROVEN");
      expect(text, file).toContain(reason);
    }
    for (const file of ["manifest.json", "prompt_template.json", "tests/validation.json"])
      expect(JSON.parse(readFileSync(join(dir, file), "utf8")), file).toMatchObject({ unproven: true });
    const verified = await verifyBundle(dir, { deep: false });
    expect(verified).toMatchObject({ ok: true, value: { passed: true, unproven: true } });
  });

  it("names a server as it is started, with secrets by name and keys masked", async () => {
    const dir = await packed({
      sources: [{ mcp: { command: "npx", args: ["-y", "some server", "--key=sk-abcdefghijklmnop1234"], env: { TOKEN: "${secret:MY_TOKEN}" } } }],
    });
    const text = readFileSync(join(dir, "agent.yaml"), "utf8");
    expect(text).not.toContain("sk-abcdefghijklmnop1234");
    expect(parse(text)).toMatchObject({
      toolset: { command: expect.stringContaining("npx -y 'some server'"), sources: [{ mcp: { env: { TOKEN: "${secret:MY_TOKEN}" } }, execute: "read_only" }] },
    });
  });

  it.each([
    [
      "a folder with something in it",
      "bundle/folder-not-empty",
      async () => {
        const input = await packInput();
        mkdirSync(input.outputDir);
        writeFileSync(join(input.outputDir, "mine.txt"), "mine");
        return input;
      },
    ],
    ["a name that is a path", "bundle/invalid-name", () => packInput({ name: "../x" })],
    ["no recorded case", "bundle/no-smoke-tests", () => packInput({ records: [] })],
    ["a model that is not there", "files/missing", () => packInput({ models: [{ format: "q8_0", path: "/nowhere.gguf" }] })],
  ])("refuses %s", async (_, code, input) => {
    expect(await packBundle(await input())).toMatchObject({ ok: false, error: { code } });
  });

  it("names models by their place and format", () => {
    expect(modelNames(["f16", "q8_0"])).toEqual(["model.gguf", "model.q8_0.gguf"]);
    expect(() => modelNames(["q8_0", "../x"])).toThrow();
    expect(() => modelNames([])).toThrow();
  });
});

describe("smoke tests", () => {
  const record = (id: string, good: boolean) => ({ id, calls: [], answer: null, ok: good });

  it("spread over scenarios and tools, right ones first", () => {
    const chosen = chooseSmokeTests(
      CASES,
      CASES.map((c) => record(c.id, c.id !== "standard/1")),
      5,
    );
    expect(chosen.map((t) => t.case.id)).toEqual(["edge/1", "no_tool/1", "standard/3", "standard/4", "standard/2"]);
    expect(
      chooseSmokeTests(
        [...CASES].reverse(),
        CASES.map((c) => record(c.id, c.id !== "standard/1")),
        5,
      ),
    ).toEqual(chosen);
  });

  it("fill up with wrong ones, recorded as wrong", () => {
    const chosen = chooseSmokeTests(
      CASES,
      CASES.map((c) => record(c.id, c.id === "edge/1")),
    );
    expect(chosen).toHaveLength(5);
    expect(chosen.filter((t) => t.recorded.ok)).toHaveLength(1);
  });
});

describe("checking after damage", () => {
  it.each<[string, string, (dir: string) => void | Promise<void>]>([
    ["a changed byte in the model", "files: model.gguf was changed", (d) => edit(d, "model.gguf", (t) => t.replace("q8", "q9"))],
    ["a longer model", "files: model.gguf has", (d) => appendFileSync(join(d, "model.gguf"), "x")],
    ["a missing file", "files: LICENSE is missing", (d) => unlinkSync(join(d, "LICENSE"))],
    ["a file too many", "files: extra.txt is not in the manifest", (d) => writeFileSync(join(d, "extra.txt"), "")],
    [
      "a link in place of a file",
      "files: tools.json is a link",
      (d) => {
        unlinkSync(join(d, "tools.json"));
        symlinkSync("/etc/hostname", join(d, "tools.json"));
      },
    ],
    ["a linked folder", "files: more is not in the manifest", (d) => symlinkSync("/etc", join(d, "more"))],
    [
      "a manifest that points outside",
      "manifest: manifest.json at /files/0/path",
      (d) => edit(d, "manifest.json", (t) => t.replace('"LICENSE"', '"../../etc/passwd"')),
    ],
    ["an absolute path", "manifest: manifest.json at /files/0/path", (d) => edit(d, "manifest.json", (t) => t.replace('"LICENSE"', '"/etc/passwd"'))],
    ["no manifest", "manifest: manifest.json is missing", (d) => unlinkSync(join(d, "manifest.json"))],
    ["a manifest that is no JSON", "manifest: manifest.json cannot be parsed", (d) => writeFileSync(join(d, "manifest.json"), "{")],
    [
      "aliases in agent.yaml",
      "schema: agent.yaml cannot be parsed",
      async (d) => {
        writeFileSync(join(d, "agent.yaml"), "a: &a [x]\nb: [*a, *a]\n");
        await rehash(d);
      },
    ],
    [
      "an unknown key in agent.yaml",
      "schema: agent.yaml: must NOT have additional properties",
      async (d) => {
        edit(d, "agent.yaml", (t) => `${t}surprise: 1\n`);
        await rehash(d);
      },
    ],
    [
      "requests that would carry other tools",
      "toolset: tools.openai.json has other tools than tools.json",
      async (d) => {
        edit(d, "tools.openai.json", (t) => t.replace("Get the current weather", "Get the old weather"));
        await rehash(d);
      },
    ],
    [
      "changed tools with a manifest that fits",
      "toolset: tools.json does not have the hash",
      async (d) => {
        edit(d, "tools.json", (t) => t.replace("Get the current weather", "Get the old weather"));
        await rehash(d);
      },
    ],
    [
      "a tool whose name is a path",
      "schema: tools.json at /tools/0/name",
      async (d) => {
        edit(d, "tools.json", (t) => t.replace('"get_weather"', '"../get_weather"'));
        await rehash(d);
      },
    ],
    [
      "a schema that does not compile",
      "schema: tools.json: the input schema of tool",
      async (d) => {
        edit(d, "tools.json", (t) => t.replace('"type": "integer"', '"type": "colour"'));
        await rehash(d);
      },
    ],
    [
      "another tool prompt",
      "the tool prompt is not what the tools render to",
      async (d) => {
        edit(d, "prompt_template.json", (t) => t.replaceAll("Call no tool", "Call a tool"));
        await rehash(d);
      },
    ],
    [
      "another Modelfile template",
      "template: the Modelfile's template",
      async (d) => {
        edit(d, "Modelfile", (t) => t.replace("Call no tool", "Call a tool"));
        await rehash(d);
      },
    ],
    [
      "a model that is no GGUF",
      "model: model.gguf is no GGUF",
      async (d) => {
        writeFileSync(join(d, "model.gguf"), "hello");
        await rehash(d);
      },
    ],
    [
      "a model outside the bundle",
      "schema: agent.yaml at /models/0/file",
      async (d) => {
        const agent = parse(readFileSync(join(d, "agent.yaml"), "utf8")) as { models: { file: string }[] };
        (agent.models[0] as { file: string }).file = "../../model.gguf";
        writeFileSync(join(d, "agent.yaml"), stringify(agent));
        await rehash(d);
      },
    ],
    [
      "an empty licence",
      "licence: LICENSE is empty",
      async (d) => {
        writeFileSync(join(d, "LICENSE"), " \n");
        await rehash(d);
      },
    ],
  ])("notices %s, and loads no model that is not the packed one", async (_, expected, damage) => {
    const dir = await packed();
    await damage(dir);
    const engine = scripted(right);
    const { passed, failed } = await checksOf(dir, true, { openEngine: engine.openEngine });
    expect(passed).toBe(false);
    expect(failed.join("\n")).toContain(expected);
    if (!failed.every((f) => f.startsWith("template"))) expect(engine.opened).toEqual([]);
  });

  it("says that there is no bundle", async () => {
    expect(await verifyBundle(join(temporaryFolder(), "none"))).toMatchObject({ ok: false, error: { code: "bundle/not-found", exit: 4 } });
    const dir = await packed();
    expect(await verifyBundle(join(dir, "README.md"))).toMatchObject({ ok: false, error: { code: "bundle/not-found" } });
    rmSync(dir, { recursive: true });
    mkdirSync(dir);
    expect((await checksOf(dir)).passed).toBe(false);
  });
});

describe("the deep check", () => {
  it("loads every model and runs the smoke tests", async () => {
    const dir = await packed();
    const engine = scripted(right);
    const { passed, checks } = await checksOf(dir, true, { openEngine: engine.openEngine });
    expect(checks.filter((c) => c.check === "smoke").map((c) => c.message)).toEqual([
      "model.gguf: 6 of 6 smoke tests right",
      "model.q4_k_m.gguf: 6 of 6 smoke tests right",
    ]);
    expect(passed).toBe(true);
    expect(engine.opened).toEqual([join(dir, "model.gguf"), join(dir, "model.q4_k_m.gguf")]);
  });

  it("fails when the model calls another tool, or none", async () => {
    const dir = await packed();
    const wrong = scripted((p) => right(p).replace("get_alerts", "get_weather"));
    expect((await checksOf(dir, true, { openEngine: wrong.openEngine })).failed.join()).toContain("standard/3");
    const silent = scripted(() => "I cannot say.");
    expect((await checksOf(dir, true, { openEngine: silent.openEngine })).passed).toBe(false);
  });
});

describe("trying", () => {
  /** Calls for Paris, then answers with the temperature that it read. */
  const talker = (prompt: string): string => {
    const read = /<tool_response>\n.*"temperature_c":(-?\d+)/.exec(prompt);
    return read === null ? '<tool_call>\n{"name":"get_weather","arguments":{"location":"Paris"}}\n</tool_call>' : `It is ${read[1]} degrees in Paris.`;
  };

  it("runs the stub that the bundle names, and gives call, result and answer", async () => {
    const tried = await tryBundle(await packed(), "How warm is Paris?", { openEngine: scripted(talker).openEngine, stubEntry: await stubEntry() });
    expect(tried).toMatchObject({ ok: true, value: { answer: expect.stringMatching(/^It is -?\d+ degrees in Paris\.$/), notes: [], unproven: false } });
    expect(tried.ok && tried.value.calls).toMatchObject([
      { name: "get_weather", arguments: { location: "Paris" }, executed: true, isError: false, result: expect.stringContaining('"location":"Paris"') },
    ]);
  });

  it("starts no server that the bundle names unless it is allowed to", async () => {
    const marker = join(temporaryFolder(), "started");
    const dir = await packed({
      sources: [{ mcp: { command: process.execPath, args: ["-e", `require("fs").writeFileSync(${JSON.stringify(marker)}, "")`] }, execute: "all" }],
    });
    const tried = await tryBundle(dir, "How warm is Paris?", { openEngine: scripted(() => "No idea.").openEngine });
    expect(tried).toMatchObject({ ok: true, value: { notes: [expect.stringContaining("not started")] } });
    expect(existsSync(marker)).toBe(false);
    expect(await tryBundle(dir, "How warm is Paris?", { openEngine: scripted(talker).openEngine, allowServers: true })).toMatchObject({
      ok: false,
      error: { code: "tools/server-exited" },
    });
    expect(existsSync(marker)).toBe(true);
  });

  it("says when a result is made up and when there is no answer", async () => {
    const dir = await packed({ sources: [{ stub: "weather", execute: "none" }] });
    const tried = await tryBundle(dir, "How warm is Paris?", {
      openEngine: scripted((p) => (p.includes("<tool_response>") ? "Fine." : talker(p))).openEngine,
      stubEntry: await stubEntry(),
    });
    expect(tried).toMatchObject({ ok: true, value: { answer: "Fine.", calls: [{ executed: false }], notes: [expect.stringContaining("made up")] } });
    const broken = await tryBundle(dir, "x", { openEngine: scripted(() => "<tool_call>\n{").openEngine, stubEntry: await stubEntry() });
    expect(broken).toMatchObject({ ok: true, value: { answer: null, notes: [expect.any(String), expect.stringContaining("last output")] } });
  });

  it("refuses a damaged bundle and an empty prompt", async () => {
    const dir = await packed();
    expect(await tryBundle(dir, "  ")).toMatchObject({ ok: false, error: { exit: 4 } });
    unlinkSync(join(dir, "tools.json"));
    expect(await tryBundle(dir, "hi", { openEngine: scripted(right).openEngine })).toMatchObject({
      ok: false,
      error: { code: "bundle/damaged", message: expect.stringContaining("tools.json is missing") },
    });
  });
});
