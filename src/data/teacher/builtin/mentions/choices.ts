/** Mentions of booleans, enums and lists: what is on or off, which of several, which ones. */
import { article, isMass, isPlural, plural, singular, splitName } from "../english.ts";
import type { Param } from "../reading.ts";
import { NO_CHOICE } from "../values/enums.ts";
import type { Value } from "../values/index.ts";
import { meaningsOf, noPreference } from "./meanings.ts";
import { after, alone, before, cap, first, type Mention, object } from "./mention.ts";
import { bookedMentions } from "./quantities.ts";

/** What is on or off, in words: `hidden files`, `laundry service`; where the name has a meaning of everyday life, mostly that. */
export function flagMentions(param: Param, value: Value, objectNoun: string): Mention[] {
  const words = splitName(param.property.name);
  if (isOpen(value)) {
    const either = meaningsOf(words, "either");
    return either.length > 0 ? [...either] : noPreference(words.join(" ").replace(/^(is|has|have|are|only) /, ""));
  }
  const yes = value.json === true || /^(true|yes)$/i.test(String(value.json));
  const meant = meaningsOf(words, yes);
  const named = byName(param, words, yes, objectNoun);
  // Thrice as heavy as all that the name gives.
  const scale = (3 * total(named)) / (total(meant) || 1);
  return [...meant.map((m) => ({ ...m, weight: m.weight * scale })), ...named];
}

const total = (mentions: readonly Mention[]): number => mentions.reduce((sum, m) => sum + m.weight, 0);

/** A choice that says that there is none. */
const isOpen = (value: Value): boolean => value.said === "" && typeof value.json === "string" && NO_CHOICE.test(value.json);

/** On or off by the words of the name itself. */
function byName(param: Param, words: readonly string[], yes: boolean, objectNoun: string): Mention[] {
  const [head = "", ...tail] = words;
  const rest = tail.join(" ");
  const label = words
    .join(" ")
    .replace(/\bid\b/g, "ID")
    .replace(/\bssl\b/g, "SSL");
  const state = rest !== "" && !rest.includes(" ") && /(ed|den|ive|private|public|past|upcoming)$/.test(rest);
  const say = `${rest.replace(/\bssl\b/g, "SSL").replace(/\bapi\b/g, "API")}${state ? ` ${plural(objectNoun)}` : ""}`;
  const offers = /offers? ([a-z -]+?)(?: services?)?[.,]/.exec(param.property.description.toLowerCase())?.[0]?.replace(/[.,]$/, "");
  if (/^(include|show|with|return|list|display|add)$/.test(head) && rest)
    return yes
      ? [
          ...after(4, `including ${say}`, `with ${say} included`),
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
  if (/^(has|have|had)$/.test(head) && BAD.test(rest)) {
    const bad = isPlural(rest) ? say : plural(rest);
    return yes
      ? after(3, `with a record of ${bad}`, `with a history of ${bad}`, `that had ${bad}`)
      : [
          ...after(5, `with no record of ${bad}`, `without ${bad}`, `with no ${bad}`, `that never had ${bad}`),
          ...alone(3, `There should be no ${bad}`, `No ${bad} please`, `No history of ${bad}`),
        ];
  }
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
      ? [...after(4, `with ${label}`, `with ${label} only`), ...alone(1, `It should have ${label}`)]
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
      ? alone(3, `Also ${act}`, `Make sure to ${act}`, `Please ${act}`, `And ${act}`)
      : alone(3, `Don't ${act}`, `There is no need to ${act}`, `But don't ${act}`, `Do not ${act}`);
  }
  return yes
    ? [...after(3, `with ${label}`, `with ${label} on`), ...alone(2, `${cap(label)}: yes`, `I want ${label}`)]
    : [...after(3, `without ${label}`, `with ${label} off`), ...alone(2, `${cap(label)}: no`, `No ${label}`)];
}

/** What nobody wants. */
const BAD = /\b(problems?|issues?|late|complaints?|defects?|errors?|failures?|violations?|delays?|accidents?|damages?)\b/;

/** Things that have a kind, and are asked for by it: for `attractions` of the category Museum one says `museums`. */
const HAVE_KINDS =
  /\b(attractions?|places?|sights?|venues?|products?|items?|articles?|goods|events?|activit(y|ies)|properties|property|homes?|accommodations?|vehicles?|cars?|files?|doctors?|businesses|business|points? of interest|shops?|stores?|gyms?|providers?)$/;

/** The kind in the place of the object: `museums`, `a museum`, `any museums`. */
const kinds = (value: Value, objectNoun: string): Mention[] => {
  if (!HAVE_KINDS.test(objectNoun) || !/^[\p{L} -]{3,30}$/u.test(value.said) || value.said.split(" ").length > 3) return [];
  const said = value.said.toLowerCase();
  return isPlural(said) || isMass(said)
    ? object(20, "X", "some X")
    : object(20, "Xs", "Xs", "Xs", "a X", "a X", "some Xs", "any Xs", "a good X", "the best Xs", "a list of Xs");
};

export function enumMentions(param: Param, value: Value, objectNoun: string): Mention[] {
  const L = param.role.noun;
  const v = String(value.json);
  if (isOpen(value)) return noPreference(L.replace(/^(number|num|count) of /, "number of "));
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
    if (!/room|bed|ticket|seat|guest|adult|person|people/.test(unit))
      return [...after(4, `with X ${unit}`), ...alone(2, `I need X ${unit}`, `X ${unit} please`)];
    const single = v === "1" && /room|bed/.test(unit) ? after(2, `with a single ${unit}`, `that has a single ${unit}`, `and one ${unit}`) : [];
    return [...single, ...bookedMentions(`X ${unit}`)];
  }
  if (/color|colour|cuisine|category|type|kind|genre|status|priority|level|severity|metric|specialty/.test(L)) {
    const kind = /category/.test(short)
      ? ["in the category X", "in the X category"]
      : /type|kind/.test(short)
        ? ["of type X", `of the ${short} X`]
        : [`with ${L} X`, `with the ${L} X`];
    if (/cuisine/.test(L)) return [...before(4, "X"), ...after(3, "X style", "in the X style", "the X way"), ...alone(1, "I'd like it X", "It should be X")];
    if (/(file|document)/.test(objectNoun) && /type|extension/.test(L))
      return [
        ...before(6, "X"),
        ...after(2, "of type X", "with the extension X", `with the '.${v}' extension`, `ending in .${v}`),
        ...alone(1, `Only X files`),
      ];
    const bare = /color|colour|cuisine|genre|severity|status|priority/.test(L) || /category|type/.test(short);
    const itself = /category|type|kind|specialty/.test(L) ? kinds(value, objectNoun) : [];
    return [...itself, ...(bare ? before(4, "X") : []), ...after(4, ...kind), ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`, `The ${L} should be X`)];
  }
  if (/size/.test(L)) return after(3, "in size X", "size X");
  if (/interval/.test(L)) return after(3, "at intervals of X", "in intervals of X", "in steps of X");
  if (/location|city|place|region|country/.test(L)) return [...after(4, "in X", "for X"), ...first(1, "in X", "for X")];
  if (/project|name|item/.test(L)) return [...after(4, "for X", "called X"), ...object(3, "X", `the ${objectNounOf(L)} X`)];
  if (/command|action|operation/.test(L)) return [...after(3, `with the ${L} X`, `using the ${L} X`), ...alone(1, `The ${L} is X`)];
  return [...after(4, `with ${L} X`, `with the ${L} X`, `with X as the ${L}`), ...alone(1.5, `The ${L} is X`, `${cap(L)}: X`, `Set the ${L} to X`)];
}

const objectNounOf = (label: string) => label.replace(/ name$/, "");

export function listMentions(param: Param, objectNoun: string): Mention[] {
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
