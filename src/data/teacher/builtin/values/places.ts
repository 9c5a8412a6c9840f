/** Places, in the form that a description announces and in the forms that people use. */
import type { Rng } from "../../../../platform/rng.ts";
import type { Role } from "../roles.ts";
import { COUNTRIES, FAMOUS, NICKNAMES, NOWHERE, STATE_NAMES, US_PLACES, WORLD_PLACES } from "../words/places.ts";
import { inventedWord, named, part, plain, type Value, type ValueOptions } from "./value.ts";

/** Countries that are written short after a city, and what else is said of them. */
const SHORT: Readonly<Record<string, string>> = { "United Kingdom": "UK", "United Arab Emirates": "UAE" };
const LONG: Readonly<Record<string, string>> = { "United Kingdom": "England", "United Arab Emirates": "United Arab Emirates" };
/** Lesser places of a famous name: of these the region is always said. */
const ELSEWHERE = new Set(["Portland, ME", "Manchester, NH", "Alexandria, VA", "Cambridge, MA", "Birmingham, AL", "Salem, MA", "Alexandria, Egypt"]);

/** How often a place that is known everywhere is meant. */
const FAMOUS_SHARE = 0.4;
/** How often a tool that writes cities with their state is asked for one of another country. */
const ABROAD_SHARE = 0.12;

/** A city, country or state. */
export function placeValue(role: Role, rng: Rng, o: ValueOptions): Value {
  if (role.noun === "country") return named(rng.pick(part(COUNTRIES, o.heldout)));
  if (role.noun === "state") return named(rng.pick(part(STATE_NAMES, o.heldout)));
  const us = part(US_PLACES, o.heldout, (x) => x.city);
  const world = part(WORLD_PLACES, o.heldout, (x) => x.city);
  const abroad = role.layout === "city, state" ? ABROAD_SHARE : role.layout === "city, country" ? 1 : 0.7;
  const pool = rng.chance(abroad) ? world : us;
  const famous = rng.chance(role.layout === "city, state" && pool === world ? 1 : FAMOUS_SHARE) ? pool.filter((x) => FAMOUS.has(x.city)) : [];
  const c = rng.pick(famous.length > 0 ? famous : pool);
  const full = `${c.city}, ${SHORT[c.region] ?? c.region}`;
  if (role.layout !== "") {
    const long = c.state ?? LONG[c.region];
    const nickname = NICKNAMES[c.city];
    const said =
      nickname !== undefined && c.region !== "ME" && rng.chance(0.15)
        ? rng.pick(nickname)
        : FAMOUS.has(c.city) && !ELSEWHERE.has(full) && rng.chance(0.65)
          ? c.city
          : long !== undefined && rng.chance(0.35)
            ? `${c.city}, ${long}`
            : full;
    return plain(full, said, true, c.region in SHORT ? [`${c.city}, ${c.region}`] : []);
  }
  if (o.wrong && rng.chance(0.8)) return named(rng.pick(part(NOWHERE, o.heldout)));
  if (o.rare) return named(rng.chance(0.5) ? inventedWord(rng) : `${rng.pick(["San", "Port", "New", "Upper", "Old", "Saint"])} ${inventedWord(rng)}`);
  if (/city/.test(role.noun) || rng.chance(0.66) || c.city === c.region) return plain(c.city, c.city, true, [full]);
  const region = c.state && rng.chance(0.4) ? c.state : c.region;
  return plain(`${c.city}, ${region}`, `${c.city}, ${region}`, true, [c.city]);
}
