/**
 * Where llama.cpp lies in the installed packages: node-llama-cpp's prebuilt libraries for this machine (which the
 * Python steps call through ctypes), and the GGUF converter of the sources that they were built from (unpacked into
 * dist/llama.cpp by the build). One release for converting, quantizing, verifying and running; nothing is compiled
 * or downloaded.
 */
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, realpathSync } from "node:fs";
import { dirname, join, resolve } from "node:path";
import { EXIT } from "../platform/exit.ts";
import { cacheDir, packageRoot } from "../platform/paths.ts";
import { err, ok, type Result } from "../platform/result.ts";

export interface LlamaFiles {
  /** Folder with libllama, libggml and the CPU backends. */
  readonly libraries: string;
  /** As python/forge_steps/convert.py takes it: the user's checkout, or the sources and where to unpack them. */
  readonly converter: { readonly checkout: string } | { readonly bundle: string; readonly cache: string };
}

/** `process.platform-process.arch` → the package's name after `@node-llama-cpp/`; CPU builds only (macOS has Metal in). */
const PACKAGES: Readonly<Record<string, string>> = {
  "linux-x64": "linux-x64",
  "linux-arm64": "linux-arm64",
  "darwin-arm64": "mac-arm64-metal",
  "darwin-x64": "mac-x64",
  "win32-x64": "win-x64",
};

/**
 * Finds both. `MCP_FORGE_LLAMA_CPP` names a checkout of llama.cpp whose converter wins over the installed one.
 * @param root folder from which the packages are looked for; default ours. For tests.
 */
export function findLlamaFiles(o: { root?: string; env?: NodeJS.ProcessEnv } = {}): Result<LlamaFiles> {
  const env = o.env ?? process.env;
  const platform = `${process.platform}-${process.arch}`;
  const name = PACKAGES[platform];
  const root = o.root ?? packageRoot();
  const binaries = name === undefined ? undefined : findPackage(`@node-llama-cpp/${name}`, root);
  const libraries = name === undefined || binaries === undefined ? undefined : join(binaries, "bins", name);
  if (libraries === undefined || !existsSync(libraries)) {
    return err({
      code: "models/no-llama-cpp",
      message:
        name === undefined
          ? `llama.cpp has no prebuilt library for ${platform}`
          : `llama.cpp's libraries for ${platform} are not installed (@node-llama-cpp/${name})`,
      hint: name === undefined ? "Run forge on Linux, macOS or Windows, on x64 or arm64." : "Install mcp-forge again without --omit=optional (npm ci).",
      exit: EXIT.environment,
    });
  }
  if (env.MCP_FORGE_LLAMA_CPP) return ok({ libraries, converter: { checkout: resolve(env.MCP_FORGE_LLAMA_CPP) } });
  const unpacked = join(root, "dist", "llama.cpp");
  if (existsSync(join(unpacked, "conversion"))) return ok({ libraries, converter: { checkout: unpacked } });
  // A repository that was built where there was no Python: the sources themselves are at hand.
  const sources = findPackage("node-llama-cpp", root);
  if (sources !== undefined)
    return ok({ libraries, converter: { bundle: join(sources, "llama", "gitRelease.bundle"), cache: join(cacheDir(env), "llama.cpp") } });
  return err({
    code: "models/no-llama-cpp",
    message: "llama.cpp's converter is not in this installation of mcp-forge",
    hint: "Install mcp-forge again (npm ci), or name a checkout of llama.cpp in MCP_FORGE_LLAMA_CPP.",
    exit: EXIT.environment,
  });
}

/** Whether a folder holds llama.cpp's converter, as python/forge_steps/convert.py looks for it. */
export const isCheckout = (folder: string): boolean => existsSync(join(folder, "conversion", "base.py")) && existsSync(join(folder, "gguf-py", "gguf"));

/** Digest of the converter in a checkout of llama.cpp: the names and contents of its Python files. */
export function converterDigest(checkout: string): string {
  const hash = createHash("sha256");
  for (const part of [".", "conversion", join("gguf-py", "gguf")]) {
    const dir = join(checkout, part);
    if (!existsSync(dir)) continue;
    for (const name of readdirSync(dir).sort()) if (name.endsWith(".py")) hash.update(`${part}/${name}\n`).update(readFileSync(join(dir, name)));
  }
  return `sha256:${hash.digest("hex")}`;
}

/** Real path of an installed package as Node would find it from `from`, whatever the package exports. */
function findPackage(name: string, from: string): string | undefined {
  for (let folder = realpathSync(from); ; folder = dirname(folder)) {
    const found = join(folder, "node_modules", name);
    if (existsSync(join(found, "package.json"))) return realpathSync(found);
    if (dirname(folder) === folder) return undefined;
  }
}
