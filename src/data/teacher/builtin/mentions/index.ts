/**
 * How an argument is mentioned in a request: by preposition, by its noun, as an adjective, in a
 * sentence of its own. `X` in a form is where the said value goes; a form without `X` says the value
 * itself (`including hidden files`). Adding a role is adding a row.
 */

import { article } from "../english.ts";
import type { Param } from "../reading.ts";
import type { Value } from "../values/index.ts";
import { enumMentions, flagMentions, listMentions } from "./choices.ts";
import { after, alone, before, cap, first, type Mention, object } from "./mention.ts";
import { countMentions, dateMentions, secondsMentions } from "./quantities.ts";

export type { Mention } from "./mention.ts";

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
      return dateMentions(L, start, end, value);
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
            ...after(2, "with X or better", "with a minimum rating of X", "rated X or higher", "rated X or more", "rated above X"),
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
      return flagMentions(param, value, objectNoun);
    case "enum":
    case "constant":
      return enumMentions(param, value, objectNoun);
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

/** Words of an object that say what is wanted of a thing, not another thing: who asks for order 12 wants its status. */
const ASPECT =
  /^(details?|information|infos?|data|status|state|records?|summary|contents?|description|availability|inventory|stock|properties|metadata|overview|entry|entries|tracking)$/;

/** Whether the tool is about the entity itself: not where it is about something of it (`comments of issue 12` are no issue 12). */
function isObject(entity: string, objectNoun: string): boolean {
  if (objectNoun === entity || objectNoun.endsWith(` ${entity}`)) return true;
  const rest = objectNoun.startsWith(`${entity} `) ? objectNoun.slice(entity.length + 1).split(" ") : [];
  return rest.length > 0 && rest.every((word) => ASPECT.test(word));
}

function idMentions(param: Param, objectNoun: string, value: Value): Mention[] {
  const { role } = param;
  const e = role.entity;
  const own = e !== "" && isObject(e, objectNoun);
  const number = /^\d+$/.test(value.said) ? [`${e} number X`, `${e} X`] : [`${e} X`];
  if (e === "") return [...object(3, `${objectNoun} X`), ...after(3, "with ID X", `with the ${role.noun} X`)];
  if (own)
    return [
      ...object(5, ...number, `the ${e} X`, `${e} with ID X`, `the ${e} with the ID X`),
      ...after(3, `with ID X`, `with ${e} ID X`),
      ...after(2, `for ${e} X`),
      ...alone(1.2, `The ${e} ID is X`, `${cap(e)} ID: X`, "ID X", "id: X", "ID is X", `Use the ${e} ID X`),
    ];
  return [
    ...after(6, `for ${e} X`, `of ${e} X`, `for ${e} ID X`),
    ...after(2, `with ${e} ID X`, `with the ${role.noun} X`),
    ...alone(2, `The ${role.noun} is X`, `${cap(role.noun)} X`, `${cap(role.noun)}: X`, `My ${role.noun} is X`, `Please check for the ${role.noun} X`),
    ...first(0.7, `for ${e} X`),
  ];
}
