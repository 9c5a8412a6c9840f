/**
 * The little English that the builtin teacher needs: articles, plurals, verb forms, numbers in
 * words, lists, and tidying of put-together sentences. Pure functions on plain strings.
 */

/** Splits an identifier (snake_case, camelCase, kebab-case, dots) into lower-case words; acronyms stay whole. */
export function splitName(name: string): string[] {
  return name
    .replace(/([a-z])([A-Z])/g, "$1 $2")
    .replace(/([A-Z]+)([A-Z][a-z])/g, "$1 $2")
    .replace(/([0-9])([A-Z][a-z])/g, "$1 $2")
    .split(/[^A-Za-z0-9]+/)
    .filter((w) => w !== "")
    .map((w) => w.toLowerCase());
}

const AN_EXCEPTIONS = /^(uni|use|user|usa|uk|url|utc|euro|one|once|ubi)/i;
const ACRONYM_AN = /^[AEFHILMNORSX][A-Z]+\b/;
const AN_LETTERS = /^(hour|honest|heir|x-ray|mp3|html|http|sms|rds|sql|f-|id\b|ip\b|api\b|iata|iso|mri)/i;

/** `a` or `an`, by the sound that the phrase begins with. */
export function article(phrase: string): "a" | "an" {
  const w = phrase.replace(/^["'“]/, "");
  if (AN_LETTERS.test(w) || (ACRONYM_AN.test(w) && !/^(NATO|LED|SAP|NASA|MIT[a-z])/.test(w))) return "an";
  if (AN_EXCEPTIONS.test(w)) return "a";
  if (/^(8|11|18)(\D|$)/.test(w)) return "an";
  return /^[aeiou]/i.test(w) ? "an" : "a";
}

const IRREGULAR: Readonly<Record<string, string>> = {
  person: "people",
  child: "children",
  man: "men",
  woman: "women",
  mouse: "mice",
  foot: "feet",
  tooth: "teeth",
  index: "indices",
  datum: "data",
  leaf: "leaves",
  life: "lives",
  shelf: "shelves",
};
const SINGULARS = new Map(Object.entries(IRREGULAR).map(([s, p]) => [p, s]));
/** Nouns without a plural, which take no `a`. */
const MASS = new Set(
  "weather information info data news help music advice equipment furniture luggage baggage traffic money cash software hardware feedback progress history content text inventory stock availability status access stuff knowledge research metadata storage memory usage education experience homework evidence air water humidity temperature-data permission-info documentation".split(
    " ",
  ),
);
const ENDS_IN_S_SINGULAR = new Set(
  "status address news bus gas class process access business analysis basis canvas virus bonus campus census focus atlas chess glass boss loss gps dns css https progress express wireless series species success address access".split(
    " ",
  ),
);

/** Whether a noun phrase counts as mass (no article `a`, no plural). Judged by its last word. */
export const isMass = (phrase: string): boolean => MASS.has(lastWord(phrase));

/** Whether a noun phrase is plural. Judged by the head: the last word before `of`. */
export function isPlural(phrase: string): boolean {
  const w = lastWord(headOf(phrase));
  if (/ and /.test(phrase)) return true;
  if (MASS.has(w) || ENDS_IN_S_SINGULAR.has(w)) return false;
  return SINGULARS.has(w) || w === "data" || (/[^s]s$/.test(w) && !/(ss|us|is)$/.test(w));
}

const lastWord = (phrase: string) => phrase.toLowerCase().split(/\s+/).at(-1) ?? "";

/** The phrase up to its first `of`, `for`, `in`, `from`, `to`, `with`: `list of files` → `list`. */
export const headOf = (phrase: string): string => phrase.split(/\s+(?:of|for|in|from|to|with|on|about|by|at)\s+/)[0] ?? phrase;

/** Plural of a singular noun phrase (its head is changed); mass nouns and plurals come back as they are. */
export function plural(phrase: string): string {
  if (isMass(headOf(phrase)) || isPlural(phrase)) return phrase;
  return changeHead(phrase, (w) => {
    const low = w.toLowerCase();
    if (IRREGULAR[low]) return IRREGULAR[low];
    if (/(s|x|z|ch|sh)$/.test(low)) return `${w}es`;
    if (/[^aeiou]y$/.test(low)) return `${w.slice(0, -1)}ies`;
    return `${w}s`;
  });
}

/** Singular of a plural noun phrase; singular ones come back as they are. */
export function singular(phrase: string): string {
  if (!isPlural(phrase)) return phrase;
  return changeHead(phrase, (w) => {
    const low = w.toLowerCase();
    const irregular = SINGULARS.get(low);
    if (irregular) return irregular;
    if (/ies$/.test(low) && low.length > 4 && !/(movies|cookies|series)$/.test(low)) return `${w.slice(0, -3)}y`;
    if (/(ches|shes|xes|sses|zes)$/.test(low)) return w.slice(0, -2);
    return w.slice(0, -1);
  });
}

function changeHead(phrase: string, f: (word: string) => string): string {
  const head = headOf(phrase);
  const words = head.split(" ");
  const last = words.pop() ?? "";
  return [...words, f(last)].join(" ") + phrase.slice(head.length);
}

/** A phrase with a fitting indefinite determiner: `a file`, `an alert`, `some data`, `alerts`. */
export function indefinite(phrase: string): string {
  if (isPlural(phrase) || isMass(headOf(phrase)) || /^(a|an|the|my|your|some|any|all|its|their|this|that)\b/i.test(phrase)) return phrase;
  return `${article(phrase)} ${phrase}`;
}

const DOUBLING = new Set("get skip put set run stop plan cut let sit shut ship drop map log tag chat plot scan swap submit begin".split(" "));

/** `-ing` form of a verb; the first word is changed: `look up` → `looking up`. */
export function gerund(verb: string): string {
  const [v = "", ...rest] = verb.split(" ");
  let g = `${v}ing`;
  if (/ie$/.test(v)) g = `${v.slice(0, -2)}ying`;
  else if (/[^eoy]e$/.test(v)) g = `${v.slice(0, -1)}ing`;
  else if (DOUBLING.has(v)) g = `${v}${v.at(-1)}ing`;
  return [g, ...rest].join(" ");
}

const PAST: Readonly<Record<string, string>> = {
  get: "got",
  find: "found",
  send: "sent",
  write: "written",
  read: "read",
  make: "made",
  set: "set",
  put: "put",
  run: "run",
  take: "taken",
  buy: "bought",
  pay: "paid",
  show: "shown",
  give: "given",
  begin: "begun",
  draw: "drawn",
  build: "built",
  tell: "told",
  bring: "brought",
  cut: "cut",
  do: "done",
  see: "seen",
  upload: "uploaded",
};

/** Past participle of a verb; the first word is changed. */
export function participle(verb: string): string {
  const [v = "", ...rest] = verb.split(" ");
  const irregular = PAST[v];
  let p = irregular ?? `${v}ed`;
  if (!irregular) {
    if (/e$/.test(v)) p = `${v}d`;
    else if (/[^aeiou]y$/.test(v)) p = `${v.slice(0, -1)}ied`;
    else if (DOUBLING.has(v)) p = `${v}${v.at(-1)}ed`;
  }
  return [p, ...rest].join(" ");
}

/** Base form of a third-person verb: `retrieves` → `retrieve`, `fetches` → `fetch`, `copies` → `copy`. */
export function baseForm(word: string): string {
  const w = word.toLowerCase();
  if (/ies$/.test(w)) return `${w.slice(0, -3)}y`;
  if (/(ches|shes|sses|xes|oes|zzes)$/.test(w)) return w.slice(0, -2);
  if (/[^s]s$/.test(w) && w.length > 3) return w.slice(0, -1);
  return w;
}

const ONES = "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen eighteen nineteen".split(" ");
const TENS = "_ _ twenty thirty forty fifty sixty seventy eighty ninety".split(" ");

/** A whole number from 0 to 999 in words; others as digits. */
export function numberInWords(n: number): string {
  if (!Number.isInteger(n) || n < 0 || n > 999) return String(n);
  if (n < 20) return ONES[n] as string;
  if (n < 100) return (TENS[Math.floor(n / 10)] as string) + (n % 10 ? `-${ONES[n % 10]}` : "");
  return `${ONES[Math.floor(n / 100)]} hundred${n % 100 ? ` and ${numberInWords(n % 100)}` : ""}`;
}

/** `1st`, `2nd`, `23rd`. */
export function ordinal(n: number): string {
  const t = n % 100;
  return `${n}${t >= 11 && t <= 13 ? "th" : (["th", "st", "nd", "rd"][n % 10] ?? "th")}`;
}

/** `A`, `A and B`, `A, B and C`. */
export function listing(items: readonly string[], word = "and"): string {
  if (items.length < 2) return items[0] ?? "";
  return `${items.slice(0, -1).join(", ")} ${word} ${items.at(-1)}`;
}

/** First letter in upper case; the rest as it is. */
export const capital = (text: string): string => text.replace(/^(["'“(]?)(\p{Ll})/u, (_, q: string, c: string) => q + c.toUpperCase());

/** First letter in lower case, unless the word is `I` or looks like a name or an acronym. */
export const uncapital = (text: string): string => (/^(I\b|I'|[A-Z]{2}|[A-Z]\w*[A-Z0-9])/.test(text) ? text : text.charAt(0).toLowerCase() + text.slice(1));

/** Repairs the seams of a put-together sentence: spaces, space before punctuation, doubled punctuation, `a` before a vowel. */
export function tidy(text: string): string {
  return text
    .replace(/[ \t]+/g, " ")
    .replace(/ +([,.;:?!])(?=\s|$)/g, "$1")
    .replace(/,+([.?!])/g, "$1")
    .replace(/([,;:])\1+/g, "$1")
    .replace(/([?!])\./g, "$1")
    .replace(/([^.])\.\.(?!\.)/g, "$1.")
    .replace(/\b([Aa])n? (?=["“]?(\w+))/g, (m, a: string, next: string) =>
      /^[aA] $/.test(m) || /^[aA]n $/.test(m) ? `${a}${article(next) === "an" ? "n" : ""} ` : m,
    )
    .trim();
}

/** For `String.replace`: the text as it is; a string there has `$$` and `$&` read as patterns, and names are foreign. */
export const literally = (text: string) => (): string => text;
