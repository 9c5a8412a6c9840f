/** Text values by role: people, addresses, identifiers, paths, titles, queries, messages and names of things. */
import type { Rng } from "../../../../platform/rng.ts";
import { capital } from "../english.ts";
import type { Role } from "../roles.ts";
import { AIRPORTS, FAMOUS } from "../words/places.ts";
import * as T from "../words/things.ts";
import { existing, filePath, folderPath } from "./paths.ts";
import { inventedWord, literal, named, part, plain, quoted, type Value, type ValueOptions } from "./value.ts";

/** A string of the role. */
export function textValue(role: Role, rng: Rng, o: ValueOptions): Value {
  const from = (list: readonly string[]) => rng.pick(part(list, o.heldout));
  const first = from(T.FIRST_NAMES);
  const last = from(T.LAST_NAMES);
  const slug = (s: string) =>
    s
      .toLowerCase()
      .normalize("NFD")
      .replace(/[^a-z]/g, "");
  if (role.examples.length > 0 && !o.rare && !EXACT_KINDS.has(role.kind) && rng.chance(0.3)) {
    const e = rng.pick(role.examples);
    return plain(e, e);
  }
  switch (role.kind) {
    case "person":
      return named(/first/.test(role.noun) ? first : /last|sur/.test(role.noun) ? last : rng.chance(0.4) ? first : `${first} ${last}`);
    case "email":
      return literal(
        `${slug(first)}${rng.pick([".", "_", ""])}${slug(last)}@${rng.pick(["example.com", "mail.example.org", "northwind.test", "uni-example.edu", "post.example.net"])}`,
      );
    case "phone":
      return literal(`+${rng.pick(["1", "44", "49", "33", "81"])}${rng.int(200, 999)}${rng.int(1000000, 9999999)}`);
    case "url":
      return literal(`https://${rng.pick(["www.", "", "docs.", "blog."])}${rng.pick(part(T.WORDS, o.heldout))}.example/${rng.pick(T.FILE_STEMS)}`);
    case "path":
      return literal(existing(role, rng, o) ?? filePath(rng, o));
    case "folder":
      return literal(existing(role, rng, o) ?? folderPath(rng, o));
    case "glob":
      return literal(rng.chance(0.6) ? `*.${rng.pick(T.EXTENSIONS)}` : `${rng.pick(part(T.FILE_STEMS, o.heldout))}*`);
    case "id":
    case "token":
      return literal(identifier(role, rng));
    case "secret":
      return literal(`${rng.pick(part(T.WORDS, o.heldout))}-${rng.int(1000, 9999)}-${slug(inventedWord(rng))}`);
    case "host":
      return literal(rng.chance(0.4) ? `10.${rng.int(0, 255)}.${rng.int(0, 255)}.${rng.int(1, 254)}` : `${rng.pick(part(T.WORDS, o.heldout))}.example.com`);
    case "username":
      return literal(`${slug(first).slice(0, rng.int(1, 5))}${slug(last)}${rng.chance(0.3) ? rng.int(1, 99) : ""}`);
    case "nickname":
      return literal(o.rare || rng.chance(0.3) ? `${slug(inventedWord(rng))}-${rng.int(1, 9)}` : from(T.NICKNAMES));
    case "query": {
      const t = o.rare ? `${inventedWord(rng)} ${rng.pick(T.WORDS)}` : from(topicList(o.topic));
      return plain(t, rng.chance(0.25) ? `"${t}"` : t, !o.rare);
    }
    case "text":
      return quoted(from(/note|task|todo|reminder/.test(`${o.topic} ${role.noun}`) ? T.NOTES : T.MESSAGES), rng);
    case "subject":
      return quoted(from(T.SUBJECTS), rng, 0.8);
    case "address":
      return named(`${rng.int(2, 250)} ${last} ${rng.pick(["Street", "Avenue", "Road", "Lane"])}`);
    case "district":
      return named(from(T.DISTRICTS));
    case "airport":
      return rng.chance(role.examples.length > 0 ? 0.9 : 0.4) ? literal(rng.pick(part(AIRPORTS, o.heldout))) : named(rng.pick(part([...FAMOUS], o.heldout)));
    case "month":
      return named(rng.pick("January February March April May June July August September October November December".split(" ")));
    case "title":
      return titleValue(role, rng, o);
    default: {
      const list = LISTS[role.kind];
      if (list && !o.rare) return literal(from(list));
      const w = o.rare || rng.chance(0.4) ? inventedWord(rng) : from(T.WORDS);
      return plain(w, w);
    }
  }
}

const EXACT_KINDS = new Set(["path", "folder", "email", "phone", "secret", "person", "text", "query"]);
const LISTS: Readonly<Record<string, readonly string[]>> = {
  language: T.LANGUAGES,
  color: T.COLORS,
  size: T.SIZES,
  currency: T.CURRENCIES,
  company: T.COMPANIES,
  product: T.PRODUCTS,
  hotel: T.HOTELS,
  restaurant: T.RESTAURANTS,
  cuisine: T.CUISINES,
  artist: T.ARTISTS,
  song: T.SONGS,
  movie: T.MOVIES,
  genre: T.GENRES,
  airline: T.AIRLINES,
  symbol: T.SYMBOLS,
  tag: T.TAGS,
  timezone: T.TIMEZONES,
  project: T.PROJECT_NAMES,
  department: T.DEPARTMENTS,
};

/** What is looked up: subjects, and as often people and things. */
const ASKED_ABOUT = [...T.TOPICS, ...T.KNOWN_PEOPLE, ...T.KNOWN_THINGS];

function topicList(topic: string): readonly string[] {
  if (/recipe|food|dish|meal|cook|ingredient/.test(topic)) return T.FOODS;
  if (/product|item|shop|store/.test(topic)) return T.PRODUCTS;
  if (/song|track|music|album/.test(topic)) return T.SONGS;
  if (/movie|film|show/.test(topic)) return T.MOVIES;
  if (/file|content|code|line/.test(topic)) return T.GREP_WORDS;
  if (/contact|person|people|user|employee/.test(topic)) return T.LAST_NAMES;
  if (/information|web|internet|knowledge|encyclopedia|wiki/.test(topic)) return ASKED_ABOUT;
  return T.TOPICS;
}

function titleValue(role: Role, rng: Rng, o: ValueOptions): Value {
  const e = `${role.entity} ${o.topic}`;
  const from = (list: readonly string[]) => rng.pick(part(list, o.heldout));
  if (/event|meeting|appointment/.test(e)) return quoted(from(T.SUBJECTS), rng, 0.6);
  if (/project|repo/.test(e)) return literal(from(T.PROJECT_NAMES));
  if (/task|todo|note|reminder/.test(e)) return quoted(from(T.NOTES), rng, 0.8);
  if (/product|item/.test(e)) return literal(from(T.PRODUCTS));
  if (/hotel/.test(e)) return named(from(T.HOTELS));
  if (/restaurant/.test(e)) return named(from(T.RESTAURANTS));
  if (/(user|person|people|contact|customer|employee|patient|student)/.test(e)) return named(`${from(T.FIRST_NAMES)} ${from(T.LAST_NAMES)}`);
  if (/(server|table|database|bucket|channel|group|list|playlist)/.test(e)) return literal(from(T.NICKNAMES));
  return literal(`${capital(from(T.WORDS))} ${o.rare ? inventedWord(rng) : capital(from(T.WORDS))}`);
}

function identifier(role: Role, rng: Rng): string {
  const letters =
    role.entity
      .replace(/[^a-z]/g, "")
      .slice(0, rng.pick([1, 2, 3]))
      .toUpperCase() || rng.pick(["A", "K", "X"]);
  return rng.weighted([
    [() => String(rng.int(100, 999999)), 4],
    [() => `${letters}${rng.pick(["-", "", "_"])}${rng.int(100, 99999)}`, 5],
    [() => `${letters.toLowerCase()}${rng.int(10, 9999)}`, 2],
    [() => `#${rng.int(10, 99999)}`, 0.5],
    [() => `${rng.int(100, 9999)}${rng.pick(["AB", "XYZ", "K", "QC"])}`, 0.5],
    [() => `${inventedWord(rng).toUpperCase().slice(0, 4)}-${rng.int(10, 99)}${rng.pick(["A", "C", "X", "Q"])}`, 1],
  ])();
}
