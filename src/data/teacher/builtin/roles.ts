/**
 * What a parameter means to people: its role (a place, a date, a number of something, a path, …), the
 * noun that people use for it, the form its value takes. Read from its name, type, format, enum and
 * description; one table, first match wins.
 */
import type { JsonValue } from "../../../platform/json.ts";
import type { Property } from "../../schema.ts";
import { plural, singular, splitName } from "./english.ts";

export type RoleKind =
  | "place"
  | "district"
  | "address"
  | "airport"
  | "date"
  | "time"
  | "datetime"
  | "month"
  | "year"
  | "count"
  | "rating"
  | "age"
  | "money"
  | "seconds"
  | "number"
  | "latitude"
  | "longitude"
  | "person"
  | "email"
  | "phone"
  | "url"
  | "path"
  | "folder"
  | "glob"
  | "id"
  | "secret"
  | "host"
  | "username"
  | "nickname"
  | "query"
  | "text"
  | "subject"
  | "language"
  | "color"
  | "size"
  | "currency"
  | "company"
  | "product"
  | "hotel"
  | "restaurant"
  | "cuisine"
  | "artist"
  | "song"
  | "movie"
  | "genre"
  | "airline"
  | "symbol"
  | "tag"
  | "timezone"
  | "project"
  | "department"
  | "token"
  | "constant"
  | "enum"
  | "flag"
  | "boolean"
  | "title"
  | "word"
  | "list"
  | "edit"
  | "object"
  | "range";

/** Which end of a span a place or a date is. */
export type Side = "start" | "end" | null;

export interface Role {
  readonly kind: RoleKind;
  /** What people call it: `check-in date`, `city`, `order ID`. */
  readonly noun: string;
  /** The thing that an id or name belongs to: `order`, `product`; empty when none is named. */
  readonly entity: string;
  readonly side: Side;
  /** For a date: the layout (`YYYY-MM-DD`); for a place: `city, state`, `city, country`; else empty. */
  readonly layout: string;
  /** Bound or direction of a number: at least, at most. */
  readonly bound: "min" | "max" | null;
  /** Quoted examples in the description, most telling first. */
  readonly examples: readonly string[];
}

const has = (text: string, re: RegExp) => re.test(text);

/** Reads the role of a property. `toolNoun` is the tool's object, for names that say nothing alone (`id`, `name`). */
export function roleOf(p: Property, toolNoun: string): Role {
  const words = splitName(p.name);
  const name = words.join(" ");
  const d = p.description.toLowerCase();
  const side = sideOf(words, d);
  const bound =
    words[0] === "min" || words[0] === "minimum"
      ? "min"
      : words[0] === "max" || words[0] === "maximum" || name === "limit"
        ? "max"
        : /minimum/.test(d) && p.type !== "string"
          ? "min"
          : null;
  const kind = inContext(kindOf(p, words, name, d), name, d, toolNoun);
  const entity = entityOf(words, kind, toolNoun, d);
  return { kind, noun: nounOf(words, kind, entity, d), entity, side, layout: layoutOf(kind, p, d), bound, examples: examplesOf(p) };
}

/** Corrects a kind by what the tool works on: the path of a folder, the destination of a file. */
function inContext(kind: RoleKind, name: string, d: string, toolNoun: string): RoleKind {
  if (kind === "nickname" && /^(from|to)$/.test(name)) {
    if (/e-?mail|recipient|person|user/.test(`${toolNoun} ${d}`)) return /e-?mail address/.test(d) ? "email" : "person";
    if (/airport|flight/.test(`${toolNoun} ${d}`)) return "airport";
    if (/\b(city|place|location|station|stop|departure|destination)\b/.test(d) || /route|trip|train|bus|ride|distance|direction/.test(toolNoun)) return "place";
    if (/currency/.test(d)) return "currency";
    if (/language/.test(d)) return "language";
    if (/date/.test(d)) return "date";
  }
  if (
    (kind === "place" || kind === "nickname") &&
    /^(source|destination|dest|target|origin|location|from|to)$/.test(name) &&
    /file|folder|directory|path|document/.test(`${toolNoun} ${d}`)
  )
    return "path";
  if (kind === "path" && /directory|folder|tree/.test(`${toolNoun} ${d}`) && !/file/.test(name) && !/\bfile\b/.test(toolNoun)) return "folder";
  return kind;
}

function kindOf(p: Property, words: readonly string[], name: string, d: string): RoleKind {
  const last = words.at(-1) ?? "";
  if (p.type === "boolean") return "boolean";
  if (p.enum && p.enum.length > 0 && p.type !== "array") return p.enum.length === 1 ? "constant" : isFlag(p.enum) ? "flag" : "enum";
  if (p.type === "array") return p.items?.type === "object" && isEdit(p.items) ? "edit" : "list";
  if (p.type === "object") return "object";
  if (p.type === "integer" || p.type === "number") return numberKind(p, words, name, last, d);
  const format = String(p.schema.format ?? "");
  if (format === "email") return "email";
  if (format === "uri" || format === "url") return "url";
  if (format === "date") return "date";
  if (format === "date-time") return "datetime";
  if (format === "time") return "time";
  if (format === "uuid") return "id";
  if (/(^|_| )(to|until) '?yyyy|range/.test(`${name} ${d}`) && has(d, /yyyy-mm-dd to yyyy-mm-dd/)) return "range";
  for (const [re, kind] of STRING_NAMES) if (re.test(name)) return kind === "date" && /yyyy.{0,8}hh:mm/.test(d) ? "datetime" : kind;
  for (const [re, kind] of STRING_HINTS) if (re.test(d)) return kind;
  return "word";
}

/** By name, first match wins. */
const STRING_NAMES: readonly (readonly [RegExp, RoleKind])[] = [
  [/\b(api key|password|secret|access token|auth token|credential)/, "secret"],
  [/\b(e ?mail|recipient email|email address)\b/, "email"],
  [/^(from|to|old|new|current|old name|new name|from name|to name|current name)$/, "nickname"],
  [/\b(place name|hotel|hotel name|accommodation)\b/, "hotel"],
  [/\b(restaurant|restaurant name)\b/, "restaurant"],
  [/\b(phone|mobile|telephone)( number)?\b/, "phone"],
  [/\b(url|uri|link|website|webpage)\b/, "url"],
  [/\b(time ?zone|tz)\b/, "timezone"],
  [/\b(airport|iata)\b/, "airport"],
  [/\b(lat|latitude)\b/, "latitude"],
  [/\b(lon|lng|longitude)\b/, "longitude"],
  [/\b(starting after|ending before|cursor|page token|next token|continuation)\b/, "token"],
  [/\b(datetime|date time|timestamp|t0|t1|created at|updated at|due at|start at|end at)\b/, "datetime"],
  [/\b(start|end|from|to|begin|available|due) ?(date ?time)\b/, "datetime"],
  [/\b(date|day|birthday|deadline|check ?in|check ?out|arrival|departure date|as of)\b/, "date"],
  [/\b(month)\b/, "month"],
  [/\b(year)\b/, "year"],
  [/\b(start time|end time|time|hour|at time)\b/, "time"],
  [/\b(sub ?district|district|neighbou?rhood|borough)( name)?\b/, "district"],
  [/\b(street|address)\b/, "address"],
  [
    /\b(city|town|location|place|where|where to|destination|origin|country|state|region|area|province|venue|from city|to city)\b(?!.*\b(path|file|dir|id)\b)/,
    "place",
  ],
  [/\b(glob|pattern|wildcard|exclude patterns?)\b/, "glob"],
  [/\b(directory|dir|folder|cwd)\b/, "folder"],
  [/\b(path|file|filename|file name|filepath)\b/, "path"],
  [/^source$|^src$/, "path"],
  [/\b(host|hostname|server|ip)( address)?\b/, "host"],
  [/\b(nickname|alias)\b/, "nickname"],
  [/\b(username|user name|login)\b/, "username"],
  [/\b(query|keyword|keywords|search|search term|q|topic|term|phrase|question|search query|search text)\b/, "query"],
  [/\b(subject|title|headline|summary)\b/, "subject"],
  [/\b(content|contents|text|body|message|note|comment|description|caption|input|prompt|reason|feedback|instructions?)\b/, "text"],
  [/\b(language|lang|locale|target lang|source lang)\b/, "language"],
  [/\b(colou?r)\b/, "color"],
  [/\b(size)\b/, "size"],
  [/\b(currency|currency code|base currency|quote currency)\b/, "currency"],
  [/\b(symbol|ticker)\b/, "symbol"],
  [/\b(cuisine)\b/, "cuisine"],
  [/\b(genre)\b/, "genre"],
  [/\b(artist|singer|band|musician)\b/, "artist"],
  [/\b(song|track)\b/, "song"],
  [/\b(movie|film|show name)\b/, "movie"],
  [/\b(airline|airlines|carrier)\b/, "airline"],
  [/\b(company|organi[sz]ation|vendor|brand|manufacturer)( name)?\b/, "company"],
  [/\b(department|team|division)\b/, "department"],
  [/\b(project)( name)?\b(?!.*\bid\b)/, "project"],
  [/\b(product|item|article)( name)?$/, "product"],
  [/\b(tag|label|labels)\b/, "tag"],
  [/\b(id|ids|uid|uids|uuid|guid|key|code|number|serial|no|sku|isbn|ref|reference|hash|identifier)$/, "id"],
  [
    /\b(person|recipient|sender|author|assignee|attendee|owner|contact|customer|client|employee|patient|guest|friend|user|receiver|first name|last name|full name)( name)?\b/,
    "person",
  ],
  [/\b(database|db|table|schema|bucket|repo|repository|branch|channel|column)( name)?\b/, "nickname"],
  [/\bname\b/, "title"],
];

/** By description, for names that say nothing. */
const STRING_HINTS: readonly (readonly [RegExp, RoleKind])[] = [
  [/\b(yyyy-mm-dd.{0,4}hh|iso 8601|rfc 3339|timestamp)/, "datetime"],
  [/\b(yyyy-mm-dd|mm\/dd\/yyyy|dd\/mm\/yyyy)\b/, "date"],
  [/\bhh:mm\b/, "time"],
  [/e-?mail address/, "email"],
  [/\bphone number/, "phone"],
  [/\b(unique )?identifier|\bthe id of\b|\bid of the\b/, "id"],
  [/\b(city|town|place name|location)\b/, "place"],
  [/\b(absolute|relative|file) path|path (of|to)\b/, "path"],
  [/\bdirectory\b/, "folder"],
  [/\burl\b/, "url"],
  [/\b(hostname|ip address)\b/, "host"],
  [/\b(keyword|search term|topic|query)\b/, "query"],
  [/\bname of (the |a )?(person|user|customer|recipient)/, "person"],
  [/\b(message|text|content)\b/, "text"],
];

function numberKind(p: Property, words: readonly string[], name: string, last: string, d: string): RoleKind {
  if (/\b(lat|latitude)\b/.test(name)) return "latitude";
  if (/\b(lon|lng|longitude)\b/.test(name)) return "longitude";
  if (/\b(id|ids|identifier|serial)$/.test(name) || /\w (number|no)$/.test(name)) return "id";
  if (/\bper ?page\b/.test(name) || /^(years|months|weeks|days|nights|hours|minutes)\b/.test(name)) return "count";
  if (/\b(rating|stars?|score)\b/.test(name)) return "rating";
  if (/\b(age)\b/.test(name)) return "age";
  if (/\b(price|amount|cost|budget|fee|salary|total|balance|payment)\b/.test(name)) return "money";
  if (/\byear\b/.test(name) && !/years/.test(name)) return "year";
  if (/\b(port|priority|level|version|page|offset|temperature|volume|percent|percentage|zoom|angle|width|height|depth|weight|radius|distance)\b/.test(name))
    return "number";
  if (/\b(seconds?|timeout|timespan|duration|interval)\b/.test(name) || (/\bin seconds\b/.test(d) && !/\bdays|nights\b/.test(name)))
    return /minute/.test(`${name} ${d.slice(0, 60)}`) ? "count" : /second/.test(`${name} ${d}`) ? "seconds" : "number";
  if (/^(head|tail)$/.test(name)) return "count";
  if (p.type === "number") return "number";
  if (
    /^(num|number|n|no|max|min|total|count|limit|qty|quantity|top|head|tail|first|last)$/.test(words[0] ?? "") ||
    /(count|qty|quantity|limit|size|length|number|k|s)$/.test(last) ||
    /\bper ?page\b/.test(name)
  )
    return "count";
  return "number";
}

const isFlag = (values: readonly JsonValue[]) => {
  const set = new Set(values.map((v) => String(v).toLowerCase()));
  return (set.has("true") && set.has("false")) || (set.has("yes") && set.has("no"));
};

const isEdit = (items: Property): boolean => {
  const names = (items.properties ?? []).map((p) => p.name.toLowerCase());
  return names.some((n) => n.startsWith("old")) && names.some((n) => n.startsWith("new"));
};

function sideOf(words: readonly string[], d: string): Side {
  const has = (...w: string[]) => words.some((x) => w.includes(x));
  const joined = words.join(" ");
  if (joined === "where to") return null;
  if (/check ?in|check in/.test(joined)) return "start";
  if (/check ?out|check out/.test(joined)) return "end";
  if (has("start", "from", "begin", "departure", "depart", "origin", "source", "src", "after", "since", "t0", "pickup", "old", "current")) return "start";
  if (has("end", "to", "until", "return", "arrival", "destination", "dest", "target", "before", "t1", "dropoff", "new")) return "end";
  if (/^the start\b/.test(d)) return "start";
  if (/^the end\b/.test(d)) return "end";
  return null;
}

const GENERIC = new Set("id ids name names number no value key code identifier uuid type string text title".split(" "));

function entityOf(words: readonly string[], kind: RoleKind, toolNoun: string, d: string): string {
  const rest = words.filter((w) => !GENERIC.has(w));
  if (kind === "id" || kind === "title" || kind === "nickname" || kind === "person" || kind === "host") {
    if (rest.length > 0) return rest.join(" ");
    const said = /(?:identifier|id|name|alias) (?:of|for) (?:the |a |an )?(?:type of )?([a-z]+)/.exec(d)?.[1];
    return said && !["application", "use", "which", "this"].includes(said) ? said : singular(toolNoun);
  }
  return rest.join(" ");
}

function nounOf(words: readonly string[], kind: RoleKind, entity: string, d: string): string {
  const phrase = words.join(" ");
  if (kind === "id") return words.at(-1) === "number" || words.at(-1) === "code" || words.at(-1) === "serial" ? phrase : `${entity} ID`.trim();
  if (kind === "place") {
    if (/\bcountry\b/.test(phrase)) return "country";
    if (/\bstate\b/.test(phrase)) return "state";
    if (/\bcity\b/.test(phrase) || /\b(city|town)\b/.test(d)) return "city";
    if (/where/.test(phrase)) return "place";
    return phrase === "q" ? "place" : phrase;
  }
  if (kind === "count") {
    const rest = words.filter(
      (w) =>
        ![
          "num",
          "number",
          "of",
          "n",
          "no",
          "max",
          "min",
          "maximum",
          "minimum",
          "count",
          "total",
          "limit",
          "qty",
          "quantity",
          "per",
          "page",
          "top",
          "k",
        ].includes(w),
    );
    if (/per ?page/.test(phrase)) return "entries per page";
    if (/^(years|months|hours) \w+$/.test(phrase)) return phrase.replace(" ", " of ");
    const counted = rest.join(" ") || /(?:number|quantity) of ((?:[a-z]+ )?[a-z]+s)\b/.exec(d)?.[1] || "";
    if (/length$/.test(phrase)) return /\b(days|nights|hours|minutes|weeks)\b/.exec(d)?.[1] ?? phrase;
    if (/^(head|tail|first|last)$/.test(phrase)) return "lines";
    if (counted === "" && /quantity|qty/.test(phrase)) return "items";
    return plural(counted.replace(/\b(search|query|total|returned)\b /g, "") || "results");
  }
  if (kind === "date" || kind === "datetime")
    return phrase === "t0" || phrase === "from"
      ? "start time"
      : phrase === "t1" || phrase === "to"
        ? "end time"
        : phrase
            .replace("check in", "check-in")
            .replace("check out", "check-out")
            .replace(/\bdatetime\b/, "date");
  return phrase
    .replace(/^api key$/, "API key")
    .replace(/\bid\b/g, "ID")
    .replace(/\burl\b/g, "URL")
    .replace(/\bip\b/g, "IP")
    .replace(/^q$/, "query");
}

function layoutOf(kind: RoleKind, p: Property, d: string): string {
  if (kind === "place") {
    if (/city, ?state/.test(d) && /city, ?country/.test(d)) return "city, region";
    if (/city, ?state/.test(d)) return "city, state";
    if (/city, ?country/.test(d)) return "city, country";
    return "";
  }
  if (kind === "date") return /mm\/dd\/yyyy/.test(d) ? "MM/DD/YYYY" : /dd\/mm\/yyyy/.test(d) ? "DD/MM/YYYY" : "YYYY-MM-DD";
  if (kind === "datetime") {
    if (/yyyy-mm-dd hh:mm:ss/.test(d)) return "YYYY-MM-DD HH:mm:ss";
    if (/yyyy-mm-dd(?!.?t?hh)/.test(d) && !/hh:mm|iso 8601|timestamp/.test(d) && p.schema.format !== "date-time") return "YYYY-MM-DD";
    return "YYYY-MM-DDTHH:mm:ssZ";
  }
  // JSON Schema's `time` is RFC 3339's, with its zone.
  if (kind === "time" && p.schema.format === "time") return "HH:mm:ssZ";
  if (kind === "time") return /am|pm/.test(d) && !/24/.test(d) ? "h:mm AM" : "HH:mm";
  return "";
}

/** Values quoted in the description after `such as`, `e.g.`, `for example`, `like`, `example values`; and the schema's own `examples`. */
export function examplesOf(p: Property): string[] {
  const own = [...(Array.isArray(p.schema.examples) ? p.schema.examples : []), ...("example" in p.schema ? [p.schema.example as JsonValue] : [])].filter(
    (v): v is string => typeof v === "string",
  );
  const out = new Set<string>(own);
  const at = p.description.search(/such as|e\.g\.|for example|example|for instance|\blike '|include '/i);
  if (at >= 0)
    for (const m of p.description.slice(at, at + 400).matchAll(/(?<![A-Za-z])'([^']{1,60})'/g))
      if (m[1] && !/YYYY|HH:mm|City|dontcare|^\.$/.test(m[1])) out.add(m[1]);
  return [...out].slice(0, 12);
}

/** Meanings of enum values that a description spells out: `'metric' for Celsius` → metric: Celsius. */
export function glossesOf(p: Property): Map<string, string> {
  const out = new Map<string, string>();
  for (const v of p.enum ?? []) {
    const escaped = String(v).replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
    const m = new RegExp(`['"\`]${escaped}['"\`] (?:for|means|is for|=) ([A-Za-z-]+(?: [A-Za-z-]+)?)(?=[,.;)]|$| or | and )`, "i").exec(p.description);
    if (m?.[1]) out.set(String(v), m[1].trim().replace(/ (files|servers|items|units|results)$/, ""));
  }
  return out;
}

/** Roles whose value two of can stand side by side: "for Oslo and Bergen". */
const PAIRED = /^(place|airport|id|path|folder|person|symbol|title|city|product|hotel|username|email|query)$/;

/** Whether a request can name two values of a parameter in one breath. */
export const canBePaired = ({ property, role }: { readonly property: Property; readonly role: Role }): boolean =>
  property.required && property.enum === undefined && PAIRED.test(role.kind);
