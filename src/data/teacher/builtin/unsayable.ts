/** Which tools the builtin teacher can make no call of, and what of their schema is in the way: so that it can be told before the data is found short. */
import { rngFor } from "../../../platform/rng.ts";
import { type ArgumentProblem, compileArguments } from "../../schema.ts";
import type { Toolset } from "../../types.ts";
import { drawBindings } from "./calls.ts";
import type { ToolModel } from "./model.ts";
import { readToolset } from "./model.ts";
import { territoryOf } from "./plain.ts";
import { makeValue } from "./values/index.ts";
import type { World } from "./world.ts";

/** Draws before a value or a call counts as one that cannot be made. */
const DRAWS = 40;

/** A sentence for each tool of which no call can be made. The same toolset gives the same. */
export function unsayable(toolset: Toolset): string[] {
  const tools = readToolset(toolset);
  const world: World = {
    toolset,
    tools,
    byName: new Map(tools.map((t) => [t.tool.name, t])),
    territory: territoryOf(tools),
    known: { files: [], folders: [] },
  };
  return tools.flatMap((model) => {
    for (let i = 0; i < DRAWS; i++) if (drawBindings(world, model, rngFor(0, "unsayable", i), { optional: 0, most: 0, heldout: false }) !== null) return [];
    return [
      `the builtin teacher can make no call of \`${model.tool.name}\`: ${whatStands(model)}. Bring conversations of your own for it (\`data.teacher: { provider: file }\`), or leave it out (\`exclude: [${model.tool.name}]\` beside its source)`,
    ];
  });
}

/** The first required parameter without a value that its schema takes; else what the schema has against the whole. */
function whatStands(model: ToolModel): string {
  const root = model.tool.input_schema as Readonly<Record<string, unknown>>;
  const definitions = Object.fromEntries(["$defs", "definitions"].flatMap((name) => (root[name] === undefined ? [] : [[name, root[name]]])));
  for (const { property, role } of model.params.filter((p) => p.property.required)) {
    const schema = (root.properties as Readonly<Record<string, unknown>> | undefined)?.[property.name] ?? {};
    const check = compileArguments({ ...model.tool, input_schema: { ...definitions, type: "object", properties: { [property.name]: schema } } });
    let problem: ArgumentProblem | undefined;
    let made = false;
    for (let i = 0; i < DRAWS && !made; i++) {
      const value = makeValue(property, role, rngFor(0, property.name, i), { used: new Set() }, { heldout: false, topic: "" });
      if (value === null) continue;
      [problem] = check({ [property.name]: value.json });
      made = problem === undefined;
    }
    if (!made) return `it finds no value of \`${property.name}\`${problem === undefined ? "" : ` that its \`${problem.keyword}\` takes`}`;
  }
  return "its schema refuses every combination of arguments that was tried";
}
