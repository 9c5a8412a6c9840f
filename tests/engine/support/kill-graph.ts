/** The graph of the kill test: chains, a diamond, a gate, a view, folders, scratch, and a stage with a child process. */
import { appendFileSync, existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { NodeDefinition, StageContext } from "../../../src/engine/stage.ts";
import { runProcess } from "../../../src/platform/process.ts";
import { ok } from "../../../src/platform/result.ts";
import { gate, type Rig } from "./rig.ts";

const pause = (ms: number) => new Promise((r) => setTimeout(r, ms));

export function killGraph(rig: Rig): NodeDefinition[] {
  const read = (c: StageContext) =>
    Object.keys(c.inputs)
      .sort()
      .map((name) => name + (existsSync(join(c.inputs[name] as string, "part-0")) ? "folder" : readFileSync(c.inputs[name] as string, "utf8").length));
  /** Writes in small steps, so that a kill finds it half done. */
  const slow = (ms: number) => async (c: StageContext) => {
    const out = c.outputs.out as string;
    writeFileSync(join(c.scratch, "begun"), "");
    writeFileSync(out, "");
    for (let i = 0; i < 4; i++) {
      appendFileSync(out, `${i} ${JSON.stringify(read(c))}\n`.repeat(200));
      await pause(ms / 4);
    }
    return ok({ figures: { score: 1 }, summary: "slow" });
  };
  const folder = async (c: StageContext) => {
    const out = c.outputs.out as string;
    mkdirSync(out);
    for (let i = 0; i < 6; i++) {
      writeFileSync(join(out, `part-${i}`), `${i}`.repeat(5000));
      await pause(2);
    }
    return ok({ figures: { score: 1 }, summary: "folder" });
  };
  const child = async (c: StageContext) => {
    const code = `require("fs").appendFileSync(${JSON.stringify(join(rig.root, "pids.txt"))},process.pid+"\\n");process.stdin.resume();process.stdin.on("end",()=>process.exit(9));setTimeout(()=>process.exit(0),60)`;
    const result = await runProcess(process.execPath, ["-e", code], { signal: c.signal });
    if (!result.ok) return result;
    writeFileSync(c.outputs.out as string, `exit ${result.value.exitCode}`);
    return ok({ figures: { score: 1 }, summary: "child" });
  };
  return [
    rig.stage({ id: "a", run: slow(20) }),
    rig.stage({ id: "b", from: ["a"], run: folder, outputs: { out: "folder" } }),
    rig.stage({ id: "c", from: ["a"], run: child, resources: { cpu: 1 } }),
    rig.stage({ id: "d", from: ["b", "c"], run: slow(12), resources: { cpu: 1 } }),
    gate("gate:d", "d", 1),
    rig.stage({ id: "e:1", from: ["d"], run: slow(8), resources: { cpu: 1 }, after: ["gate:d"] }),
    rig.stage({ id: "e:2", from: ["d"], run: slow(8), resources: { cpu: 1 } }),
    rig.stage({ id: "same", from: ["a"], run: slow(4) }),
    rig.stage({ id: "last", from: ["e:1", "e:2", "same"], run: slow(4), views: { out: join(rig.root, "dist/last") } }),
  ];
}
