/** The live display, on a real pseudo-terminal (Python's `pty`). */
import { spawn } from "node:child_process";
import { stripVTControlCharacters } from "node:util";
import { afterAll, beforeAll, expect, test } from "vitest";
import { Rig } from "./rig.ts";

const rig = new Rig();
beforeAll(() => rig.build());
afterAll(() => rig.remove());

/** Runs forge on a terminal of 100 x 40; each of `keys` is typed once the screen shows its `when`. */
async function onTerminal(args: readonly string[], env: NodeJS.ProcessEnv = {}, keys: readonly { readonly when: string; readonly type: string }[] = []) {
  const python = `import os,pty,sys
pid, fd = pty.fork()
if pid == 0:
    os.execvp("sh", ["sh", "-c", "stty cols 100 rows 40; exec \\"$@\\"", "sh", *sys.argv[2:]])
import json
todo, seen = json.loads(sys.argv[1]), b""
while True:
    try: data = os.read(fd, 65536)
    except OSError: break
    if not data: break
    os.write(1, data); seen += data
    if todo and todo[0]["when"].encode() in seen:
        os.write(fd, todo.pop(0)["type"].encode()); seen = b""
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
  const child = spawn("python3", ["-c", python, JSON.stringify(keys), process.execPath, rig.forge, ...args], {
    cwd: rig.project(),
    env: { PATH: process.env.PATH, HOME: "/nonexistent", TERM: "xterm-256color", LANG: "C.UTF-8", ...env },
    stdio: ["ignore", "pipe", "inherit"],
  });
  let raw = "";
  child.stdout.on("data", (chunk) => {
    raw += chunk;
  });
  const code = await new Promise<number | null>((done) => child.once("close", done));
  // The last frame is printed whole when the display ends.
  const text = stripVTControlCharacters(raw).replaceAll("\r", "");
  return { code, raw, text, end: text.slice(text.lastIndexOf("✔ Read the tools")) };
}

test("every step with what came out, then the figures and what to type next", async () => {
  const { code, raw, text, end } = await onTerminal(["apply"], { TOY_TRAIN_MS: "1500" });
  expect(code).toBe(0);
  expect(text).toMatch(/Fine-tune the model {2}never ran/);
  expect(text).toMatch(/[█░]{18} \d+\/1000 steps, loss 0\.\d+/);
  for (const line of [
    "✔ Read the tools  3 tools",
    "✔ Make training data  100 samples",
    "✔ Gate qa  passed: schema_pass_rate 1.000",
    "✔ Fine-tune the model  trained",
    "✔ Pack the bundle  packed",
  ])
    expect(end).toContain(line);
  expect(end).toMatch(/done in .*5 stages ran, bundle in dist\/toy\ntry it: forge try dist\/toy/);
  // The cursor is given back.
  expect(raw.lastIndexOf("\u001b[?25h")).toBeGreaterThan(raw.lastIndexOf("\u001b[?25l"));
});

test("what was refused is named, what comes after it is not reached", async () => {
  const { code, end } = await onTerminal(["apply"], { TOY_RATE: "0.5" });
  expect(code).toBe(3);
  expect(end).toContain("✖ Gate qa  refused: schema_pass_rate 0.500 < 0.98");
  expect(end).toMatch(/↓ Fine-tune the model .*gate:qa/);
  expect(end).toContain("nothing was packed");
});

test("Ctrl-C on the keyboard: the word about the checkpoint at once, then 130", async () => {
  const { code, text, end } = await onTerminal(["apply"], { TOY_TRAIN_MS: "60000" }, [{ when: "loss 0.", type: "\u0003" }]);
  expect(code).toBe(130);
  expect(text).toContain("stopping, saving a checkpoint; press Ctrl-C again to stop at once");
  expect(end).toContain("✖ Fine-tune the model  stopped, what was done is kept");
});

test("Ctrl-C twice: at once, and the cursor is given back", async () => {
  const keys = ["loss 0.", "press Ctrl-C again"].map((when) => ({ when, type: "\u0003" }));
  const { code, raw } = await onTerminal(["apply"], { TOY_TRAIN_MS: "60000", TOY_STUBBORN: "1" }, keys);
  expect(code).toBe(130);
  expect(raw.lastIndexOf("\u001b[?25h")).toBeGreaterThan(raw.lastIndexOf("\u001b[?25l"));
});

test("NO_COLOR: live, without colours; TERM=dumb and CI: one line at a time", async () => {
  const plain = await onTerminal(["apply"], { NO_COLOR: "1", TOY_TRAIN_MS: "300" });
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colour sequences are what must not be there
  expect(plain.raw).not.toMatch(/\u001b\[[0-9;]*m/);
  for (const env of [{ TERM: "dumb" }, { CI: "true" }]) expect((await onTerminal(["apply"], env)).text).toMatch(/^train: started: never ran$/m);
});
