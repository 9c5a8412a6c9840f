/** The real command in temporary folders: usage, exit codes, what is printed where. */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { CATALOGUE } from "../../src/cli/catalogue.ts";
import { RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

describe("usage", () => {
  test("--version prints the package's version and loads nothing of ours", async () => {
    const { version } = JSON.parse(readFileSync("package.json", "utf8")) as { version: string };
    const traced = await rig.run(rig.project(null), ["--version"], { NODE_DEBUG: "esm" });
    expect(traced.code).toBe(0);
    expect(traced.out).toBe(`${version}\n`);
    // esbuild's own helpers, which a release leaves out (tests/packaging).
    expect(traced.err).not.toMatch(/chunks\/(?!chunk-)/);
  });

  test("help names every command, and every command has an example", async () => {
    const all = await rig.run(rig.project(null), []);
    expect(all.code).toBe(0);
    for (const { name, summary } of CATALOGUE) expect(all.out).toMatch(new RegExp(`^  ${name} .*${summary.slice(0, 10)}`, "m"));
    for (const { name } of CATALOGUE) {
      const groups: Readonly<Record<string, string>> = { tools: "inspect", store: "verify", data: "convert", models: "add" };
      const help = await rig.run(rig.project(null), [name, ...(groups[name] === undefined ? [] : [groups[name]]), "--help"]);
      expect(help.code, name).toBe(0);
      expect(help.out, name).toMatch(/Examples?[^\n]*:\n {2}\$ forge /);
    }
  });

  test("`help COMMAND` is `COMMAND --help`", async () => {
    const dir = rig.project(null);
    expect(await rig.run(dir, ["help", "plan"])).toEqual(await rig.run(dir, ["plan", "--help"]));
  });

  test.each([
    [["aply"], "did you mean `apply`?"],
    [["apply", "--forse"], "did you mean `--force`?"],
    [["tools", "inspec"], "did you mean `inspect`?"],
    [["apply", "--wait-lock", "soon"], "number of seconds"],
    [["stub"], "one of them"],
    [["store"], "`forge store --help` lists them"],
    [["apply", "a.yaml", "b.yaml"], "too many arguments"],
    [["--frobnicate"], "unknown option"],
    [["tools", "inspect", "--stub", "weather", "--server", "x"], "not several"],
    [["tools", "inspect", "--server", "'open"], "open single quote"],
    [["tools", "inspect", "--stub", "wether"], "weather"],
    [["stub", "wether"], "weather"],
  ])("%j is wrong usage: exit 4, the mending word, nothing on stdout", async (args, text) => {
    const ended = await rig.run(rig.project(), args);
    expect(ended.err).toContain(text);
    expect(ended.err).not.toMatch(/\n\s+at /);
    expect(ended.out).toBe("");
    expect(ended.code).toBe(4);
  });

  test("a missing recipe and a wrong one: exit 4, with the place", async () => {
    const missing = await rig.run(rig.project(null), ["apply"]);
    expect(missing.code).toBe(4);
    expect(missing.err).toContain("forge.yaml");
    const wrong = await rig.run(rig.project(RECIPE.replace("samples", "sampels")), ["plan"]);
    expect(wrong.code).toBe(4);
    expect(wrong.err).toContain("forge.yaml:5:");
    expect(wrong.err).toContain("did you mean `samples`?");
  });

  test("MCP_FORGE_CONFIG names the recipe; an argument wins over it", async () => {
    const dir = rig.project(null);
    writeFileSync(join(dir, "mine.yaml"), RECIPE);
    const env = { MCP_FORGE_CONFIG: "mine.yaml" };
    expect((await rig.run(dir, ["plan", "--quiet"], env)).code).toBe(2);
    expect((await rig.run(dir, ["plan", "other.yaml"], env)).err).toContain("other.yaml");
  });
});

describe("apply and plan", () => {
  test("plan finds work (2), apply does it (0), plan finds none (0), apply is one line", async () => {
    const dir = rig.project();
    expect((await rig.run(dir, ["plan"])).code).toBe(2);
    expect(existsSync(join(dir, ".mcp-forge"))).toBe(false);
    const first = await rig.run(dir, ["apply"]);
    expect(first.err).toBe("");
    expect(first.code).toBe(0);
    expect(first.out).toMatch(/^train: started/m);
    expect(first.out).toMatch(/✓ qa +schema_pass_rate +1\.000 +- +0\.980 +50 +-/);
    expect(first.out).toMatch(/try it: forge try dist\/toy "/);
    expect(existsSync(join(dir, "dist/toy/agent.yaml"))).toBe(true);
    expect((await rig.run(dir, ["plan"])).code).toBe(0);
    const second = await rig.run(dir, ["apply"]);
    expect(second).toMatchObject({ code: 0, err: "" });
    expect(second.out).toMatch(/^up to date: toy, 6 steps unchanged \(.*\), bundle in dist\/toy\n$/);
  });

  test("an unchanged apply loads neither listr2 nor execa nor the SDK", async () => {
    const dir = rig.project();
    await rig.run(dir, ["apply"]);
    // Quietly, for no note is asked then (tests/cli/unchanged.test.ts).
    const traced = await rig.run(dir, ["apply", "--quiet"], { NODE_V8_COVERAGE: join(dir, "coverage") });
    expect(traced.code).toBe(0);
    const { readdirSync } = await import("node:fs");
    const loaded = readdirSync(join(dir, "coverage"))
      .map((f) => readFileSync(join(dir, "coverage", f), "utf8"))
      .join("");
    expect(loaded).toMatch(/chunks\/apply/);
    expect(loaded).not.toMatch(/chunks\/(live|execa|listr2|doctor|open)-/);
  });

  test("a changed recipe says why in the plan, in the recipe's words", async () => {
    const dir = rig.project();
    await rig.run(dir, ["apply"]);
    writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
    const plan = await rig.run(dir, ["plan"]);
    expect(plan.code).toBe(2);
    expect(plan.out).toMatch(/data\.samples.*100 → 200/);
    const json = JSON.parse((await rig.run(dir, ["plan", "--json"])).out) as { work: boolean; nodes: { id: string; status: string }[] };
    expect(json.work).toBe(true);
    expect(json.nodes.find((n) => n.id === "generate")?.status).toBe("run");
  });

  test("a refused gate: exit 3, nothing packed, the advice; pack --unproven packs", async () => {
    const dir = rig.project();
    const env = { TOY_RATE: "0.5" };
    const refused = await rig.run(dir, ["apply"], env);
    expect(refused.code).toBe(3);
    expect(refused.out).toContain("schema_pass_rate 0.500 < 0.98 (n = 50)");
    expect(refused.out).toContain("look at the dropped samples");
    expect(existsSync(join(dir, "dist"))).toBe(false);
    expect(refused.out).toContain("marked as unproven: forge pack forge.yaml --unproven");
    // Nothing is to be done, and all is not well.
    const plan = await rig.run(dir, ["plan"], env);
    expect([plan.code, plan.out]).toEqual([3, expect.stringContaining("nothing can run: refused by gate:qa; ")]);
    expect((await rig.run(dir, ["apply", "--dry-run"], env)).code).toBe(3);
    const status = await rig.run(dir, ["status"], env);
    expect([status.code, status.out]).toEqual([0, expect.stringMatching(/^toy: refused by gate:qa\n/)]);
    expect(JSON.parse((await rig.run(dir, ["status", "--json"], env)).out)).toMatchObject({ upToDate: false, refused: ["gate:qa"] });
    const lockfile = readFileSync(join(dir, "forge.lock"), "utf8");
    expect((await rig.run(dir, ["pack", "--unproven"], env)).code).toBe(0);
    expect(existsSync(join(dir, "dist"))).toBe(true);
    expect(readFileSync(join(dir, "forge.lock"), "utf8")).toBe(lockfile);
    expect((await rig.run(dir, ["apply", "--locked"], env)).code).toBe(3);
  });

  test("values of a recipe cannot drive the terminal", async () => {
    const dir = rig.project(RECIPE.replace("name: toy", "name: toy\nmodel: { family: smollm2 }"));
    await rig.run(dir, ["apply"]);
    writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("- stub: weather", '- mcp: { command: "x\\x1b[2Jy" }'));
    for (const args of [["plan"], ["why", "inspect"]]) expect((await rig.run(dir, args)).out).not.toContain("\u001b");
  });

  test("a variant's bundle and reports lie beside the recipe's own", async () => {
    const dir = rig.project(`${RECIPE}bundle: { output: out/toy/ }\nvariants: { ci: { data: { samples: 50 } } }\n`);
    await rig.run(dir, ["apply"]);
    const proven = readFileSync(join(dir, "out/toy/agent.yaml"), "utf8");
    const ci = await rig.run(dir, ["apply", "--variant", "ci"]);
    expect([ci.code, existsSync(join(dir, "out/toy-ci/agent.yaml")), readFileSync(join(dir, "out/toy/agent.yaml"), "utf8")]).toEqual([0, true, proven]);
    const status = async () => (JSON.parse((await rig.run(dir, ["status", "--json"])).out) as { bundle: { present: boolean; current: boolean } }).bundle;
    expect(await status()).toMatchObject({ present: true, current: true });
    writeFileSync(join(dir, "out/toy/agent.yaml"), "another's");
    expect(await status()).toMatchObject({ present: true, current: false });
  });

  test("a failure of the surroundings is none of forge's", async () => {
    const dir = rig.project();
    mkdirSync(join(dir, ".mcp-forge"));
    writeFileSync(join(dir, ".mcp-forge/lock"), "");
    for (const args of [["apply"], ["gc", "--yes"]]) {
      const ended = await rig.run(dir, args);
      expect([args, ended.code, ended.err]).toEqual([args, 6, expect.stringMatching(/a file stands where a folder is needed|something else stands/)]);
      expect(ended.err).not.toMatch(/\n\s+at |a bug/);
    }
  });

  test("a stage that fails: exit 1, the failure with its help on stderr", async () => {
    const ended = await rig.run(rig.project(), ["apply"], { TOY_FAIL: "train" });
    expect(ended.code).toBe(1);
    expect(ended.err).toMatch(/error\[toy\/failed\]: train cannot go on\n.*help: Unset TOY_FAIL\./);
  });

  test("--json: events only on stdout, the last one with the exit code", async () => {
    const ended = await rig.run(rig.project(), ["apply", "--json"], { TOY_FAIL: "train" });
    const events = ended.out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line) as { seq: number; type: string; exit?: number });
    expect(events.map((e) => e.seq)).toEqual(events.map((_, i) => i + 1));
    expect(events[0]?.type).toBe("run-started");
    expect(events.at(-1)).toMatchObject({ type: "run-finished", exit: 1 });
    expect(ended.err).toContain("toy/failed");
  });

  test("--quiet prints nothing when all is well", async () => {
    expect(await rig.run(rig.project(), ["apply", "--quiet"])).toEqual({ code: 0, out: "", err: "" });
  });

  test("stage commands stop at their stage, gate included", async () => {
    const dir = rig.project();
    const qa = await rig.run(dir, ["qa"]);
    expect(qa.code).toBe(0);
    expect(qa.out).toContain("gate:qa: passed");
    expect(qa.out).not.toContain("train:");
    expect((await rig.run(rig.project(), ["qa"], { TOY_RATE: "0.5" })).code).toBe(3);
  });

  test("--locked fails where the recipe and the lockfile differ", async () => {
    const dir = rig.project();
    await rig.run(dir, ["apply"]);
    expect((await rig.run(dir, ["apply", "--locked"])).code).toBe(0);
    writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
    const locked = await rig.run(dir, ["apply", "--locked"]);
    expect(locked.code).toBe(4);
    expect(locked.err).toContain("forge.lock");
    const dry = await rig.run(dir, ["apply", "--locked", "--dry-run"]);
    expect([dry.code, dry.err]).toEqual([4, locked.err]);
  });

  test("--force runs a stage though nothing changed; an unknown one is exit 4", async () => {
    const dir = rig.project();
    await rig.run(dir, ["apply"]);
    expect((await rig.run(dir, ["apply", "--force", "train", "forge.yaml"])).out).toContain("train: started");
    expect((await rig.run(dir, ["apply", "--force", "trian"])).code).toBe(4);
  });

  test("--from runs a stage and what follows; --dry-run says so and runs nothing; --jobs takes a whole number", async () => {
    const dir = rig.project();
    const dry = await rig.run(dir, ["apply", "--dry-run"]);
    expect(dry).toMatchObject({ code: 2, err: "" });
    expect(existsSync(join(dir, ".mcp-forge"))).toBe(false);
    await rig.run(dir, ["apply"]);
    expect((await rig.run(dir, ["apply", "--dry-run"])).code).toBe(0);
    const from = await rig.run(dir, ["apply", "--from", "train", "--dry-run"]);
    expect(from.code).toBe(2);
    expect(from.out).toMatch(/= generate +unchanged[\s\S]*\+ train +will run +forced/);
    const ran = await rig.run(dir, ["apply", "--from", "train", "--jobs", "2", "--keep-going"]);
    expect(ran.out).toMatch(/^train: started/m);
    expect(ran.out).not.toMatch(/^generate: started/m);
    for (const wrong of ["0", "two", "1.5"]) expect((await rig.run(dir, ["apply", "--jobs", wrong])).code).toBe(4);
  });

  test("status says that a lockfile cannot be used, as apply does", async () => {
    const dir = rig.project();
    await rig.run(dir, ["apply"]);
    writeFileSync(join(dir, "forge.lock"), `<<<<<<< ours\n${readFileSync(join(dir, "forge.lock"), "utf8")}>>>>>>> theirs\n`);
    for (const command of ["apply", "status"]) {
      const ended = await rig.run(dir, [command]);
      expect([ended.code, ended.err]).toEqual([4, expect.stringContaining("forge.lock has an unresolved merge conflict")]);
    }
  });

  test("status before and after", async () => {
    const dir = rig.project();
    const before = await rig.run(dir, ["status"]);
    expect(before.code).toBe(0);
    expect(before.out).toContain("never ran");
    await rig.run(dir, ["apply"]);
    const after = await rig.run(dir, ["status"]);
    expect(after.out).toMatch(/^toy: up to date/);
    expect(after.out).toMatch(/✓ train +done/);
    const json = JSON.parse((await rig.run(dir, ["status", "--json"])).out) as {
      upToDate: boolean;
      bundle: { present: boolean };
      nodes: { id: string; passed?: boolean }[];
    };
    expect(json).toMatchObject({ upToDate: true, bundle: { present: true } });
    expect(json.nodes.find((n) => n.id === "gate:qa")?.passed).toBe(true);
  });
});

describe("init", () => {
  test("what it writes is a recipe that plan accepts, and it overwrites nothing", async () => {
    const dir = rig.project(null);
    expect((await rig.run(dir, ["init"])).code).toBe(0);
    expect((await rig.run(dir, ["plan", "--quiet"])).code).toBe(2);
    const written = readFileSync(join(dir, "forge.yaml"), "utf8");
    const schema = /yaml-language-server: \$schema=(.*)/.exec(written)?.[1] ?? "";
    expect(JSON.parse(readFileSync(join(dir, schema), "utf8"))).toMatchObject({ title: "Recipe" });
    const again = await rig.run(dir, ["init"]);
    expect(again.code).toBe(4);
    expect(again.err).toContain("--force");
    expect(readFileSync(join(dir, "forge.yaml"), "utf8")).toBe(written);
  });

  test("git is told what it need not keep, once", async () => {
    const dir = rig.project(null);
    writeFileSync(join(dir, ".gitignore"), "node_modules");
    expect((await rig.run(dir, ["init"])).out).toContain("added to .gitignore");
    expect(readFileSync(join(dir, ".gitignore"), "utf8")).toBe(
      "node_modules\n.mcp-forge/\ndist/weather-expert/\ndist/weather-expert-*/\ndist/weather-expert.edited-*/\n",
    );
    expect((await rig.run(dir, ["init", "--force"])).out).not.toContain(".gitignore");
    writeFileSync(join(dir, ".gitignore"), ".mcp-forge\n/dist\n");
    expect((await rig.run(dir, ["init", "--force"])).out).not.toContain(".gitignore");
  });

  test("a name that a shell would split is quoted in what to type next", async () => {
    expect((await rig.run(rig.project(null), ["init", "my recipe.yaml"])).out).toContain(
      'next: forge plan "my recipe.yaml", then forge apply "my recipe.yaml"\n',
    );
  });

  test("a server of one's own, comments kept", async () => {
    const dir = rig.project(null);
    const ended = await rig.run(dir, ["init", "files.yaml", "--name", "file-clerk", "--server", "npx -y 'a server' ."]);
    expect(ended).toMatchObject({ code: 0, err: "" });
    const text = readFileSync(join(dir, "files.yaml"), "utf8");
    expect(text).toContain("name: file-clerk");
    expect(text).toContain("dist/file-clerk");
    expect(text).toContain("# The base model");
    expect(text).toMatch(/command: npx[\s\S]*a server/);
    expect((await rig.run(dir, ["plan", "files.yaml", "--quiet"])).code).toBe(2);
  });
});

describe("tools inspect", () => {
  test("lists a stub's tools, required parameters marked, and saves them", async () => {
    const dir = rig.project(null);
    const ended = await rig.run(dir, ["tools", "inspect", "--stub", "weather", "--output", "tools.json"]);
    expect(ended).toMatchObject({ code: 0, err: "" });
    expect(ended.out).toMatch(/get_forecast[\s\S]*location\* +string[\s\S]*days +integer 1\.\.14/);
    const saved = JSON.parse(readFileSync(join(dir, "tools.json"), "utf8")) as { hash: string; tools: unknown[] };
    expect(saved.tools).toHaveLength(3);
    const json = await rig.run(dir, ["tools", "inspect", "--json"], { MCP_FORGE_CONFIG: "forge.yaml" });
    expect(json.code).toBe(4);
    writeFileSync(join(dir, "forge.yaml"), RECIPE);
    expect(JSON.parse((await rig.run(dir, ["tools", "inspect", "--json"])).out)).toMatchObject({ hash: saved.hash });
  });

  test("a server by its command line; one that is not there is exit 6 or 1 with a hint", async () => {
    const dir = rig.project(null);
    const ended = await rig.run(dir, ["tools", "inspect", "--server", `"${process.execPath}" "${rig.forge}" stub filesystem`]);
    expect(ended.code).toBe(0);
    expect(ended.out).toContain("read_text_file");
    const absent = await rig.run(dir, ["tools", "inspect", "--server", "no-such-server-xyz"]);
    expect([1, 6]).toContain(absent.code);
    expect(absent.err).toContain("help:");
  });
});

describe("tools import", () => {
  test("turns OpenAI's functions into a toolset file that the other commands read", async () => {
    const dir = rig.project(null);
    const call = {
      name: "get_quote",
      description: "Get a quote.",
      parameters: { type: "object", properties: { symbol: { type: "string" } }, required: ["symbol"] },
    };
    writeFileSync(
      join(dir, "functions.json"),
      JSON.stringify([
        { type: "function", function: call },
        { type: "function", ...call, name: "get_news" },
      ]),
    );
    const ended = await rig.run(dir, ["tools", "import", "--from", "functions.json", "--output", "tools.json"]);
    expect(ended).toMatchObject({ code: 0, err: "", out: expect.stringContaining("saved in tools.json") });
    const saved = JSON.parse(readFileSync(join(dir, "tools.json"), "utf8")) as { tools: { name: string; source: string }[] };
    expect(saved.tools.map((t) => [t.name, t.source])).toEqual([
      ["get_quote", "openai"],
      ["get_news", "openai"],
    ]);
    const hashes = await Promise.all(
      [
        ["--openai", "functions.json"],
        ["--file", "tools.json"],
        ["--server", `"${process.execPath}" "${rig.forge}" stub --from tools.json`],
      ].map(async (flags) => {
        const shown = await rig.run(dir, ["tools", "inspect", ...flags, "--json"]);
        return (JSON.parse(shown.out) as { hash: string }).hash;
      }),
    );
    expect(new Set(hashes).size).toBe(1);
  });

  test.each([
    [["tools", "import", "--from", "none.json", "--output", "x.json"], 4, "there is no such file"],
    [["tools", "import", "--from", "forge.yaml", "--output", "x.json"], 4, "no usable name"],
    [["tools", "inspect", "--header", "A: b", "--stub", "weather"], 4, "--header goes with"],
    [["tools", "inspect", "--header", "Authorization", "--server", "http://127.0.0.1:1/mcp"], 4, "NAME: VALUE"],
    [["tools", "inspect", "--server", "http://127.0.0.1:45999/mcp?key=sk-hidden"], 6, "nothing listens there"],
    [["stub"], 4, "one of them"],
    [["stub", "--from", "none.json"], 4, "there is no such file"],
    [["stub", "--from", "forge.yaml", "--seed", "-1"], 4, "--seed takes"],
  ])("%j ends with code %i and a word about it", async (args, code, words) => {
    const dir = rig.project(RECIPE);
    const ended = await rig.run(dir, args);
    expect(ended).toMatchObject({ code, err: expect.stringContaining(words) });
    expect(ended.err).not.toContain("sk-hidden");
  });
});

test("doctor: findings, never a key's value, exit 0 or 6 and a last line that says which", async () => {
  const ended = await rig.run(rig.project(null), ["doctor"], { HF_TOKEN: "hf_abcdefghijklmnopqrstuvwxyz" });
  expect([0, 6]).toContain(ended.code);
  expect(ended.out).toContain("HF_TOKEN is set");
  expect(ended.out + ended.err).not.toContain("abcdefgh");
  expect(ended.out).toMatch(ended.code === 0 ? /Ready to train: nano \(\d+ GB\), smollm2 \(\d+ GB\)\n$/ : /Not ready: .*\n$/);
  const broken = await rig.run(rig.project(null), ["doctor", "--json"], { MCP_FORGE_PYTHON: "/no/such/python" });
  expect(broken.code).toBe(6);
  const { findings } = JSON.parse(broken.out) as { findings: { check: string; status: string; fix?: string }[] };
  expect(findings.find((f) => f.check === "python")).toMatchObject({ status: "missing", fix: expect.stringContaining("MCP_FORGE_PYTHON") });
});

test("doctor: the recipe at hand, --fix, the proxy without its password", async () => {
  const dir = rig.project(RECIPE.replace("samples", "sampels"));
  expect((await rig.run(dir, ["doctor"])).err).toContain("did you mean `samples`?");
  const env = { HTTPS_PROXY: "http://user:hunter2hunter2@proxy.example:3128" };
  const ended = await rig.run(rig.project(), ["doctor"], env);
  expect(ended.out).toMatch(/network +through the proxy http:\/\/\[redacted\]@proxy\.example:3128/);
  expect(ended.out).not.toContain("hunter2");
  const bare = await rig.run(rig.project(), ["doctor", "--offline"], { XDG_CACHE_HOME: join(dir, "nothing") });
  expect([bare.code, bare.out]).toEqual([6, expect.stringMatching(/✗ packages[\s\S]*✗ model +SmolLM2[\s\S]*with a network: forge doctor --fix/)]);
  const secret = rig.project(RECIPE.replace("- stub: weather", '- mcp: { command: x, env: { TOKEN: "${secret:SERVER_TOKEN}" } }'));
  const unset = await rig.run(secret, ["doctor"]);
  expect([unset.code, unset.out]).toEqual([6, expect.stringContaining("✗ keys      SERVER_TOKEN is not set, and a tool server of the recipe needs it")]);
  expect((await rig.run(secret, ["doctor"], { SERVER_TOKEN: "s3cr3t-value" })).out).toContain("SERVER_TOKEN is set");
  const offline = await rig.run(rig.project(), ["doctor", "--fix", "--offline"]);
  expect(offline.code).toBe(6);
  expect(offline.err).toMatch(/error\[offline\/missing\]: forge's own Python environment .* and --offline forbids fetching it/);
});
