/** Mentions of dates, counts and durations. */
import type { Param } from "../reading.ts";
import type { Value } from "../values/index.ts";
import { after, alone, cap, first, type Mention } from "./mention.ts";

export function dateMentions(L: string, start: boolean, end: boolean, value: Value): Mention[] {
  // `three days later` goes with a verb only.
  if (/ later$/.test(value.said))
    return /check-out/.test(L)
      ? after(3, "leaving X", "checking out X", "and checking out X")
      : /return/.test(L)
        ? after(3, "returning X", "coming back X", "and return X", "and back X")
        : after(3, "ending X", "and ending X");
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

/** What is taken rather than counted (rooms, tickets, seats): it is said in more ways. `what` is `X`, or `X rooms` where the value is a number alone. */
export const bookedMentions = (what: string): Mention[] => [
  ...after(4, `with ${what}`, `with ${what} available`, `that has ${what}`, `and book ${what} for me`, `and reserve ${what}`),
  ...after(1.5, `for ${what}`),
  ...alone(3, `I need ${what}`, `I'll need ${what}`, `${what} please`, `I would like to reserve ${what}`, `We'd take ${what}`),
];

export function countMentions(param: Param, value: Value): Mention[] {
  const { role, property: p } = param;
  const L = role.noun;
  if (/^days$/.test(L))
    return value.json === 1 || !/^(days?|num(ber)?_?(of_?)?days|forecast_?days|n_?days)$/i.test(p.name)
      ? after(3, "for X")
      : /^(a|one) /.test(value.said)
        ? after(3, "for X", `for the next ${"X"}`, "over X")
        : after(5, "for X", "for the next X", "over the next X", "for the coming X");
  if (/^(nights|hours|minutes|weeks|months)$/.test(L)) return [...after(5, "for X"), ...alone(0.7, "It's for X")];
  if (/\bme$|^me |self$|^a (couple|group|party)| of us$/.test(value.said)) return [...after(5, "for X"), ...alone(1.5, "It's for X", "This is for X")];
  if (/party|group size/.test(L)) return [...after(5, "for X"), ...alone(1, "It's for X", "There will be X")];
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
  if (/rooms?|beds?|tickets?|seats?/.test(L)) return bookedMentions("X");
  return [...after(4, "with X", "for X"), ...alone(1.5, "I need X", "Make it X", "It should be X")];
}

export function secondsMentions(L: string): Mention[] {
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
