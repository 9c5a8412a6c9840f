/**
 * A small folder in memory: what the filesystem stub works on. Paths are absolute, with forward slashes,
 * below one root; nothing outside it can be named. Times are fixed: there is no clock.
 */

export interface MemoryFile {
  readonly kind: "file";
  readonly text: string;
  /** Set for files that are no text: their bytes in base64. */
  readonly base64?: string;
}
export interface MemoryFolder {
  readonly kind: "folder";
}
export type Node = MemoryFile | MemoryFolder;

export const ROOT = "/projects";

/** The time of every file, and the later one of what a call has changed. */
export const CREATED = "Mon Mar 03 2025 09:00:00 GMT+0000 (Coordinated Universal Time)";
export const MODIFIED = "Fri Mar 14 2025 16:30:00 GMT+0000 (Coordinated Universal Time)";

/** An error whose message is the tool's answer, worded as the public server words it. */
export class FileError extends Error {}

/** A 1 x 1 pixel PNG. */
const PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

const FILES: Readonly<Record<string, string>> = {
  "README.md":
    "# Projects\n\nNotes, reports and code of the Harbor team.\n\n- website: the public site\n- reports: quarterly figures\n- notes: meetings and ideas\n",
  "todo.txt": "Call the printer about the flyers\nSend the invoice to Lindqvist\nBook a room for 12 May\n",
  "budget.csv": "month,income,expenses\nJanuary,4200,3100\nFebruary,3900,3350\nMarch,4700,2980\n",
  "notes/meeting-2025-03-10.md":
    "# Meeting, 10 March 2025\n\nPresent: Ana, Tomas, Wei\n\n- The launch moves to 2 June.\n- Wei writes the press text.\n- Next meeting: 24 March.\n",
  "notes/ideas.md": "# Ideas\n\n1. A newsletter once a month\n2. Opening hours on the front page\n3. A map of the harbor\n",
  "notes/recipes/pancakes.txt": "250 g flour\n3 eggs\n500 ml milk\n1 pinch of salt\nLet it rest for 20 minutes.\n",
  "reports/2024-q4.md": "# Q4 2024\n\nRevenue: 48300 EUR\nCosts: 39150 EUR\nNew customers: 27\n",
  "reports/2025-q1.md": "# Q1 2025\n\nRevenue: 51200 EUR\nCosts: 40480 EUR\nNew customers: 34\n",
  "reports/customers.csv": "name,city,since\nLindqvist AB,Malmo,2021\nOkafor Ltd,Lagos,2023\nRossi e Figli,Genoa,2019\n",
  "website/index.html": "<!doctype html>\n<title>Harbor</title>\n<h1>Welcome to the harbor</h1>\n<p>Open daily from 9 to 18.</p>\n",
  "website/style.css": "body { font-family: sans-serif; }\nh1 { color: navy; }\n",
  "website/src/app.js": 'const port = 8080;\n\nexport function greet(name) {\n  return "Hello, " + name;\n}\n',
  "website/src/config.json": '{\n  "port": 8080,\n  "language": "en",\n  "debug": false\n}\n',
  "website/test/app.test.js": 'import { greet } from "../src/app.js";\n\nif (greet("Ana") !== "Hello, Ana") throw new Error("greet");\n',
  "logs/server.log":
    "2025-03-13 08:00:01 start\n2025-03-13 08:00:02 listening on 8080\n2025-03-13 11:42:10 error: disk almost full\n2025-03-13 11:50:33 cleaned 2 GB\n2025-03-14 08:00:01 start\n",
};
const EMPTY_FOLDERS = ["archive"];
const IMAGES = ["website/images/logo.png"];

/** The folder as it is at the start, in a fixed order. */
export function initialFiles(): Map<string, Node> {
  const nodes = new Map<string, Node>([[ROOT, { kind: "folder" }]]);
  const addFolders = (path: string): void => {
    const parts = path.split("/").slice(0, -1);
    for (let i = 1; i <= parts.length; i++) nodes.set(`${ROOT}/${parts.slice(0, i).join("/")}`, { kind: "folder" });
  };
  for (const [path, text] of Object.entries(FILES)) {
    addFolders(path);
    nodes.set(`${ROOT}/${path}`, { kind: "file", text });
  }
  for (const path of IMAGES) {
    addFolders(path);
    nodes.set(`${ROOT}/${path}`, { kind: "file", text: "", base64: PIXEL });
  }
  for (const path of EMPTY_FOLDERS) nodes.set(`${ROOT}/${path}`, { kind: "folder" });
  return nodes;
}

/**
 * The absolute path that a stated one means; relative paths start at the root. Throws when it leaves the root.
 * As in the public server, `~` is a folder of the user's and so outside.
 */
export function resolvePath(stated: string): string {
  const parts: string[] = [];
  for (const part of (stated.startsWith("/") ? stated : `${ROOT}/${stated}`).split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "" && part !== ".") parts.push(part);
  }
  const path = `/${parts.join("/")}`;
  if (stated.startsWith("~") || stated.includes("\0") || (path !== ROOT && !path.startsWith(`${ROOT}/`))) {
    throw new FileError(`Access denied - path outside allowed directories: ${stated.startsWith("~") ? stated : path} not in ${ROOT}`);
  }
  return path;
}

export const parentOf = (path: string): string => path.slice(0, path.lastIndexOf("/"));
export const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Size in bytes. */
export function sizeOf(node: Node): number {
  if (node.kind === "folder") return 4096;
  return node.base64 === undefined ? Buffer.byteLength(node.text) : Buffer.from(node.base64, "base64").length;
}

/** Paths directly inside a folder, by name. */
export function childrenOf(nodes: ReadonlyMap<string, Node>, folder: string): string[] {
  return [...nodes.keys()].filter((p) => p !== ROOT && parentOf(p) === folder).sort((a, b) => (a < b ? -1 : 1));
}

/**
 * A glob as a regular expression: `*` and `?` within a name, `**` across folders, `[abc]`, `{a,b}`. The
 * subset of minimatch that people write.
 */
export function globToRegExp(glob: string): RegExp {
  let out = "";
  let braces = 0;
  for (let i = 0; i < glob.length; i++) {
    const c = glob.charAt(i);
    if (c === "*" && glob[i + 1] === "*") {
      const slash = glob[i + 2] === "/";
      out += slash ? "(?:[^/]+/)*" : ".*";
      i += slash ? 2 : 1;
      // More of the same would say the same, and try every way to share the text among them.
      while (!slash && glob[i + 1] === "*") i++;
    } else if (c === "*") out += "[^/]*";
    else if (c === "?") out += "[^/]";
    else if (c === "[" && glob.indexOf("]", i + 2) > 0) {
      const end = glob.indexOf("]", i + 2);
      out += `[${glob
        .slice(i + 1, end)
        .replace(/^!/, "^")
        .replaceAll("\\", "\\\\")
        .replaceAll("[", "\\[")}]`;
      i = end;
    } else if (c === "{" && glob.indexOf("}", i) > 0) {
      out += "(?:";
      braces++;
    } else if (c === "}" && braces > 0) {
      out += ")";
      braces--;
    } else if (c === "," && braces > 0) out += "|";
    else out += c.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
  }
  try {
    return new RegExp(`^${out}${")".repeat(braces)}$`);
  } catch {
    return /(?!)/; // a pattern that makes no sense matches nothing, as in the public server
  }
}
