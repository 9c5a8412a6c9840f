/**
 * What the schema cannot say: sums, keys that need each other, files that must be there, folders that
 * may be written. Each check is one function from a recipe to rows of complaints at a path.
 */
import { existsSync, realpathSync, statSync } from "node:fs";
import { dirname, isAbsolute, join, relative, resolve, sep } from "node:path";
import { exportChoice, imatrixOf, isModelFormat } from "./formats.ts";
import { trainKeys } from "./train-keys.ts";
import type { Recipe, RecipePath, ResolvedRecipe } from "./types.ts";

/** A complaint about the value (or, with `key`, about the key) at a path. */
export interface Complaint {
  readonly path: RecipePath;
  readonly code: string;
  readonly message: string;
  readonly hint?: string;
}

/** How far weights may be from 1: the rounding of a person's decimals, not more. */
const TOLERANCE = 1e-6;

/** Contradictions within the recipe. `written` is what the user wrote, `recipe` the same with its defaults. */
export function contradictions(written: Recipe, recipe: ResolvedRecipe): Complaint[] {
  return [
    ...weights(written),
    ...serverKeys(recipe),
    ...modelKeys(recipe),
    ...trainKeys(recipe),
    ...teacherKeys(recipe),
    ...gateKeys(recipe),
    ...exportKeys(recipe),
  ];
}

/** What the file system says: files that are read must be there, the bundle must land inside the project. */
export function fileComplaints(recipe: ResolvedRecipe, dir: string, projectRoot: string): Complaint[] {
  const reads: [RecipePath, string | undefined, string][] = [
    [["model", "family"], recipe.model.family?.endsWith(".json") ? recipe.model.family : undefined, "the family file"],
    [["evaluation", "cases"], recipe.evaluation.cases, "the file of cases"],
    [["data", "teacher", "path"], recipe.data.teacher.path, "the file of seeds"],
    ...recipe.tools.flatMap((tool, i): [RecipePath, string | undefined, string][] => [
      [["tools", i, "openai"], tool.openai, "the file of functions"],
      [["tools", i, "file"], tool.file, "the file of tools"],
      [["tools", i, "stub", "from"], typeof tool.stub === "object" ? tool.stub.from : undefined, "the file of tools"],
    ]),
  ];
  const complaints = reads.flatMap(([path, file, what]) => (file === undefined ? [] : missingFile(path, file, what, dir)));
  return [...complaints, ...bundleOutput(recipe.bundle.output, dir, projectRoot)];
}

/** Settings that are allowed and probably not meant. */
export function doubts(recipe: ResolvedRecipe): Complaint[] {
  const complaints: Complaint[] = [];
  if (recipe.gates.qa.min_samples_per_tool > recipe.data.min_per_tool) {
    complaints.push({
      path: ["gates", "qa", "min_samples_per_tool"],
      code: "doubtful",
      message: `the qa gate wants ${recipe.gates.qa.min_samples_per_tool} samples of every tool, and \`data.min_per_tool\` only makes sure of ${recipe.data.min_per_tool}`,
      hint: "raise `data.min_per_tool`",
    });
  }
  for (const [i, { mcp }] of recipe.tools.entries()) {
    if (mcp?.url === undefined || !/^http:\/\/(?!(localhost|127\.[\d.]+|\[::1\])(?=[:/]|$))/.test(mcp.url)) continue;
    if (Object.values(mcp.headers ?? {}).some((value) => value.includes("${secret:")))
      complaints.push({
        path: ["tools", i, "mcp", "url"],
        code: "doubtful",
        message: "a secret goes to this server over plain HTTP, where anyone on the way can read it",
        hint: "use https://",
      });
  }
  if (recipe.data.scenarios.no_tool === 0)
    complaints.push({
      path: ["data", "scenarios", "no_tool"],
      code: "doubtful",
      message: "no conversation without a tool: the model will tend to call tools for everything",
      hint: "0.15 is a good share",
    });
  return complaints;
}

function weights(written: Recipe): Complaint[] {
  const { scenarios } = written.data ?? {};
  if (scenarios === undefined) return [];
  const sum = Object.values(scenarios).reduce((a, b) => a + b, 0);
  if (Math.abs(sum - 1) <= TOLERANCE) return [];
  const rounded = Number(sum.toFixed(6));
  const off = Number(Math.abs(1 - sum).toFixed(6));
  return [
    {
      path: ["data", "scenarios"],
      code: "weights",
      message: `the weights of \`data.scenarios\` add up to ${rounded}, not 1`,
      hint: `${sum < 1 ? `give ${off} more` : `take ${off} away`}; a kind left out gets none`,
    },
  ];
}

function serverKeys(recipe: ResolvedRecipe): Complaint[] {
  return recipe.tools.flatMap((tool, i) => {
    const { mcp } = tool;
    if (mcp === undefined) return [];
    const [stray, owner] = mcp.command !== undefined ? [["headers"] as const, "url"] : [["args", "env"] as const, "command"];
    return stray
      .filter((key) => mcp[key] !== undefined)
      .map((key) => ({
        path: ["tools", i, "mcp", key],
        code: "stray-key",
        message: `\`${key}\` goes with \`${owner}\`, which this server does not have`,
        hint: `remove \`${key}\``,
      }));
  });
}

function modelKeys({ model }: ResolvedRecipe): Complaint[] {
  const stray = model.hf_id === undefined ? (["revision", "template"] as const) : (["source"] as const);
  const owner = model.hf_id === undefined ? "hf_id" : "family";
  return stray
    .filter((key) => model[key] !== undefined)
    .map((key) => ({
      path: ["model", key],
      code: "stray-key",
      message: `\`${key}\` goes with \`${owner}\`, which this model does not have`,
      hint: `remove \`${key}\``,
    }));
}

function exportKeys(recipe: ResolvedRecipe): Complaint[] {
  const exports = recipe.exports.map(exportChoice);
  const complaints: Complaint[] = exports.flatMap(({ format, imatrix }, i) => {
    if (exports.findIndex((e) => e.format === format) < i)
      return [{ path: ["exports", i], code: "duplicate", message: `\`exports\` lists \`${format}\` twice`, hint: "keep one of the two" }];
    const wants = imatrixOf(format);
    if (imatrix && wants === "never") {
      const why = format === "lora" ? "`lora` is no quantization" : `\`${format}\` rounds every weight by itself`;
      return [{ path: ["exports", i, "imatrix"], code: "stray-key", message: `${why}: no importance matrix changes it`, hint: "remove `imatrix`" }];
    }
    if (!imatrix && wants === "needed")
      return [
        {
          path: ["exports", i, "imatrix"],
          code: "missing-key",
          message: `\`${format}\` cannot be made without an importance matrix: llama.cpp refuses to round to so few bits blindly`,
          hint: "remove `imatrix: false`, or choose a format of more bits (`q3_k_m`)",
        },
      ];
    return [];
  });
  if (!exports.some((e) => isModelFormat(e.format)))
    complaints.push({
      path: ["exports"],
      code: "missing-key",
      message: "`exports` names only `lora`, which is no model by itself: nothing could be validated or packed",
      hint: "name a format that runs beside it: `exports: [q8_0, lora]`",
    });
  return complaints;
}

const HOSTED_KEYS = ["model", "base_url", "concurrency", "rpm", "tpm", "budget_usd", "price_usd", "temperature", "batch"] as const;
const STRAY_TEACHER_KEYS: Readonly<Record<ResolvedRecipe["data"]["teacher"]["provider"], readonly ((typeof HOSTED_KEYS)[number] | "path")[]>> = {
  builtin: [...HOSTED_KEYS, "path"],
  openai: ["base_url", "path"],
  "openai-compatible": ["path"],
  file: HOSTED_KEYS,
};

function teacherKeys({ data: { teacher, augment } }: ResolvedRecipe): Complaint[] {
  const path = ["data", "teacher", "provider"];
  const missing = (key: string, example: string): Complaint[] => [
    { path, code: "missing-key", message: `an openai-compatible teacher needs \`${key}\``, hint: `add it, for example \`${key}: ${example}\`` },
  ];
  if (teacher.provider === "openai-compatible" && teacher.base_url === undefined) return missing("base_url", "http://localhost:8000/v1");
  if (teacher.provider === "openai-compatible" && teacher.model === undefined) return missing("model", "qwen2.5-14b-instruct");
  const stray = STRAY_TEACHER_KEYS[teacher.provider].find((key) => teacher[key] !== undefined);
  if (stray !== undefined)
    return [
      {
        path: ["data", "teacher", stray],
        code: "stray-key",
        message: `\`${stray}\` means nothing to the teacher \`${teacher.provider}\``,
        hint: stray === "base_url" ? "use `provider: openai-compatible`, or remove it" : `remove \`${stray}\``,
      },
    ];
  const address = teacher.base_url === undefined || !URL.canParse(teacher.base_url) ? undefined : new URL(teacher.base_url);
  // A recipe is committed, and the address stands in records and messages.
  if (address !== undefined && (address.username !== "" || address.password !== "" || address.search !== "" || address.hash !== ""))
    return [
      {
        path: ["data", "teacher", "base_url"],
        code: "wrong-format",
        message: `\`base_url\` holds ${address.username !== "" || address.password !== "" ? "a name and password" : "a part behind the path"}, which no server of this interface is asked by`,
        hint: "leave it out; a key comes from the environment, in FORGE_TEACHER_API_KEY",
      },
    ];
  if (teacher.provider === "file" && teacher.path === undefined)
    return [{ path, code: "missing-key", message: "a teacher that is a file needs `path`", hint: "add it, for example `path: seeds.jsonl`" }];
  const hosted = teacher.provider !== "builtin" && teacher.provider !== "file";
  if (augment.by === "builtin" || (hosted && (augment.by === "teacher" || teacher.batch !== true))) return [];
  if (hosted)
    return [
      {
        path: ["data", "teacher", "batch"],
        code: "contradiction",
        message: "`batch` hands all requests over at once, and `synthetic-data-kit` sends its own one by one and waits for each",
        hint: "use `augment: { by: teacher }`, which goes by batches too, or leave `batch` out",
      },
    ];
  return [
    {
      path: ["data", "augment", "by"],
      code: "contradiction",
      message:
        augment.by === "teacher"
          ? `the teacher \`${teacher.provider}\` rewords nothing`
          : `\`synthetic-data-kit\` asks a hosted teacher, and the teacher \`${teacher.provider}\` is none`,
      hint: "use `augment: { by: builtin }`, or a hosted teacher",
    },
  ];
}

function gateKeys({ gates, evaluation }: ResolvedRecipe): Complaint[] {
  if (gates.decoding !== "constrained" || evaluation.constrained) return [];
  return [
    {
      path: ["gates", "decoding"],
      code: "contradiction",
      message: "the gates judge constrained decoding, and `evaluation.constrained` is false, so it is not measured",
      hint: "set `evaluation.constrained: true`, or judge `free`",
    },
  ];
}

function missingFile(path: RecipePath, file: string, what: string, dir: string): Complaint[] {
  const absolute = resolve(dir, file);
  const found = statSync(absolute, { throwIfNoEntry: false, bigint: false });
  if (found?.isFile()) return [];
  const problem = found === undefined ? `${what} \`${file}\` does not exist` : `\`${file}\` is not a file`;
  return [
    {
      path,
      code: "missing-file",
      message: problem,
      hint: isAbsolute(file) ? "a path relative to the recipe also works for others" : "paths are relative to the folder of the recipe",
    },
  ];
}

/** The bundle may be written anywhere inside the project but over the project, the recipe's folder, git's or forge's own. */
function bundleOutput(output: string, dir: string, projectRoot: string): Complaint[] {
  const path = ["bundle", "output"];
  const complain = (message: string): Complaint[] => [
    { path, code: "bundle-output", message, hint: "name a folder inside the project, for example `dist/weather-expert`" },
  ];
  if (output.includes("\0")) return complain("`bundle.output` holds a NUL byte");
  const target = resolve(dir, output);
  const root = realpathSync(projectRoot);
  const real = realOf(target);
  const inside = relative(root, real);
  if (inside === "" || real === realOf(dir)) return complain(`\`bundle.output\` is \`${output}\`, the project itself, which a bundle would overwrite`);
  if (inside === ".." || inside.startsWith(`..${sep}`) || isAbsolute(inside)) return complain(`\`bundle.output\` is \`${output}\`, outside the project`);
  if (realOf(dir).startsWith(real + sep)) return complain(`\`bundle.output\` is \`${output}\`, a folder that holds the recipe`);
  const first = inside.split(sep)[0];
  if (first === ".git" || first === ".mcp-forge" || first === "node_modules")
    return complain(`\`bundle.output\` lies in \`${first}\`, which belongs to another program`);
  const there = statSync(target, { throwIfNoEntry: false });
  return there !== undefined && !there.isDirectory() ? complain(`\`bundle.output\` is \`${output}\`, which is a file`) : [];
}

/** The path with the symbolic links of its existing part resolved. */
function realOf(path: string): string {
  const rest: string[] = [];
  for (let at = path; ; at = dirname(at)) {
    if (existsSync(at)) return join(realpathSync(at), ...rest);
    rest.unshift(at.slice(dirname(at).length).replace(/^[/\\]/, ""));
    if (dirname(at) === at) return path;
  }
}
