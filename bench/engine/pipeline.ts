/** The graph that bench/engine.mjs times: a chain of stages that write folders of files, in place of the real pipeline. */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { StageDefinition } from "../../src/engine/stage.ts";
import { ok, type Result } from "../../src/platform/result.ts";
import type { LoadedRecipe } from "../../src/recipe/types.ts";

interface Shape {
  readonly stages: number;
  /** Files and bytes a stage. */
  readonly files: number;
  readonly bytes: number;
}

export function buildPipeline(loaded: LoadedRecipe): Result<unknown> {
  const shape = JSON.parse(readFileSync(join(loaded.dir, "shape.json"), "utf8")) as Shape;
  const nodes = Array.from({ length: shape.stages }, (_, i) => stage(i, shape));
  const lockfile = join(loaded.dir, "forge.lock");
  return ok({ nodes, lockfile, projectRoot: loaded.projectRoot, name: "bench", bundle: join(loaded.dir, "dist"), context: {} });
}

function stage(i: number, shape: Shape): StageDefinition {
  return {
    kind: "stage",
    id: `s${i}`,
    title: `Stage ${i}`,
    version: 1,
    recipe: { "data.samples": i },
    inputs: i === 0 ? {} : { before: { stage: `s${i - 1}`, output: "out" } },
    outputs: { out: "folder" },
    async run({ outputs }) {
      fill(outputs.out as string, i, shape);
      return ok({ figures: {}, summary: "written" });
    },
  };
}

/** A folder of files that differ from each other and between stages, and are the same each time. */
function fill(folder: string, i: number, { files, bytes }: Shape): void {
  mkdirSync(folder, { recursive: true });
  const each = Buffer.alloc(Math.max(16, Math.floor(bytes / files)), i + 1);
  for (let f = 0; f < files; f++) {
    each.writeUInt32LE(f, 0);
    writeFileSync(join(folder, `${f}.bin`), each);
  }
}
