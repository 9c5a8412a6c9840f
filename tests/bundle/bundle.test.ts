/** A bundle is whole or it is refused: packing, checking after every kind of damage, and trying. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, unlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { parse, stringify } from "yaml";
import { makeManifest } from "../../src/bundle/manifest.ts";
import { modelNames, packBundle } from "../../src/bundle/pack.ts";
import { chooseSmokeTests } from "../../src/bundle/smoke.ts";
import { tryBundle } from "../../src/bundle/try.ts";
import type { BundleCheck } from "../../src/bundle/types.ts";
import { verifyBundle } from "../../src/bundle/verify.ts";
import { digestTree } from "../../src/platform/hash.ts";
import { benchmarkBundle } from "../../src/stages/benchmark-bundle.ts";
import { fakeServer, stubEntry, temporaryFolder } from "../tools/rig.ts";
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

  it("takes the adapter along, names it, and notices when it is gone or is no GGUF", async () => {
    const input = await packInput();
    const adapter = join(input.outputDir, "..", "lora.gguf");
    writeFileSync(adapter, "GGUF adapter");
    const made = await packBundle({ ...input, adapter });
    if (!made.ok) throw new Error(made.error.message);
    const dir = input.outputDir;
    expect(await checksOf(dir)).toMatchObject({ passed: true, failed: [] });
    expect(parse(readFileSync(join(dir, "agent.yaml"), "utf8"))).toMatchObject({ adapter: { file: "adapter.gguf", format: "lora" } });
    expect(readFileSync(join(dir, "README.md"), "utf8")).toContain("--lora adapter.gguf");
    writeFileSync(join(dir, "adapter.gguf"), "no adapter");
    await rehash(dir);
    expect((await checksOf(dir)).failed).toEqual(["model: adapter.gguf is no GGUF file"]);
    rmSync(join(dir, "adapter.gguf"));
    await rehash(dir);
    expect((await checksOf(dir)).failed).toEqual(["model: adapter.gguf is no file of the manifest"]);
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

  it("has a server's settings by name, and no key", async () => {
    const key = "hunter2hunter2";
    const dir = await packed({
      sources: [
        { mcp: { command: "run", args: ["--key", "${env:K}", "--token", key], env: { API_KEY: key } } },
        { mcp: { url: `https://host/mcp?key=${key}&city=\${env:CITY}`, headers: { "X-Key": "${env:K}" } } },
      ],
    });
    const text = readFileSync(join(dir, "agent.yaml"), "utf8");
    expect(text).not.toContain(key);
    expect(parse(text)).toMatchObject({
      toolset: {
        source: "mcp:run --key ${env:K} --token [redacted], mcp:https://host/mcp",
        command: "run --key '${env:K}' --token '[redacted]'",
        sources: [
          { mcp: { args: ["--key", "${env:K}", "--token", "[redacted]"], env: { API_KEY: "[redacted]" } } },
          { mcp: { url: "https://host/mcp?key=[redacted]&city=${env:CITY}", headers: { "X-Key": "${env:K}" } } },
        ],
      },
    });
  });

  it("does not claim that the file in it was measured where no report says so", async () => {
    const claim = "with the model file as it is here";
    expect(readFileSync(join(await packed(), "README.md"), "utf8")).toContain(claim);
    const dir = await packed({ measuredHere: false, unproven: { reasons: ["validate: it does not say which model"] } });
    const text = readFileSync(join(dir, "README.md"), "utf8");
    expect(text).not.toContain(claim);
    expect(text).toContain("Its figures may be those of another model");
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
      "another base model than the prompt's",
      "names: agent.yaml and prompt_template.json name different families",
      async (d) => {
        edit(d, "agent.yaml", (t) => t.replace("family: smollm2", "family: nano"));
        await rehash(d);
      },
    ],
    [
      "a base model by another name",
      "names: agent.yaml names another base model than SmolLM2-135M-Instruct",
      async (d) => {
        edit(d, "agent.yaml", (t) => t.replace("name: SmolLM2-135M-Instruct", "name: Better-8B"));
        await rehash(d);
      },
    ],
    [
      "a bundle by another name",
      "names: agent.yaml and manifest.json name different bundles",
      async (d) => {
        edit(d, "agent.yaml", (t) => t.replace("name: weather-expert", "name: other-expert"));
        await rehash(d);
      },
    ],
    [
      "a mark that was taken off in one place",
      "names: prompt_template.json says that the bundle is unproven, agent.yaml does not",
      async (d) => {
        edit(d, "prompt_template.json", (t) => t.replace('"version": 1,', '"version": 1, "unproven": true,'));
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

  it("says so where every smoke test is recorded as wrong: the bundle is whole, and none of them proves anything", async () => {
    const dir = await packed({ records: (await packInput()).records.map((r) => ({ ...r, ok: false })) });
    const { passed, checks } = await checksOf(dir, true, { openEngine: scripted(right).openEngine });
    expect(checks.find((c) => c.check === "smoke")?.message).toMatch(/prove nothing, the model got none of them right/);
    expect(passed).toBe(true);
  });

  it("fails when the model calls another tool, or none", async () => {
    const dir = await packed();
    const wrong = scripted((p) => right(p).replace("get_alerts", "get_weather"));
    expect((await checksOf(dir, true, { openEngine: wrong.openEngine })).failed.join()).toContain("standard/3");
    const silent = scripted(() => "I cannot say.");
    expect((await checksOf(dir, true, { openEngine: silent.openEngine })).passed).toBe(false);
  });
});

describe("a bundle that is used", () => {
  const engine = scripted(right);
  const use = async (dir: string, more = {}) => tryBundle(dir, "Who wrote Hamlet?", { openEngine: engine.openEngine, stubEntry: await stubEntry(), ...more });

  it.each<[string, string, (dir: string) => void | Promise<void>]>([
    ["a changed text", "README.md was changed", (d) => edit(d, "README.md", (t) => t.replace("weather", "whether"))],
    ["a changed model", "model.gguf was changed", (d) => edit(d, "model.gguf", (t) => t.replace("q8", "q9"))],
    ["a shorter model", "model.gguf has", (d) => edit(d, "model.gguf", (t) => t.slice(0, -1))],
    [
      "a model that lies elsewhere",
      "model.gguf is a link",
      (d) => {
        const elsewhere = join(temporaryFolder(), "model.gguf");
        writeFileSync(elsewhere, readFileSync(join(d, "model.gguf")));
        unlinkSync(join(d, "model.gguf"));
        symlinkSync(elsewhere, join(d, "model.gguf"));
      },
    ],
    ["a link that nobody listed", "more is not in the manifest, and a link", (d) => symlinkSync("/etc", join(d, "more"))],
    [
      "a model that nobody listed",
      "other.gguf is no file of the manifest",
      async (d) => {
        edit(d, "agent.yaml", (t) => t.replace("file: model.gguf", "file: other.gguf"));
        await rehash(d);
        writeFileSync(join(d, "other.gguf"), "GGUF other");
      },
    ],
    [
      "tools of another hash, with a manifest that fits",
      "tools.json does not have the hash",
      async (d) => {
        edit(d, "tools.json", (t) => t.replace("Get the current weather", "Get the old weather"));
        await rehash(d);
      },
    ],
  ])("is refused for %s, before its model is opened", async (_, expected, damage) => {
    const dir = await packed();
    await damage(dir);
    engine.opened.length = 0;
    expect(await use(dir)).toMatchObject({ ok: false, error: { code: "bundle/damaged", message: expect.stringContaining(expected), exit: 1 } });
    expect(engine.opened).toEqual([]);
  });

  it("may have a file beside it that nobody reads, and stops when it is interrupted", async () => {
    const dir = await packed();
    writeFileSync(join(dir, "notes.txt"), "mine");
    expect(await use(dir)).toMatchObject({ ok: true, value: { answer: "William Shakespeare.", ended: "answer" } });
    expect(await use(dir, { signal: AbortSignal.abort() })).toMatchObject({ ok: false, error: { exit: 130 } });
  });

  it("is measured with a model of its own only", async () => {
    const dir = await packed();
    writeFileSync(join(dir, "mine.gguf"), "GGUF mine");
    const cases = join(temporaryFolder(), "cases.jsonl");
    writeFileSync(cases, `${JSON.stringify(CASES[0])}\n`);
    expect(await benchmarkBundle(join(dir, "mine.gguf"), { cases })).toMatchObject({ ok: false, error: { code: "bundle/no-model", exit: 4 } });
    edit(dir, "model.gguf", (t) => t.replace("q8", "q9"));
    expect(await benchmarkBundle(dir, { cases })).toMatchObject({ ok: false, error: { code: "bundle/damaged" } });
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

  it("looks settings up where it is tried, for servers that are allowed, and says which is not set", async () => {
    const { source, dir: cwd } = fakeServer(`on["tools/call"] = () => ({ content: [{ type: "text", text: process.argv.slice(2).join() }] });
on["tools/list"] = () => ({ tools: [tool("get_weather")] });`);
    const dir = await packed({
      sources: [{ ...source, mcp: { ...source.mcp, args: ["server.mjs", "--api-key", "${env:FORGE_TEST_KEY}"] } }],
    });
    const ask = (allowServers: boolean) => tryBundle(dir, "How warm is Paris?", { openEngine: scripted(talker).openEngine, allowServers, cwd });
    expect(await ask(true)).toMatchObject({
      ok: false,
      error: { code: "tools/missing-setting", exit: 6, message: expect.stringContaining("`FORGE_TEST_KEY`") },
    });
    vi.stubEnv("FORGE_TEST_KEY", "key-of-the-taker");
    try {
      const allowed = await ask(true);
      expect(allowed.ok && allowed.value.calls[0]).toMatchObject({ result: "--api-key,key-of-the-taker", executed: true });
      const held = await ask(false);
      expect(held.ok && held.value.notes[0]).toContain("not started: mcp:node server.mjs --api-key ${env:FORGE_TEST_KEY}");
      expect(JSON.stringify(held)).not.toContain("key-of-the-taker");
    } finally {
      vi.unstubAllEnvs();
    }
  });

  it("says when an answer was cut off, and when there is nothing in it", async () => {
    const cut = await tryBundle(await packed(), "Who wrote Hamlet?", { openEngine: scripted(right, "limit").openEngine, stubEntry: await stubEntry() });
    expect(cut).toMatchObject({
      ok: true,
      value: { answer: "William Shakespeare.", ended: "token_limit", notes: [expect.stringContaining("the answer was cut off after 1 tokens")] },
    });
    const empty = await tryBundle(await packed(), "Who wrote Hamlet?", { openEngine: scripted(() => "").openEngine, stubEntry: await stubEntry() });
    expect(empty).toMatchObject({ ok: true, value: { ended: "empty_answer", notes: ["the model answered nothing"] } });
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
