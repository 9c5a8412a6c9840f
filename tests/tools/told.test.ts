/** What others read of a tool source: keys are left out, whatever way they are handed over; settings are looked up where a bundle is used. */
import { describe, expect, it } from "vitest";
import { openTools, originOf } from "../../src/tools/open.ts";
import { resolveSettings } from "../../src/tools/settings.ts";
import { toldSource } from "../../src/tools/told.ts";
import type { ToolSource } from "../../src/tools/types.ts";
import { fakeServer } from "./rig.ts";

const told = (...args: string[]): readonly string[] | undefined => toldSource({ mcp: { command: "x", args } }).mcp?.args;

describe("keys", () => {
  it.each([
    [
      ["--api-key", "abc"],
      ["--api-key", "[redacted]"],
    ],
    [
      ["-token", "abc", "more"],
      ["-token", "[redacted]", "more"],
    ],
    [["--clientSecret=abc"], ["--clientSecret=[redacted]"]],
    [
      ["-e", "ACCESS_TOKEN=abc"],
      ["-e", "ACCESS_TOKEN=[redacted]"],
    ],
    [
      ["--header", "X-Api-Key: abc"],
      ["--header", "X-Api-Key: [redacted]"],
    ],
    [["Authorization:Basic abc"], ["Authorization:[redacted]"]],
    [["https://h/mcp?a=1&apiKey=abc&b=2#c"], ["https://h/mcp?a=1&apiKey=[redacted]&b=2#c"]],
    [["--url=https://h/?token=abc"], ["--url=https://h/?token=[redacted]"]],
    [
      ["--config", '{"apiKey": "a\\"bc", "city": "Oslo"}'],
      ["--config", '{"apiKey": "[redacted]", "city": "Oslo"}'],
    ],
  ])("are left out of %j", (args, left) => {
    expect(told(...args)).toEqual(left);
  });

  it.each([
    [["--api-key", "${env:KEY}", "--token=${env:T}", "https://h/?key=${env:KEY}"]],
    [["--max-tokens", "500", "--key-file", "a.pem", "--tokenizer", "bpe", "--author", "me"]],
    [["--use-key", "--verbose", "/data", "C:/key", "https://h/?q=key"]],
    [["--key"]],
  ])("are not seen in %j", (args) => {
    expect(told(...args)).toEqual(args);
  });

  it("are left out of the environment, headers and the address; names and secrets stay", () => {
    const source: ToolSource = {
      mcp: {
        url: "https://h/mcp?key=abc",
        headers: { Authorization: "Bearer abc", "X-City": "Oslo" },
        env: { API_KEY: "abc", TOKEN: "${secret:T}", LANG: "de" },
      },
      prefix: "a_",
    };
    expect(toldSource(source)).toEqual({
      mcp: {
        url: "https://h/mcp?key=[redacted]",
        headers: { Authorization: "[redacted]", "X-City": "Oslo" },
        env: { API_KEY: "[redacted]", TOKEN: "${secret:T}", LANG: "de" },
      },
      prefix: "a_",
    });
    expect(toldSource({ stub: "weather" })).toEqual({ stub: "weather" });
  });

  it("are in no toolset and no message, and the hash is the same", async () => {
    const server = fakeServer("", { args: ["server.mjs", "--api-key", "hunter2hunter2"] });
    const bare = fakeServer("");
    const [session, other] = [await openTools([server.source], { dir: server.dir }), await openTools([bare.source], { dir: bare.dir })];
    if (!session.ok || !other.ok) throw new Error("it did not open");
    expect(session.value.toolset.tools[0]?.origin).toBe("mcp:node server.mjs --api-key [redacted]");
    expect(session.value.toolset.hash).toBe(other.value.toolset.hash);
    await Promise.all([session.value.close(), other.value.close()]);
    const refused = await openTools([{ ...server.source, execute: ["no"] }], { dir: server.dir });
    expect(!refused.ok && refused.error.message).toContain("--api-key [redacted]");
  });

  it("a toolset calls a source what it is told, and starts what it is", async () => {
    const { source, dir } = fakeServer(`on["tools/list"] = () => ({ tools: [tool(process.argv[2])] });`, { args: ["server.mjs", "the_key"] });
    const stated: ToolSource = { ...source, mcp: { ...source.mcp, args: ["server.mjs", "${env:K}"] } };
    const session = await openTools([source], { dir, stated: [stated] });
    if (!session.ok) throw new Error(session.error.message);
    expect(session.value.toolset.tools.map((t) => [t.name, t.origin])).toEqual([["the_key", "mcp:node server.mjs ${env:K}"]]);
    await session.value.close();
  });
});

describe("settings by name", () => {
  const source: ToolSource = {
    mcp: { command: "${env:BIN:-run}", args: ["${env:K}", "$${env:K}"], env: { A: "${env:K}", B: "${secret:S}" } },
    execute: "none",
  };

  it("are looked up, text that only looks like one stays text", () => {
    const resolved = resolveSettings([{ stub: "weather" }, source], { K: "v ${secret:S} ${env:BIN}" });
    expect(resolved).toEqual({
      ok: true,
      value: [
        { stub: "weather" },
        {
          mcp: {
            command: "run",
            args: ["v ${secret:S} ${env:BIN}", "${env:K}"],
            env: { A: "v $${secret:S} ${env:BIN}", B: "${secret:S}" },
          },
          execute: "none",
        },
      ],
    });
    expect(resolveSettings([{ mcp: { url: "${env:U}", headers: { X: "${env:K}" } } }], { U: "http://h", K: "k" })).toMatchObject({
      value: [{ mcp: { url: "http://h", headers: { X: "k" } } }],
    });
  });

  it.each([[{}], [{ K: "" }]])("that are not set (%j) are named, with a way out", (env) => {
    expect(resolveSettings([source], env)).toMatchObject({
      ok: false,
      error: {
        code: "tools/missing-setting",
        exit: 6,
        message: `the environment variable \`K\` that \`${originOf(source)}\` needs is not set`,
        hint: expect.stringContaining("export K="),
      },
    });
  });
});
