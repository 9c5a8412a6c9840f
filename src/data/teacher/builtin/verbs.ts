/**
 * Verbs that tool names and descriptions use, by class, and what people say instead. A class
 * decides the shapes of a request: reading asks questions, acting gives orders.
 */

export type VerbClass =
  | "read"
  | "list"
  | "search"
  | "check"
  | "create"
  | "update"
  | "delete"
  | "send"
  | "write"
  | "move"
  | "book"
  | "toggle"
  | "connect"
  | "convert"
  | "compute"
  | "run"
  | "play"
  | "register";

/** Verbs of a class, in base form; the first few are what people say. */
const CLASSES: Readonly<Record<VerbClass, readonly string[]>> = {
  read: "get retrieve fetch show display view read describe return provide load inspect present detail obtain lookup summarize summarise ping tell give access browse help explain query".split(
    " ",
  ),
  list: "list enumerate index".split(" "),
  search: "search find look discover locate filter explore match browse recommend suggest".split(" "),
  check: "check verify validate test monitor track manage review analyze analyse detect compare determine confirm".split(" "),
  create: "create make generate build initialize initialise init new compose draft design set-up setup produce add start begin open".split(" "),
  update:
    "update edit modify change rename set adjust configure patch replace alter apply complete finish archive shorten rate escalate back restart renew".split(
      " ",
    ),
  delete: "delete remove clear cancel drop erase purge unregister uninstall dismiss revoke".split(" "),
  send: "send post email message share publish forward notify reply submit text tweet".split(" "),
  write: "write save store report leave append put record log upload insert note export".split(" "),
  move: "move copy transfer relocate import download duplicate merge".split(" "),
  book: "book reserve order buy borrow purchase rent schedule pay hire request".split(" "),
  toggle: "turn enable disable activate deactivate switch lock unlock mute unmute close stop pause resume control shut end".split(" "),
  connect: "connect link attach join login authenticate establish disconnect".split(" "),
  convert: "convert translate transform format encode decode parse".split(" "),
  compute: "calculate compute estimate evaluate predict sum count measure solve".split(" "),
  run: "run roll click drag fill hover press take crawl fork push execute invoke trigger call launch perform deploy".split(" "),
  play: "play watch listen stream".split(" "),
  register: "register subscribe enroll sign assign".split(" "),
};

const CLASS_OF = new Map<string, VerbClass>();
for (const [cls, verbs] of Object.entries(CLASSES) as [VerbClass, readonly string[]][]) for (const v of verbs) if (!CLASS_OF.has(v)) CLASS_OF.set(v, cls);
/** Words that are verbs in a description but usually nouns in a tool's name. */
const NOUNISH = new Set(
  "index log note order record help text message email request format filter count match test detail track post query access search schedule book play list link reply call design start end open view review set".split(
    " ",
  ),
);

/** The class of a verb in base form, or null. */
export const verbClass = (verb: string): VerbClass | null => CLASS_OF.get(verb) ?? null;
/** Whether the word is more often a noun when it is not the first word of a name. */
export const mayBeNoun = (word: string): boolean => NOUNISH.has(word);
/** Classes whose requests can be questions about something that exists. */
export const asks = (cls: VerbClass): boolean => cls === "read" || cls === "list" || cls === "search" || cls === "check";

/** What people say for a verb, with an object after it. The verb itself comes first where it is natural. */
const SYNONYMS: Readonly<Record<string, readonly string[]>> = {
  create: ["create", "make", "set up", "add", "start"],
  make: ["make", "create", "put together"],
  generate: ["generate", "create", "make", "come up with"],
  add: ["add", "put in", "register", "set up"],
  register: ["register", "add", "set up"],
  initialize: ["set up", "start", "initialize"],
  open: ["open", "open up"],
  start: ["start", "begin", "kick off"],
  update: ["update", "change", "edit"],
  edit: ["edit", "change", "modify", "update"],
  modify: ["modify", "change", "edit"],
  change: ["change", "switch", "update"],
  rename: ["rename"],
  set: ["set", "change"],
  adjust: ["adjust", "change"],
  replace: ["replace", "swap"],
  delete: ["delete", "remove", "get rid of"],
  remove: ["remove", "delete", "take out", "get rid of"],
  cancel: ["cancel", "call off"],
  clear: ["clear", "clear out", "empty"],
  send: ["send", "send off", "fire off"],
  post: ["post", "publish", "put up"],
  share: ["share", "send"],
  write: ["write", "save", "put"],
  save: ["save", "store"],
  append: ["append", "add"],
  move: ["move", "transfer", "shift"],
  copy: ["copy", "make a copy of", "duplicate"],
  transfer: ["transfer", "move", "send"],
  book: ["book", "reserve", "get me", "arrange"],
  reserve: ["reserve", "book", "get me"],
  order: ["order", "get me", "buy"],
  buy: ["buy", "order", "get me", "purchase"],
  schedule: ["schedule", "set up", "arrange", "plan"],
  pay: ["pay"],
  close: ["close", "shut", "close down"],
  stop: ["stop", "halt", "end"],
  connect: ["connect to", "open a connection to", "link up with"],
  convert: ["convert", "change", "turn"],
  translate: ["translate"],
  calculate: ["calculate", "work out", "compute", "figure out"],
  compute: ["compute", "work out", "calculate"],
  estimate: ["estimate", "work out"],
  run: ["run", "execute", "start"],
  execute: ["execute", "run"],
  play: ["play", "put on", "start playing"],
  read: ["read", "open", "show me", "print"],
  list: ["list", "show me", "give me", "show"],
  check: ["check", "look up", "have a look at", "verify"],
  verify: ["verify", "check"],
  validate: ["validate", "check"],
  track: ["track", "check", "follow"],
  search: ["search for", "find", "find me", "look for", "look up"],
  find: ["find", "find me", "look for", "search for", "locate"],
  recommend: ["recommend", "suggest"],
  read_info: ["get", "get me", "show me", "give me", "pull up", "look up", "check", "fetch", "bring up", "let me see", "tell me"],
};

/** What people say for this verb; never empty. Verbs that only machines use give way to everyday ones. */
export function sayVerb(verb: string, cls: VerbClass): readonly string[] {
  const own = SYNONYMS[verb];
  if (own) return own;
  if (cls === "read") return SYNONYMS.read_info as readonly string[];
  if (cls === "list") return SYNONYMS.list as readonly string[];
  if (cls === "search") return SYNONYMS.search as readonly string[];
  if (cls === "check") return SYNONYMS.check as readonly string[];
  if (cls === "connect") return [verb, ...(SYNONYMS.connect as readonly string[]).slice(0, 1)];
  return [verb];
}
