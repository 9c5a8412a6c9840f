/** why, graph, gc and unlock as commands: what they print, and their exit codes. */
import { execFileSync, spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { age, size } from "../../src/cli/commands/gc.ts";
import { RECIPE, Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

test("why: reasons, sources and followers; an unknown stage is exit 4 with those there are", async () => {
  const dir = rig.project();
  const fresh = await rig.run(dir, ["why", "train"]);
  expect(fresh).toMatchObject({ code: 0, err: "" });
  expect(fresh.out).toMatch(/^train will run\n {2}because +never ran\n/);
  expect(existsSync(join(dir, ".mcp-forge"))).toBe(false);
  await rig.run(dir, ["apply"]);
  expect((await rig.run(dir, ["why", "train"])).out).toMatch(/^train is up to date\n[\s\S]* {2}then +[\s\S]* {2}first made +20\d\d-/);
  writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
  expect((await rig.run(dir, ["why", "train"])).out).toMatch(/reads +[\s\S]*will run: `data\.samples` 100 → 200/);
  const [json] = JSON.parse((await rig.run(dir, ["why", "generate", "--json"])).out) as { id: string; reasons: string[] }[];
  expect(json).toMatchObject({ id: "generate", status: "run", reasons: ["`data.samples` 100 → 200"] });
  const wrong = await rig.run(dir, ["why", "trian"]);
  expect(wrong).toMatchObject({ code: 4, out: "" });
  expect(wrong.err).toMatch(/trian[\s\S]*train/);
});

test("--recipe: what is about a project looks where apply with that recipe keeps everything", async () => {
  const [project, elsewhere] = [rig.project(), rig.project()];
  const recipe = join(project, "forge.yaml");
  expect((await rig.run(elsewhere, ["apply", recipe])).code).toBe(0);
  expect((await rig.run(elsewhere, ["runs"])).out).toBe("Nothing ran in this project yet.\n");
  expect((await rig.run(elsewhere, ["runs", "--recipe", recipe])).out).toMatch(/exit 0/);
  expect((await rig.run(elsewhere, ["runs"], { MCP_FORGE_CONFIG: recipe })).out).toMatch(/exit 0/);
  expect((await rig.run(elsewhere, ["logs", "--recipe", recipe])).out).toMatch(/train/);
  expect((await rig.run(elsewhere, ["store", "verify", "--recipe", recipe])).out).toMatch(/^Every byte is right/);
  expect((await rig.run(elsewhere, ["gc", "--recipe", recipe])).out).toMatch(/^Nothing to forget/);
  expect((await rig.run(elsewhere, ["unlock", "--recipe", recipe])).out).toBe("This project is not locked.\n");
  expect(await rig.run(elsewhere, ["runs", "--recipe", "no.yaml"])).toMatchObject({ code: 4, out: "" });
});

test("graph: three notations, and no other", async () => {
  const dir = rig.project();
  expect((await rig.run(dir, ["graph"])).out).toMatch(/^train +after .*generate/m);
  expect((await rig.run(dir, ["graph", "--format", "mermaid"])).out).toMatch(/^flowchart LR\n {2}n0\[/);
  expect((await rig.run(dir, ["graph", "--format", "dot"])).out).toMatch(/^digraph \{[\s\S]*\}\n$/);
  expect(await rig.run(dir, ["graph", "--format", "png"])).toMatchObject({ code: 4, out: "" });
});

describe("gc", () => {
  test("shows what may go and deletes nothing; with --yes it is gone, and nothing runs again", async () => {
    const dir = rig.project();
    expect((await rig.run(dir, ["gc", "--yes"])).out).toMatch(/^Nothing to forget/);
    expect(existsSync(join(dir, ".mcp-forge"))).toBe(false);
    await rig.run(dir, ["apply"]);
    writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
    await rig.run(dir, ["apply"]);
    const shown = await rig.run(dir, ["gc"]);
    expect(shown).toMatchObject({ code: 0, err: "" });
    expect(shown.out).toMatch(/^\d{4}-\d\d-\d\d \d\d:\d\d {2}generate$/m);
    expect(shown.out).toMatch(/May go: \d+ results? \(\d+ artifacts?, .*\)[\s\S]*forge gc --yes/);
    expect((await rig.run(dir, ["gc", "--older-than", "1d", "--yes"])).out).toMatch(/^Nothing to forget/);
    const json = JSON.parse((await rig.run(dir, ["gc", "--json"])).out) as { removed: boolean; records: unknown[] };
    expect(json.removed).toBe(false);
    expect(json.records.length).toBeGreaterThan(0);
    expect((await rig.run(dir, ["gc", "--yes"])).out).toMatch(/^Deleted: /m);
    expect((await rig.run(dir, ["gc"])).out).toMatch(/^Nothing to forget/);
    expect((await rig.run(dir, ["plan"])).code).toBe(0);
    writeFileSync(join(dir, "forge.yaml"), RECIPE);
    expect((await rig.run(dir, ["plan"])).code).toBe(2);
  });

  test("names what was edited before it goes, and the variant that the recipe no longer has", async () => {
    const dir = rig.project(`${RECIPE}variants: { ci: { data: { samples: 50 } }, old: { data: { samples: 60 } } }\n`);
    for (const args of [[], ["--variant", "ci"], ["--variant", "old"]]) await rig.run(dir, ["apply", ...args]);
    expect((await rig.run(dir, ["gc"])).out).toMatch(/^Nothing to forget; .* are in use\.\n/);
    writeFileSync(join(dir, "forge.yaml"), `${RECIPE}variants: { ci: { data: { samples: 50 } } }\n`);
    const past = await rig.run(dir, ["gc"]);
    expect(past.out).toMatch(/^the recipe of forge\.lock has no variant old any more\n/);
    expect(past.out).toMatch(/generate\n[\s\S]*May go: 1 result \(1 artifact, /);
    const edited = join(dir, ".mcp-forge/store/damaged", `${"a".repeat(64)}-1`);
    mkdirSync(edited, { recursive: true });
    writeFileSync(join(edited, "content"), "x".repeat(5000));
    // A small store loses nothing, and no edit goes for its size alone.
    expect((await rig.run(dir, ["gc", "--max-size", "5GB", "--yes"])).out).toMatch(/^Nothing to forget/);
    expect((await rig.run(dir, ["gc", "--yes"])).out).not.toContain("edited");
    expect(readFileSync(join(edited, "content"), "utf8")).toHaveLength(5000);
    const shown = await rig.run(dir, ["gc", "--max-size", "0"]);
    expect(shown.out).toMatch(/ {2}edited by hand: \.mcp-forge\/store\/damaged\/a{64}-1\n[\s\S]*May go: .*1 artifact that had been edited \(5\.0 kB\)/);
    const json = JSON.parse((await rig.run(dir, ["gc", "--max-size", "0", "--json"])).out) as { damaged: unknown[]; bytes: number };
    expect(json).toMatchObject({ damaged: [{ path: edited, bytes: 5000, stages: [] }], runs: [], scratch: [], past: [] });
    expect(json.bytes).toBeGreaterThanOrEqual(5000);
  });

  test.each([
    ["--older-than", "soon"],
    ["--older-than", "30"],
    ["--max-size", "big"],
    ["--max-size", "5"],
    ["--max-size", "-1GB"],
  ])("%s %s is wrong usage", async (flag, value) => {
    expect(await rig.run(rig.project(), ["gc", flag, value])).toMatchObject({ code: 4, out: "" });
  });

  test("ages and sizes", () => {
    expect([age("12h"), age("30d"), age("2w")]).toEqual([43_200, 2_592_000, 1_209_600]);
    expect([size("0"), size("500MB"), size("1.5TB"), size("10kB"), size("7B")]).toEqual([0, 5e8, 1.5e12, 1e4, 7]);
  });
});

test("store verify: whole, damaged behind the stats' back, repaired", async () => {
  const dir = rig.project();
  expect((await rig.run(dir, ["store", "verify"])).out).toMatch(/^Every byte is right: 0 artifacts/);
  await rig.run(dir, ["apply"]);
  expect(await rig.run(dir, ["store", "verify"])).toMatchObject({ code: 0, out: expect.stringMatching(/^Every byte is right: \d+ artifacts of \d+ results/) });
  const digest = (JSON.parse(readFileSync(join(dir, "forge.lock"), "utf8")) as { recipe: { train: { outputs: Record<string, string> } } }).recipe.train.outputs;
  const hex = (Object.values(digest)[0] as string).slice("sha256:".length);
  const object = join(dir, ".mcp-forge/store/objects", hex.slice(0, 2), hex.slice(2), "content");
  const file = statSync(object).isDirectory() ? join(object, readdirSync(object)[0] as string) : object;
  chmodSync(file, 0o644);
  const content = readFileSync(file);
  content[0] = (content[0] as number) ^ 1;
  writeFileSync(file, content);
  const damaged = await rig.run(dir, ["store", "verify"]);
  expect(damaged.code).toBe(1);
  expect(damaged.out).toMatch(/^damaged {2}sha256:[\s\S]*train: its bytes are others/);
  const json = JSON.parse((await rig.run(dir, ["store", "verify", "--repair", "--json"])).out) as { damaged: { stages: string[] }[]; repaired: boolean };
  expect(json).toMatchObject({ repaired: true, damaged: [{ stages: ["train"] }] });
  const after = await rig.run(dir, ["store", "verify"]);
  expect(after.code).toBe(0);
  expect(after.out).toMatch(/^missing .* train: /);
  expect((await rig.run(dir, ["apply"])).out).toMatch(/^train: started/m);
  expect((await rig.run(dir, ["store", "verify"])).out).toMatch(/^Every byte is right/);
});

test.skipIf(process.platform === "win32")("store verify --repair leaves what it could not read where it is, exit 1", async () => {
  const dir = rig.project();
  await rig.run(dir, ["apply"]);
  const objects = join(dir, ".mcp-forge/store/objects");
  const digest = (readdirSync(objects, { recursive: true }) as string[]).find((name) => name.endsWith("content")) as string;
  // To root every file is readable: then somebody else looks, who may write everywhere but read that one not.
  const other = process.getuid?.() === 0 ? { uid: 65534 } : {};
  for (let at = dir; at.includes("forge-"); at = dirname(at)) chmodSync(at, 0o755);
  for (const name of ["", ...(readdirSync(join(dir, ".mcp-forge"), { recursive: true }) as string[])]) {
    const path = join(dir, ".mcp-forge", name);
    chmodSync(path, statSync(path).isDirectory() ? 0o777 : 0o666);
  }
  chmodSync(join(objects, digest), 0o000);
  const env = { PATH: process.env.PATH, HOME: dir };
  const ran = spawnSync(process.execPath, [rig.forge, "store", "verify", "--repair"], { cwd: dir, encoding: "utf8", env, ...other });
  expect(ran.stderr).toBe("");
  expect(ran.stdout).toMatch(/^not read {2}sha256:.*it cannot be read \(EACCES\)\n1 of .* could not be read and may be whole/);
  expect(ran.status).toBe(1);
  expect(existsSync(join(objects, digest))).toBe(true);
});

test("unlock: nothing to do, a living run keeps its lock, --force ends it; gc waits for nobody", async () => {
  const dir = rig.project();
  expect(await rig.run(dir, ["unlock"])).toMatchObject({ code: 0, out: "This project is not locked.\n" });
  const running = rig.start(dir, ["apply"], { TOY_TRAIN_MS: "60000" });
  await running.until("train: started");
  const refused = await rig.run(dir, ["unlock"]);
  expect(refused).toMatchObject({ code: 5, out: "" });
  expect(refused.err).toContain("--force");
  const second = await rig.run(dir, ["apply"]);
  expect(second.code).toBe(5);
  expect(second.err).toContain("--wait-lock");
  expect((await rig.run(dir, ["gc", "--yes"])).code).toBe(5);
  expect((await rig.run(dir, ["gc"])).code).toBe(0);
  expect((await rig.run(dir, ["unlock", "--force"])).out).toMatch(/^Ended the lock of process \d+ on /);
  running.process.kill("SIGKILL");
  await running.ended;
});

describe("diff", () => {
  const git = (dir: string, ...args: string[]): void => {
    execFileSync("git", ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false", ...args], { cwd: dir, stdio: "ignore" });
  };

  test("tells values, results, figures and verdicts apart between a commit and now, and between two commits", async () => {
    const dir = rig.project();
    git(dir, "init", "-q", "-b", "main");
    await rig.run(dir, ["apply"]);
    git(dir, "add", "forge.yaml", "forge.lock");
    git(dir, "commit", "-qm", "one");
    expect(await rig.run(dir, ["diff"])).toMatchObject({ code: 0, out: "No difference to HEAD.\n", err: "" });
    writeFileSync(join(dir, "forge.yaml"), RECIPE.replace("100", "200"));
    expect((await rig.run(dir, ["apply"], { TOY_RATE: "0.5" })).code).toBe(3);
    const changed = await rig.run(dir, ["diff"]);
    expect(changed.out).toMatch(/^recipe\n {2}`data\.samples` 100 → 200\n/);
    expect(changed.out).toMatch(/results\n {2}generate +made anew/);
    expect(changed.out).toMatch(/schema_pass_rate +1\.000 +→ +0\.500 +−0\.500/);
    expect(changed.out).toMatch(/gate:qa: passed → refused/);
    git(dir, "commit", "-qam", "two");
    expect((await rig.run(dir, ["diff"])).out).toBe("No difference to HEAD.\n");
    const json = JSON.parse((await rig.run(dir, ["diff", "HEAD~1", "--to", "main", "--json"])).out) as { recipe: string[]; nodes: { id: string }[] };
    expect(json.recipe).toEqual(["`data.samples` 100 → 200"]);
    expect(json.nodes.map((n) => n.id)).toContain("gate:qa");
  });

  test("a folder without a repository, and a word that names no commit", async () => {
    const dir = rig.project();
    // A temporary folder lies in no repository of anybody's.
    expect(await rig.run(dir, ["diff"])).toMatchObject({ code: 6, out: "" });
    git(dir, "init", "-q", "-b", "main");
    for (const word of ["nothing", "--upload-pack=x", "HEAD"]) {
      const wrong = await rig.run(dir, ["diff", ...(word.startsWith("-") ? ["--", word] : [word])]);
      expect(wrong, word).toMatchObject({ code: 4, out: "" });
      expect(wrong.err).toContain("no commit");
    }
  });

  test("a commit from before the recipe", async () => {
    const dir = rig.project();
    git(dir, "init", "-q", "-b", "main");
    git(dir, "commit", "-q", "--allow-empty", "-m", "nothing");
    expect((await rig.run(dir, ["diff"])).out).toMatch(/^HEAD has no recipe here/);
    git(dir, "branch", "empty");
    git(dir, "add", "forge.yaml");
    git(dir, "commit", "-qm", "a recipe");
    expect((await rig.run(dir, ["diff", "HEAD", "--to", "empty"])).out).toMatch(/^empty has no recipe here/);
    expect((await rig.run(dir, ["diff", "empty", "--to", "HEAD"])).out).toMatch(/^empty has no recipe here/);
    expect((await rig.run(dir, ["diff", "empty", "--to", "HEAD~1"])).out).toMatch(/^empty and HEAD~1 have no recipe here/);
  });

  test("another version or request with the same outcome is a difference", async () => {
    const dir = rig.project();
    git(dir, "init", "-q", "-b", "main");
    await rig.run(dir, ["apply"]);
    git(dir, "add", "forge.yaml", "forge.lock");
    git(dir, "commit", "-qm", "one");
    const path = join(dir, "forge.lock");
    const lockfile = JSON.parse(readFileSync(path, "utf8")) as { recipe: Record<string, { key: string; version: number }> };
    const { train, generate } = lockfile.recipe;
    const gate = lockfile.recipe["gate:qa"];
    Object.assign(train as object, { version: 99 });
    Object.assign(generate as object, { key: `sha256:${"0".repeat(64)}` });
    Object.assign(gate as object, { version: 2 });
    writeFileSync(path, JSON.stringify(lockfile, null, 2));
    const { out } = await rig.run(dir, ["diff"]);
    expect(out).toMatch(/^results\n {2}generate +another request +same outputs\n/);
    expect(out).toMatch(/^ {2}train +version 1 → 99 +same outputs$/m);
    expect(out).toMatch(/^ {2}gate:qa +version 1 → 2 +same verdict$/m);
    const json = JSON.parse((await rig.run(dir, ["diff", "--json"])).out) as { nodes: { id: string }[] };
    expect(json.nodes.find((n) => n.id === "train")).toMatchObject({ change: "made", version: { before: 1, after: 99 }, outputs: [] });
  });
});
