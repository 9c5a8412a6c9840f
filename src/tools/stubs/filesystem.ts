/**
 * The filesystem stub: the public server's tools over a folder in memory, with its wording. By default
 * every call finds the folder as it was at the start, so that a result depends on the call alone and not
 * on the calls before it (data stays the same in whatever order it is made); `stateful` keeps changes.
 */
import type { JsonObject } from "../../platform/json.ts";
import { FILESYSTEM_TOOLS } from "./filesystem-tools.ts";
import {
  CREATED,
  childrenOf,
  FileError,
  globToRegExp,
  initialFiles,
  MODIFIED,
  type Node,
  nameOf,
  parentOf,
  ROOT,
  resolvePath,
  sizeOf,
} from "./memory-files.ts";
import { failed, type Stub, type StubAnswer, text } from "./stub.ts";
import { unifiedDiff } from "./unified-diff.ts";

type Nodes = Map<string, Node>;
type Tool = (nodes: Nodes, args: JsonObject) => StubAnswer;

/** A file's node; errors as Node.js words them. */
function fileAt(nodes: Nodes, stated: string): { path: string; node: Extract<Node, { kind: "file" }> } {
  const path = resolvePath(stated);
  const node = nodes.get(path);
  if (node === undefined) throw missing("open", path);
  if (node.kind === "folder") throw new FileError("EISDIR: illegal operation on a directory, read");
  return { path, node };
}

function folderAt(nodes: Nodes, stated: string): string {
  const path = resolvePath(stated);
  const node = nodes.get(path);
  if (node === undefined) throw missing("scandir", path);
  if (node.kind === "file") throw new FileError(`ENOTDIR: not a directory, scandir '${path}'`);
  return path;
}

const missing = (call: string, path: string): FileError => new FileError(`ENOENT: no such file or directory, ${call} '${path}'`);

const textOf = (node: Extract<Node, { kind: "file" }>): string => (node.base64 === undefined ? node.text : Buffer.from(node.base64, "base64").toString("utf8"));

const readText: Tool = (nodes, args) => {
  const { node } = fileAt(nodes, String(args.path));
  if (args.head && args.tail) throw new FileError("Cannot specify both head and tail parameters simultaneously");
  const lines = textOf(node).split("\n");
  if (args.tail) return text(lines.slice(-Number(args.tail)).join("\n"));
  if (args.head) return text(lines.slice(0, Number(args.head)).join("\n"));
  return text(lines.join("\n"));
};

const readMedia: Tool = (nodes, args) => {
  const { path, node } = fileAt(nodes, String(args.path));
  if (!path.endsWith(".png")) return text(`[resource: file://${path}]`);
  return { content: [{ type: "image", data: node.base64 ?? Buffer.from(node.text).toString("base64"), mimeType: "image/png" }] };
};

const readMultiple: Tool = (nodes, args) =>
  text(
    (args.paths as readonly string[])
      .map((path) => {
        try {
          return `${path}:\n${textOf(fileAt(nodes, path).node)}\n`;
        } catch (e) {
          if (e instanceof FileError) return `${path}: Error - ${e.message}`;
          throw e;
        }
      })
      .join("\n---\n"),
  );

const writeFile: Tool = (nodes, args) => {
  const path = resolvePath(String(args.path));
  if (nodes.get(path)?.kind === "folder") throw new FileError(`EISDIR: illegal operation on a directory, open '${path}'`);
  if (nodes.get(parentOf(path))?.kind !== "folder") throw missing("open", path);
  nodes.set(path, { kind: "file", text: String(args.content) });
  return text(`Successfully wrote to ${args.path}`);
};

const editFile: Tool = (nodes, args) => {
  const { path, node } = fileAt(nodes, String(args.path));
  let content = textOf(node);
  for (const { oldText, newText } of args.edits as readonly { oldText: string; newText: string }[]) {
    if (!content.includes(oldText)) throw new FileError(`Could not find exact match for edit:\n${oldText}`);
    content = content.replace(oldText, () => newText);
  }
  if (args.dryRun !== true) nodes.set(path, { kind: "file", text: content });
  return text(`\`\`\`diff\n${unifiedDiff(path, textOf(node), content)}\`\`\`\n\n`);
};

const createDirectory: Tool = (nodes, args) => {
  const path = resolvePath(String(args.path));
  for (let at = path; at.startsWith(ROOT); at = parentOf(at)) {
    if (nodes.get(at)?.kind === "file") throw new FileError(`EEXIST: file already exists, mkdir '${at}'`);
    nodes.set(at, { kind: "folder" });
    if (at === ROOT) break;
  }
  return text(`Successfully created directory ${args.path}`);
};

const listDirectory: Tool = (nodes, args) =>
  text(
    childrenOf(nodes, folderAt(nodes, String(args.path)))
      .map((p) => `${nodes.get(p)?.kind === "folder" ? "[DIR]" : "[FILE]"} ${nameOf(p)}`)
      .join("\n"),
  );

/** As the public server writes sizes. */
function formatSize(bytes: number): string {
  const units = ["B", "KB", "MB", "GB", "TB"];
  const i = bytes <= 0 ? 0 : Math.floor(Math.log(bytes) / Math.log(1024));
  return i <= 0 ? `${Math.max(bytes, 0)} B` : `${(bytes / 1024 ** i).toFixed(2)} ${units[i]}`;
}

const listWithSizes: Tool = (nodes, args) => {
  const entries = childrenOf(nodes, folderAt(nodes, String(args.path))).map((path) => ({ name: nameOf(path), node: nodes.get(path) as Node }));
  if (args.sortBy === "size") entries.sort((a, b) => sizeOf(b.node) - sizeOf(a.node));
  else entries.sort((a, b) => (a.name.toLowerCase() < b.name.toLowerCase() ? -1 : 1)); // as the public server's locale-aware order, without a locale
  const lines = entries.map(
    ({ name, node }) =>
      `${node.kind === "folder" ? "[DIR]" : "[FILE]"} ${name.padEnd(30)} ${node.kind === "folder" ? "" : formatSize(sizeOf(node)).padStart(10)}`,
  );
  const files = entries.filter((e) => e.node.kind === "file");
  const total = files.reduce((sum, e) => sum + sizeOf(e.node), 0);
  return text([...lines, "", `Total: ${files.length} files, ${entries.length - files.length} directories`, `Combined size: ${formatSize(total)}`].join("\n"));
};

interface Tree {
  readonly name: string;
  readonly type: "directory" | "file";
  readonly children?: readonly Tree[];
}

const directoryTree: Tool = (nodes, args) => {
  const root = folderAt(nodes, String(args.path));
  const patterns = (args.excludePatterns ?? []) as readonly string[];
  const exclude = patterns.flatMap((p) => (p.includes("*") ? [p] : [p, `**/${p}`, `**/${p}/**`])).map(globToRegExp);
  const build = (folder: string): Tree[] =>
    childrenOf(nodes, folder)
      .filter((p) => !exclude.some((e) => e.test(p.slice(root.length + 1))))
      .map((p) => (nodes.get(p)?.kind === "folder" ? { name: nameOf(p), type: "directory", children: build(p) } : { name: nameOf(p), type: "file" }));
  return text(JSON.stringify(build(root), null, 2));
};

const moveFile: Tool = (nodes, args) => {
  const from = resolvePath(String(args.source));
  const to = resolvePath(String(args.destination));
  if (!nodes.has(from)) throw new FileError(`ENOENT: no such file or directory, rename '${from}' -> '${to}'`);
  if (nodes.has(to)) throw new FileError(`Destination already exists: ${to}`);
  if (nodes.get(parentOf(to))?.kind !== "folder") throw missing("rename", to);
  if (to.startsWith(`${from}/`)) throw new FileError(`EINVAL: invalid argument, rename '${from}' -> '${to}'`);
  for (const [path, node] of [...nodes]) {
    if (path !== from && !path.startsWith(`${from}/`)) continue;
    nodes.delete(path);
    nodes.set(to + path.slice(from.length), node);
  }
  return text(`Successfully moved ${args.source} to ${args.destination}`);
};

const searchFiles: Tool = (nodes, args) => {
  const root = folderAt(nodes, String(args.path));
  const wanted = globToRegExp(String(args.pattern));
  const exclude = ((args.excludePatterns ?? []) as readonly string[]).map(globToRegExp);
  const found: string[] = [];
  const search = (folder: string): void => {
    for (const path of childrenOf(nodes, folder)) {
      const relative = path.slice(root.length + 1);
      if (exclude.some((e) => e.test(relative))) continue;
      if (wanted.test(relative)) found.push(path);
      if (nodes.get(path)?.kind === "folder") search(path);
    }
  };
  search(root);
  return text(found.length > 0 ? found.join("\n") : "No matches found");
};

const fileInfo: Tool = (nodes, args) => {
  const path = resolvePath(String(args.path));
  const node = nodes.get(path);
  if (node === undefined) throw missing("stat", path);
  const folder = node.kind === "folder";
  return text(
    `size: ${sizeOf(node)}\ncreated: ${CREATED}\nmodified: ${MODIFIED}\naccessed: ${MODIFIED}\nisDirectory: ${folder}\nisFile: ${!folder}\npermissions: ${folder ? "755" : "644"}`,
  );
};

const TOOLS: ReadonlyMap<string, Tool> = new Map<string, Tool>([
  ["read_file", readText],
  ["read_text_file", readText],
  ["read_media_file", readMedia],
  ["read_multiple_files", readMultiple],
  ["write_file", writeFile],
  ["edit_file", editFile],
  ["create_directory", createDirectory],
  ["list_directory", listDirectory],
  ["list_directory_with_sizes", listWithSizes],
  ["directory_tree", directoryTree],
  ["move_file", moveFile],
  ["search_files", searchFiles],
  ["get_file_info", fileInfo],
  ["list_allowed_directories", () => text(`Allowed directories:\n${ROOT}`)],
]);

/** A filesystem stub with a folder of its own. */
export function createFilesystem(o: { readonly stateful: boolean }): Stub {
  const start = initialFiles();
  return {
    name: "filesystem",
    tools: FILESYSTEM_TOOLS,
    call(name, args) {
      const tool = TOOLS.get(name);
      if (tool === undefined) throw new Error(`the filesystem stub lists a tool that it does not have: ${name}`);
      try {
        return tool(o.stateful ? start : new Map(start), args);
      } catch (e) {
        if (e instanceof FileError) return failed(e.message);
        throw e;
      }
    },
  };
}
