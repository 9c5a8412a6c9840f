/** Files and folders. */
import { type Domain, takes } from "./domain.ts";

const VOCABULARY = "file files folder folders directory directories path disk document documents txt csv json pdf rename backup readme log".split(" ");
const NEAR = [
  "What is the difference between a file and a folder?",
  "How big is a gigabyte?",
  "What does CSV stand for?",
  "What is a symbolic link?",
  "Who invented the hard disk?",
  "What is a file system?",
];
const pathy = (t: Parameters<Domain["fits"]>[0]) => takes(t, "path", "folder") || t.params.some((p) => /path/i.test(p.property.name));
const named = (re: RegExp) => (t: Parameters<Domain["fits"]>[0]) => pathy(t) && re.test(t.tool.name);
const BEYOND = [
  ["share this folder with Anna", "share"],
  ["convert the PDF into a Word document", "convert"],
  ["print the report", "print"],
  ["encrypt my documents", "encrypt"],
  ["upload the photos to the cloud", "upload"],
  ["email the file to my boss", "email"],
  ["compress the folder", "compress"],
  ["scan my files for viruses", "scan"],
] as const;
const base = { beyond: BEYOND, vocabulary: VOCABULARY, nearMisses: NEAR };

export const readFile: Domain = {
  ...base,
  id: "files/read",
  fits: (t) =>
    pathy(t) &&
    /read|cat|view|get|open|load|head|tail/i.test(t.tool.name) &&
    /file|content/i.test(t.tool.name) &&
    !/multiple|info|list|media|meta|stat|size/i.test(t.tool.name),
  patterns: [
    "(what's|what is) (in|inside|written in|the content of) {=path}?",
    "(what does) {=path} (say|contain|look like)?",
    "(open|read|show me|print|display|view|load|bring up) (the file |the contents of |the text of |what's in ||) {=path}",
    "(can you|could you) (open|read|show me|print|look at|read me) {=path}( for me| and tell me what it says|)?",
    "(I need|I want|I'd like) (to see|to read|the contents of|to look at) {=path}",
    "(let me see|let's see|let's look at|have a look at) (what's in |) {=path}",
    "(contents of|text of) {=path}( please|)",
    "(I forgot|I can't remember|remind me) what (I wrote in|is in|we put in) {=path}",
  ],
  vague: ["(I need to check something in|there was something in|I'm looking at) {=path}", "{=path}?", "(anything interesting in|what about) {=path}?"],
  capability: "read files",
};

export const writeFile: Domain = {
  ...base,
  id: "files/write",
  fits: (t) => named(/write|save|append|create.?file|put/i)(t) && takes(t, "text"),
  patterns: [
    "(write|save|put|store) {=text} (to|in|into) (the file |) {=path}",
    "(create|make) (a file called|a file named|a new file|the file) {=path} (with the text|containing|that says|with the content|with) {=text}",
    "(can you|could you|please) (write|save|put) {=text} (to|into|in) {=path}?",
    "(I need|I want|I'd like) {=text} (saved|written|stored) (in|to) {=path}",
    "(in|into) {=path}, (write|put|save) {=text}",
    "{=path} should (say|contain|read) {=text}, (please write it|please save that|make it so)",
    "(jot down|note) {=text} in {=path}",
  ],
  vague: ["{=text} (belongs in|goes in|needs to go into) {=path}"],
  capability: "write files",
};

export const listFolder: Domain = {
  ...base,
  id: "files/list",
  fits: (t) => !/create|make|tree|mkdir|delete|remove|move/i.test(t.tool.name) && named(/list.*(dir|folder|file)|(^|_)ls($|_)|directory|dir_/i)(t),
  objects: ["files", "contents of the folder", "files and folders"],
  patterns: [
    "(what's|what is) (in|inside) (the folder |the directory |) {=folder}?",
    "(which|what) (files|files and folders|documents|items) (are|do I have|do we have|live) (in|inside|under) {=folder}?",
    "(list|show me|show|print|display) (the files in|everything in|what's in|the contents of|all files in) {=folder}",
    "(can you|could you) (list|show me) (what's in|the files in|everything in) {=folder}?",
    "(I want|I need|I'd like) to see (what's in|the files in|what is inside) {=folder}",
    "ls {=folder}",
    "(look|peek) (into|inside) {=folder} (and tell me what's there|for me|)",
    "(is there anything|do I have anything) (in|inside) {=folder}?",
  ],
  vague: ["(what have I got in|what about|I lost track of) {=folder}(?|)", "(I'm looking for something in|I think it was in) {=folder}"],
  capability: "list folders",
};

export const fileTree: Domain = {
  ...base,
  id: "files/tree",
  fits: named(/tree/i),
  patterns: [
    "(show me|give me|print|draw|get) the (tree|folder structure|directory tree|whole structure|hierarchy) (of|under|for|below) {=folder}",
    "(how is) {=folder} (organised|structured|laid out)?",
    "(what does) the (structure|tree|hierarchy) of {=folder} look like?",
    "(tree|directory tree|folder structure) {=folder}",
    "(I need|I'd like) (a full overview|the whole tree|a recursive view) of {=folder}",
  ],
  capability: "show folder trees",
};

export const makeFolder: Domain = {
  ...base,
  id: "files/mkdir",
  fits: named(/(create|make|new).*(dir|folder)|mkdir/i),
  objects: ["folder", "directory"],
  patterns: [
    "(create|make|add|set up) (a|a new|the) (folder|directory) (called|named|at|) {=folder}",
    "(can you|could you|please) (create|make) (the folder|a directory|a folder called) {=folder}?",
    "(I need|I want) (a|a new) (folder|directory) (called|at|named) {=folder}",
    "mkdir {=folder}",
    "(there should be|make sure there is) a (folder|directory) {=folder}",
  ],
  capability: "create folders",
};

export const moveFile: Domain = {
  ...base,
  id: "files/move",
  fits: named(/move|rename/i),
  patterns: [
    "(move|relocate|shift) {=start} (to|into|over to) {=end}",
    "rename {=start} (to|as) {=end}",
    "(can you|could you|please) (move|rename) {=start} to {=end}?",
    "(I want|I need) {=start} (moved|renamed) to {=end}",
    "{=start} should (be called|be|move to|go to) {=end}, please (move|rename) it",
    "(put) {=start} (at|under) {=end}",
  ],
  capability: "move and rename files",
};

export const searchFiles: Domain = {
  ...base,
  id: "files/search",
  fits: named(/search|find|glob/i),
  patterns: [
    "(find|search for|look for|locate) (files matching|all|anything matching|everything that matches|) {=glob} (in|under|inside|within) {=folder}",
    "(where are|are there any|which) (files matching|files like|files that match) {=glob} (in|under) {=folder}?",
    "(search|look through|go through|scan) {=folder} for {=glob}",
    "(do I have|is there) (anything like|something matching|any file like) {=glob} (in|under) {=folder}?",
    "(in|under) {=folder}, (find|search for|look for) {=glob}",
    "(I'm looking for|I need to find|I lost) {=glob}, (it should be|probably somewhere) (in|under) {=folder}",
  ],
  capability: "search for files",
};

export const fileInfo: Domain = {
  ...base,
  id: "files/info",
  fits: named(/info|stat|metadata|details/i),
  objects: ["file details", "file info", "metadata", "properties"],
  patterns: [
    "(how big|how large|what size|how many bytes) is (the file |) {=path}?",
    "(when was|since when was) (the file |) {=path} (last changed|last modified|created|last edited|last touched)?",
    "(what's|what is|tell me|check|find out) the (size|date|file size|modification date|age|creation date|last change|permissions) of (the file |) {=path}",
    "(show me|give me|get|I need|I'd like|pull up|look up|fetch) (the details|the metadata|information|info|the properties|the file details|the facts) (on|about|for) (the file |) {=path}",
    "(is) {=path} (a file or a folder|very large|older than I think|really that big|read-only)?",
    "(file info|details|metadata|properties|size|modification date|permissions) (for|of) {=path}( please|)",

    "(I want|I need|I'd like) to know (how big|how old|how large) {=path} is",
  ],
  capability: "show file details",
};

export const FILE_DOMAINS: readonly Domain[] = [readFile, writeFile, listFolder, fileTree, makeFolder, moveFile, searchFiles, fileInfo];
