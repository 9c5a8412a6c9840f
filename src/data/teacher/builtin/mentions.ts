/**
 * How an argument is mentioned in a request: by preposition, by its noun, as an adjective, in a
 * sentence of its own. `X` in a form is where the said value goes; a form without `X` says the value
 * itself (`including hidden files`). Adding a role is adding a row.
 */

import { article, isPlural, plural, singular, splitName } from "./english.ts";
import type { Param } from "./model.ts";
import type { Value } from "./values.ts";

export interface Mention {
  readonly text: string;
  /** `after` the object; `before` it as an adjective; `first` in the sentence; `alone` as a sentence of its own; `object` stands for the object itself. */
  readonly at: "after" | "before" | "first" | "alone" | "object";
  readonly weight: number;
}

const after = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "after", weight: weight / texts.length }));
const alone = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "alone", weight: weight / texts.length }));
const first = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "first", weight: weight / texts.length }));
const before = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "before", weight: weight / texts.length }));
const object = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "object", weight: weight / texts.length }));

/** All ways to mention this argument; never empty. `objectNoun` is the tool's object in the singular. */
export function mentionsOf(param: Param, value: Value, objectNoun: string): Mention[] {
  const { role, property: p } = param;
  const L = role.noun;
  const start = role.side === "start";
  const end = role.side === "end";
  switch (role.kind) {
    case "place":
      if (start) return [...after(4, "from X", "leaving from X"), ...after(1, "starting in X"), ...alone(1, "I'd be leaving from X", "Starting point is X")];
      if (end) return [...after(4, "to X"), ...after(1, "going to X", "headed to X"), ...alone(1, "The destination is X", "I want to get to X")];
      if (!/weather|condition|temperature|forecast|outlook|alert|warning|time|news|map|population|attraction/.test(objectNoun))
        return [
          ...after(6, "in X"),
          ...after(0.6, "near X", "around X"),
          ...first(1, "in X"),
          ...alone(1.2, `The ${L} is X`, `${cap(L)}: X`, "It should be in X"),
        ];
      return [
        ...after(6, "in X"),
        ...after(2, "for X"),
        ...after(0.3, "around X"),
        ...first(1, "in X"),
        ...(L === "country" || L === "state" ? [] : alone(0.8, "I'm in X", `The ${L} is X`, `${cap(L)}: X`)),
      ];
    case "airport":
      if (start)
        return [
          ...after(5, "from X"),
          ...after(2, "leaving from X", "out of X", "departing from X"),
          ...alone(0.7, "I'm leaving from X", "Departure airport is X"),
        ];
      if (end) return [...after(5, "to X"), ...after(2, "going to X", "into X", "arriving at X"), ...alone(0.7, "I need to get to X", "Arrival airport is X")];
      return after(3, "at X", "for X");
    case "district":
      return [
        ...after(3, `in ${/sub/.test(L) ? "the subdistrict " : ""}X`, `in the X ${/sub/.test(L) ? "subdistrict" : "district"}`),
        ...after(1, `in ${L.replace(/ name$/, "")} X`),
      ];
    case "address":
      return after(3, "at X", `with the ${L} X`);
    case "date":
    case "datetime":
      return dateMentions(L, start, end);
    case "range":
      return after(3, "from X", "for X", "in the period X");
    case "time":
      return start ? after(3, "from X", "starting at X") : end ? after(3, "until X", "to X") : [...after(4, "at X"), ...after(1, `with ${L} X`)];
    case "month":
      return after(2, "in X", "for X");
    case "year":
      return [...after(3, "in X", "from X", "for X"), ...after(1, "from the year X")];
    case "count":
      return countMentions(param, value);
    case "rating":
      return role.bound === "min" || /minimum|at least/i.test(p.description)
        ? [
            ...after(4, "rated at least X", "with at least X", "with a rating of X or more"),
            ...after(2, "with X or better", "with a minimum rating of X"),
            ...alone(1, "It should have at least X"),
          ]
        : [...after(4, "with X", "rated X"), ...after(2, "with a rating of X", "with X in reviews"), ...before(0.01, "X")];
    case "age":
      return role.bound === "max"
        ? after(3, "aged X or younger", "no older than X", "up to X years old")
        : role.bound === "min"
          ? after(3, "aged X or older", "at least X years old", "no younger than X")
          : after(2, "aged X", "X years old");
    case "money":
      return role.bound === "max" || /budget/.test(L)
        ? after(3, "for at most X", "under X", "up to X", `with a ${L.replace(/^max(imum)? /, "")} of X`)
        : role.bound === "min"
          ? after(2, "from X up", "for at least X")
          : after(3, "for X", `with ${article(L)} ${L} of X`);
    case "seconds":
      return secondsMentions(L);
    case "number":
    case "latitude":
    case "longitude":
      return /^port$/.test(L)
        ? [...after(4, "on port X"), ...after(1, "using port X", "with port X"), ...alone(1, "The port is X", "It listens on port X")]
        : [...after(3, `with ${article(L)} ${L} of X`, `with ${L} X`), ...after(1, `at ${L} X`), ...alone(1, `The ${L} is X`, `${cap(L)}: X`)];
    case "person":
      return /^(to|recipient|receiver|cc|bcc|attendee|assignee)/.test(L)
        ? [...after(4, `${/assignee/.test(L) ? "for" : "to"} X`), ...after(1, `with X as the ${L === "to" ? "recipient" : L}`)]
        : /author|sender|owner|artist/.test(L)
          ? after(3, "by X", "from X")
          : [...after(4, "for X", "of X"), ...after(1, "named X", "called X"), ...alone(0.7, `The ${L} is X`, "It's for X")];
    case "email":
      return /to|recipient|send/.test(L)
        ? after(3, "to X", "at X")
        : [...after(4, `with the ${L} X`, `with ${L} X`), ...alone(1, `The ${L} is X`), ...(objectNoun === "email" ? after(2, "to X") : after(0.5, "for X"))];
    case "url":
      return after(3, "at X", "from X", `with the ${L} X`);
    case "path":
      if (start) return [...object(3, "X", "the file X"), ...after(2, "from X")];
      if (end) return [...after(4, "to X"), ...after(1, "into X")];
      if (objectNoun === "file") return [...object(6, "X", "the file X"), ...after(1, "at X")];
      return [...object(4, "X", "the file X"), ...after(2, "in X", "in the file X"), ...after(0.5, `with ${L} X`)];
    case "folder":
      return [
        ...(/directory|folder|tree|listing/.test(objectNoun) ? object(2, "the folder X", "the X folder", "the directory X") : []),
        ...after(4, "in X", "under X", "at X", "in the folder X"),
      ];
    case "glob":
      return after(3, "matching X", "that match X", "like X", "with the pattern X");
    case "host":
      return [
        ...after(4, "at X", "on X", `with ${L} X`),
        ...after(1, "on host X", "running at X"),
        ...alone(1, `The ${L} is X`, "It runs on X"),
        ...(end ? after(5, "to X") : []),
        ...(start && /current|from/.test(p.name) ? object(5, "X", `the ${objectNoun} X`) : []),
      ].slice(start || end ? -2 : 0);
    case "id":
      return idMentions(param, objectNoun, value);
    case "nickname":
      if (start && !/nickname|alias/.test(L)) return [...object(6, "X", `the ${objectNoun} X`, `${objectNoun} X`), ...after(0.5, "from X")];
      if (end && !/nickname|alias/.test(L)) return [...after(5, "to X"), ...alone(0.7, "The new name is X", "It should be called X from now on")];
      if (!/nickname|alias|name|identifier/.test(L))
        return [...after(4, `in the ${L} X`, `with ${L} X`, `with the ${L} X`), ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`)];
      return [
        ...after(4, `called X`, `named X`),
        ...after(2, `with the ${L} X`, `as X`),
        ...object(role.entity === "" || objectNoun.endsWith(role.entity) ? 4 : 0.01, `the ${objectNoun} X`, "X"),
        ...alone(0.6, `The ${L} is X`),
      ];
    case "title":
      return [...after(3, "called X", "named X", `with the ${L} X`), ...object(2, `the ${objectNoun} X`, `X`), ...alone(0.6, `The ${L} is X`, `It's called X`)];
    case "project":
      return [
        ...object(objectNoun.includes("project") ? 4 : 0.01, "the project X", "the X project", "X"),
        ...after(3, "for the project X", "for X", "on the X project"),
        ...after(0.7, "called X"),
      ];
    case "username":
      return [...after(4, "as X", `with ${L} X`, `with the ${L} X`), ...alone(2, `The ${L} is X`, `${cap(L)}: X`, `${cap(L)} X`)];
    case "secret":
      return [...after(4, `with the ${L} X`, `with ${L} X`, `using the ${L} X`), ...alone(3, `The ${L} is X`, `${cap(L)}: X`, `Use the ${L} X`)];
    case "phone":
      return [...after(3, "at X", `with the ${L} X`), ...alone(1, `The ${L} is X`)];
    case "query":
      return [
        ...after(5, "about X", "for X", "on X"),
        ...after(2, "related to X", "matching X", "with X"),
        ...after(0.5, `with the ${L} X`),
        ...alone(0.5, `The ${L} is X`, `I'm interested in X`),
      ];
    case "text":
      return [
        ...after(4, "saying X", `with the ${L} X`, "with X"),
        ...after(1, "that says X"),
        ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`, `It should say X`),
      ];
    case "subject":
      return [...after(3, `with the ${L} X`, "titled X", "called X"), ...after(1, `with ${L} X`), ...alone(1, `The ${L} is X`, `${cap(L)}: X`)];
    case "language":
      return start ? after(2, "from X") : end ? after(2, "to X", "into X") : [...after(4, "in X"), ...alone(0.8, "I'd prefer it in X", "X please")];
    case "color":
      return [...before(4, "X"), ...after(3, "in X"), ...alone(1, "I'd like it in X", "The color should be X")];
    case "size":
      return [...after(4, "in size X", "in X", "size X"), ...alone(1, "I wear size X", "The size is X")];
    case "currency":
      return start ? after(2, "from X") : end ? after(2, "to X", "into X") : after(2, "in X");
    case "company":
      return after(3, "from X", "by X", "at X", "for X");
    case "product":
      return [
        ...after(4, "for the X", "for X"),
        ...alone(2, "It's about the X", `The ${L} is X`, "It was the X"),
        ...object(/product|item/.test(objectNoun) ? 4 : 0.01, "the X", "X"),
      ];
    case "hotel":
    case "restaurant":
      return [...after(6, "at X"), ...alone(0.8, `The ${role.kind} is X`)];
    case "cuisine":
    case "genre":
      return [...before(4, "X"), ...after(1, `with ${L} X`)];
    case "airline":
      return after(3, "with X", "on X", "flying X");
    case "artist":
      return after(3, "by X", "from X");
    case "song":
    case "movie":
      return [...object(4, "X", `the ${role.kind} X`), ...after(1, "called X", "for X")];
    case "symbol":
      return after(3, "for X", "of X");
    case "tag":
      return after(3, "tagged X", "with the tag X", "labelled X");
    case "timezone":
      return after(3, "in X", "in the timezone X");
    case "department":
      return after(3, "in X", "from X", `in the X ${L}`);
    case "edit":
      return after(3, "replacing X", "and replace X", "by replacing X");
    case "boolean":
    case "flag":
      return flagMentions(param, value);
    case "enum":
    case "constant":
      return enumMentions(param, value);
    case "list":
      return listMentions(param, objectNoun);
    case "object":
      return after(3, "with X");
    case "token":
      return start ? after(2, "starting after X", "after the token X") : end ? after(2, "ending before X", "before the token X") : after(2, `with ${L} X`);
    default:
      return [
        ...after(3, `with the ${L} X`, `with ${L} X`),
        ...after(1, `where the ${L} is X`),
        ...alone(2, `The ${L} is X`, `${cap(L)}: X`, `Use X as the ${L}`),
      ];
  }
}

const cap = (s: string) => s.charAt(0).toUpperCase() + s.slice(1);

function dateMentions(L: string, start: boolean, end: boolean): Mention[] {
  if (/check-in/.test(L))
    return [
      ...after(4, "from X", "checking in on X", "starting X", "arriving X", "arriving on X"),
      ...after(1, "with check-in on X"),
      ...alone(1.5, "Check-in is X", "We arrive on X", "I'd check in on X"),
    ];
  if (/check-out/.test(L))
    return [
      ...after(4, "until X", "to X", "checking out on X", "leaving X", "leaving on X"),
      ...after(1, "with check-out on X"),
      ...alone(1.5, "Check-out is X", "We leave on X", "I'd check out on X"),
    ];
  if (/depart/.test(L))
    return [...after(4, "on X", "leaving on X", "leaving X", "departing on X"), ...alone(1.5, "I leave on X", "Departure is X", "I want to fly out on X")];
  if (/return/.test(L))
    return [
      ...after(4, "returning on X", "coming back on X", "and back on X", "returning X"),
      ...alone(1.5, "I come back on X", "The return is on X", "I'd fly back on X"),
    ];
  if (start)
    return [
      ...after(4, "from X", "starting X", "starting on X", "since X"),
      ...after(1, "starting from X", `with ${L} X`),
      ...alone(0.8, `The ${L} is X`, "It starts on X"),
    ];
  if (end)
    return [...after(4, "until X", "to X", "up to X", "ending X"), ...after(1, `with ${L} X`, "ending on X"), ...alone(0.8, `The ${L} is X`, "It ends on X")];
  if (/due|deadline/.test(L)) return [...after(4, "due X", "due on X", "by X"), ...alone(1, "It's due on X", `The ${L} is X`)];
  if (/as of/.test(L)) return after(3, "as of X", "on X");
  return [...after(5, "on X", "for X"), ...after(1, `with ${L} X`), ...first(1, "on X"), ...alone(0.7, `The ${L} is X`, `${cap(L)}: X`)];
}

function countMentions(param: Param, value: Value): Mention[] {
  const { role, property: p } = param;
  const L = role.noun;
  if (/^days$/.test(L))
    return value.json === 1 || !/^(days?|num(ber)?_?(of_?)?days|forecast_?days|n_?days)$/i.test(p.name)
      ? after(3, "for X")
      : /^(a|one) /.test(value.said)
        ? after(3, "for X", `for the next ${"X"}`, "over X")
        : after(5, "for X", "for the next X", "over the next X", "for the coming X");
  if (/^(nights|hours|minutes|weeks|months)$/.test(L)) return [...after(5, "for X"), ...alone(0.7, "It's for X")];
  if (/adult|guest|people|person|passenger|traveler|traveller|child|kid/.test(L))
    return [...after(5, "for X"), ...after(1, "with X"), ...alone(1.5, "There will be X", "We are X", "It's for X")];
  if (/^lines$/.test(L))
    return [
      ...after(3, `, only the ${p.name === "tail" ? "last" : "first"} X`, `, just the ${p.name === "tail" ? "last" : "first"} X`),
      ...alone(2, `The ${p.name === "tail" ? "last" : "first"} X will do`, `I only need the ${p.name === "tail" ? "last" : "first"} X`),
    ];
  if (role.bound === "max" || /result|entries|limit|maximum/.test(`${L} ${p.name.toLowerCase()}`)) {
    const each = /per page/.test(L);
    return each
      ? [...after(3, "with X", "showing X"), ...alone(2, "Show X", "I want X", "Give me X")]
      : [
          ...after(3, "with at most X", "limited to X", "up to X"),
          ...after(1, "no more than X"),
          ...alone(2, "Show at most X", "Give me up to X", "X will do", "I only need X"),
        ];
  }
  if (role.bound === "min") return [...after(3, "with at least X", "with X or more"), ...alone(1, "At least X please", "There should be at least X")];
  return [...after(4, "with X", "for X"), ...alone(1.5, "I need X", "Make it X", "It should be X")];
}

function secondsMentions(L: string): Mention[] {
  if (/timeout/.test(L))
    return [
      ...after(3, "with a timeout of X", "with a timeout of at most X", "waiting at most X"),
      ...alone(1, "Wait up to X", "Give up after X", "The timeout is X"),
    ];
  if (/timespan|period|window|lookback/.test(L))
    return [...after(5, "for the last X", "from the past X", "over the last X", "for the past X", "within the last X"), ...after(0.6, `with a ${L} of X`)];
  if (/interval|step|resolution/.test(L)) return after(3, `at intervals of X`, `in steps of X`, `with an ${L} of X`);
  return [...after(3, "for X", "lasting X"), ...after(0.6, `with a ${L} of X`)];
}

function idMentions(param: Param, objectNoun: string, value: Value): Mention[] {
  const { role } = param;
  const e = role.entity;
  const own = e !== "" && (objectNoun === e || objectNoun.endsWith(` ${e}`) || objectNoun.startsWith(`${e} `));
  const number = /^\d+$/.test(value.said) ? [`${e} number X`, `${e} X`] : [`${e} X`];
  if (e === "") return [...object(3, `${objectNoun} X`), ...after(3, "with ID X", `with the ${role.noun} X`)];
  if (own)
    return [
      ...object(5, ...number, `the ${e} X`, `${e} with ID X`, `the ${e} with the ID X`),
      ...after(3, `with ID X`, `with ${e} ID X`),
      ...after(2, `for ${e} X`),
      ...alone(0.8, `The ${e} ID is X`, `${cap(e)} ID: X`),
    ];
  return [
    ...after(6, `for ${e} X`, `of ${e} X`, `for ${e} ID X`),
    ...after(2, `with ${e} ID X`, `with the ${role.noun} X`),
    ...alone(1.5, `The ${role.noun} is X`, `${cap(role.noun)} X`, `${cap(role.noun)}: X`),
    ...first(0.7, `for ${e} X`),
  ];
}

/** What is on or off, in words: `hidden files`, `laundry service`. */
function flagMentions(param: Param, value: Value): Mention[] {
  const words = splitName(param.property.name);
  const yes = value.json === true || /^(true|yes)$/i.test(String(value.json));
  const [head = "", ...tail] = words;
  const rest = tail.join(" ");
  const label = words
    .join(" ")
    .replace(/\bid\b/g, "ID")
    .replace(/\bssl\b/g, "SSL");
  const say = rest.replace(/\bssl\b/g, "SSL").replace(/\bapi\b/g, "API");
  const offers = /offers? ([a-z -]+?)(?: services?)?[.,]/.exec(param.property.description.toLowerCase())?.[0]?.replace(/[.,]$/, "");
  if (/^(include|show|with|return|list|display|add)$/.test(head) && rest)
    return yes
      ? [
          ...after(4, `including ${say}`, `with ${say} included`, `and include ${say}`),
          ...alone(2, `Include ${say} too`, `Please include ${say}`, `I want to see the ${say} as well`),
        ]
      : [
          ...after(4, `without ${say}`, `excluding ${say}`, `but leave out ${say}`),
          ...alone(2, `Don't include ${say}`, `Leave out ${say}`, `I don't need ${say}`),
        ];
  if (/^(exclude|skip|ignore|hide|omit|without)$/.test(head) && rest)
    return yes ? after(3, `excluding ${say}`, `without ${say}`, `and skip ${say}`) : after(3, `including ${say}`, `and keep ${say}`);
  if (offers && (head === "is" || head === "has"))
    return yes
      ? [
          ...after(4, `that ${offers}`, `that also ${offers}`),
          ...alone(1.5, `They must ${offers.replace(/^offers?/, "offer")}`, `It should be one that ${offers}`),
        ]
      : [...after(3, `that don't ${offers.replace(/^offers?/, "offer")}`), ...alone(1, `They should not ${offers.replace(/^offers?/, "offer")}`)];
  if (/^(has|have)$/.test(head) && rest) {
    const thing = isPlural(rest) || /service|access|insurance|parking|wifi/.test(rest) ? say : `${article(rest)} ${say}`;
    return yes
      ? [...after(4, `with ${thing}`), ...alone(2, `It should have ${thing}`, `I need ${thing}`, `${cap(say)} is a must`)]
      : [...after(4, `without ${thing}`, `with no ${say}`), ...alone(2, `It should not have ${thing}`, `It must have no ${say}`)];
  }
  if (/^(is|are|only)$/.test(head) && rest)
    return yes
      ? [
          ...(rest.includes(" ") ? [] : before(4, say)),
          ...after(2, `marked as ${say}`),
          ...alone(2, `It must be ${say}`, `It should be ${say}`, `Only ${say} ones please`),
        ]
      : [...after(2, `not marked as ${say}`), ...alone(2, `It must not be ${say}`, `It should not be ${say}`)];
  if (/^(use|enable|allow|apply)$/.test(head) && rest)
    return yes
      ? [...after(4, `using ${say}`, `with ${say}`, `with ${say} enabled`), ...alone(2, `Use ${say}`, `${cap(say)} should be on`)]
      : [...after(4, `without ${say}`, `with ${say} disabled`, `with ${say} off`), ...alone(2, `Don't use ${say}`)];
  if (/^(good|suitable|available|ready|safe)$/.test(head) && /^for /.test(rest))
    return yes
      ? [...after(4, `${head} ${say}`, `that are ${head} ${say}`), ...alone(2, `It should be ${head} ${say}`, `It has to be ${head} ${say}`)]
      : [...after(4, `not ${head} ${say}`, `that are not ${head} ${say}`), ...alone(2, `It should not be ${head} ${say}`)];
  if (/^(free|pets?|child|kid|family|wheelchair)$/.test(head))
    return yes
      ? [...after(4, `with ${label}`, `that offer ${label}`), ...alone(1, `It should have ${label}`)]
      : [...after(4, `without ${label}`), ...alone(1, `It should not have ${label}`)];
  if (/(allowed|permitted|enabled|included|required|supported)$/.test(label)) {
    const [thing, state] = [words.slice(0, -1).join(" "), words.at(-1) ?? ""];
    return yes
      ? [...after(4, `where ${thing} is ${state}`, `with ${thing} ${state}`), ...alone(2, `${cap(thing)} should be ${state}`)]
      : [...after(4, `where ${thing} is not ${state}`, `with no ${thing}`), ...alone(2, `${cap(thing)} should not be ${state}`)];
  }
  if (words.length === 1 && /ly$|ive$|ose$/.test(head))
    return yes
      ? after(3, head === "recursive" ? "recursively" : `in ${head} mode`, `with ${head} on`)
      : after(3, `with ${head} off`, `not ${head === "recursive" ? "recursively" : head}`);
  if (/^(save|create|overwrite|force|delete|keep|send|search|sort|notify|replace|wait|update|remove|backup|follow)$/.test(head)) {
    const act = rest === "" ? `${head} it` : head === "create" ? `create a ${say} one` : head === "search" ? `do a ${say} search` : `${head} the ${say}`;
    return yes
      ? [...after(3, `and ${act}`), ...alone(3, `Also ${act}`, `Make sure to ${act}`, `Please ${act}`)]
      : [...after(3, `and don't ${act}`, `but do not ${act}`), ...alone(3, `Don't ${act}`, `There is no need to ${act}`)];
  }
  return yes
    ? [...after(3, `with ${label}`, `with ${label} on`), ...alone(2, `${cap(label)}: yes`, `I want ${label}`)]
    : [...after(3, `without ${label}`, `with ${label} off`), ...alone(2, `${cap(label)}: no`, `No ${label}`)];
}

function enumMentions(param: Param, value: Value): Mention[] {
  const L = param.role.noun;
  const v = String(value.json);
  const short = L.split(" ").at(-1) ?? L;
  if (/(sort|order).*(order|direction)|^order$|^direction$/.test(L))
    return [...after(4, "in X order", "sorted in X order"), ...alone(0.5, "Sort them in X order")];
  if (/sort|order by/.test(L)) return [...after(4, "sorted by X", "ordered by X"), ...alone(1, "Sort by X", "Please sort them by X")];
  if (/language|lang/.test(L)) return [...after(4, "in X"), ...alone(1.5, "In X please", "I'd like it in X")];
  if (/format|output|mode/.test(L))
    return [...after(4, `in X ${short}`, "as X", `with X ${short}`), ...alone(1, `The ${short} should be X`, `${cap(short)}: X`)];
  if (/unit/.test(L))
    return [...after(4, "in X", "in X units"), ...alone(1, "Use X units", "X units please")].filter(
      (m) => !/^(celsius|fahrenheit|kelvin)/i.test(value.said) || !/unit/.test(m.text),
    );
  if (/star|rating/.test(L))
    return [...before(3, "X-star"), ...after(3, "with X stars", "rated X stars", "with a rating of X"), ...alone(1, "It should have X stars")];
  if (/class$/.test(L)) return [...after(4, "in X", `in X ${short}`), ...alone(1, `X ${short} please`, `The ${L} should be X`)];
  if (/airline|carrier/.test(L)) return [...after(4, "with X", "on X", "flying X"), ...alone(1.5, "I prefer X", "I'd like to fly with X")];
  if (/^(number|num|count)|number of/.test(L)) {
    const noun = L.replace(/^(number|num|count) (of )?/, "");
    const unit = v === "1" ? singular(noun) : plural(noun);
    return [...after(4, `with X ${unit}`), ...after(2, `for X ${unit}`), ...alone(2, `I need X ${unit}`, `X ${unit} please`)].filter(
      (m) => /room|bed/.test(unit) || !/for/.test(m.text),
    );
  }
  if (/color|colour|cuisine|category|type|kind|genre|status|priority|level|severity|metric/.test(L)) {
    const kind = /category/.test(short)
      ? ["in the category X", "in the X category"]
      : /type|kind/.test(short)
        ? ["of type X", `of the ${short} X`]
        : [`with ${L} X`, `with the ${L} X`];
    const bare = /color|colour|cuisine|genre|severity|status|priority/.test(L) || /category|type/.test(short);
    return [...(bare ? before(4, "X") : []), ...after(4, ...kind), ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`, `The ${L} should be X`)];
  }
  if (/size/.test(L)) return after(3, "in size X", "size X");
  if (/interval/.test(L)) return after(3, "at intervals of X", "in intervals of X", "in steps of X");
  if (/location|city|place|region|country/.test(L)) return [...after(4, "in X", "for X"), ...first(1, "in X", "for X")];
  if (/project|name|item/.test(L)) return [...after(4, "for X", "called X"), ...object(3, "X", `the ${objectNounOf(L)} X`)];
  if (/command|action|operation/.test(L)) return [...after(3, `with the ${L} X`, `using the ${L} X`), ...alone(1, `The ${L} is X`)];
  return [...after(4, `with ${L} X`, `with the ${L} X`, `with X as the ${L}`), ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`, `Set the ${L} to X`)];
}

const objectNounOf = (label: string) => label.replace(/ name$/, "");

function listMentions(param: Param, objectNoun: string): Mention[] {
  const words = splitName(param.property.name);
  const L = words.join(" ");
  const one = singular(L.replace(/ ids?$/, ""));
  if (/path|file/.test(L)) return [...object(5, "X", "the files X"), ...after(1, "in X")];
  if (/tag|label/.test(L)) return after(3, "tagged X", "with the tags X");
  if (/attendee|participant|guest|member/.test(L)) return after(3, "with X", "and invite X");
  if (/recipient|^to$|email/.test(L)) return after(3, "to X");
  if (/id|serial/.test(L))
    return [...after(5, `for ${one} X`, `from ${one} X`, `of ${one} X`), ...after(1, `with ${one} X`), ...alone(1, `${cap(one)}: X`, `Only ${one} X`)];
  if (/metric|field|column|attribute/.test(L))
    return [...after(3, "for X", `with the ${L} X`), ...alone(1.5, `I'm only interested in X`, `${cap(L)}: X`), ...before(2, "X")];
  if (/size|color|colour/.test(L)) return after(3, `in ${/size/.test(L) ? "size " : ""}X`, `in the ${L} X`);
  if (/pattern|exclude/.test(L)) return after(3, "excluding X", "but skip X", "without X");
  if (/model|type|categor/.test(L)) return [...after(3, `from ${L} X`, `of ${one} X`, `for ${one} X`), ...alone(1, `Only ${one} X`)];
  if (objectNoun === one) return object(3, "X", `the ${L} X`);
  return [...after(3, `with the ${L} X`, `with ${L} X`), ...alone(1, `${cap(L)}: X`, `The ${L} are X`)];
}
