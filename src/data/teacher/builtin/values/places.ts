/** Places, in the form that a description announces and in the forms that people use. */
import type { Rng } from "../../../rng.ts";
import type { Role } from "../roles.ts";
import { COUNTRIES, FAMOUS, NOWHERE, STATE_NAMES, US_PLACES, WORLD_PLACES } from "../words/places.ts";
import { inventedWord, named, part, plain, type Value, type ValueOptions } from "./value.ts";

/** A city, country or state. */
export function placeValue(role: Role, rng: Rng, o: ValueOptions): Value {
  if (role.noun === "country") return named(rng.pick(part(COUNTRIES, o.heldout)));
  if (role.noun === "state") return named(rng.pick(part(STATE_NAMES, o.heldout)));
  const us = part(US_PLACES, o.heldout, (x) => x.city);
  const world = part(WORLD_PLACES, o.heldout, (x) => x.city);
  const inUs = role.layout === "city, state" || (role.layout !== "city, country" && rng.chance(0.3));
  const c = rng.pick(inUs ? us : world);
  const full = `${c.city}, ${c.region}`;
  if (role.layout !== "") {
    const said = FAMOUS.has(c.city) && c.region !== "ME" && rng.chance(0.45) ? c.city : c.state && rng.chance(0.35) ? `${c.city}, ${c.state}` : full;
    return plain(full, said, true);
  }
  if (o.wrong && rng.chance(0.8)) return named(rng.pick(part(NOWHERE, o.heldout)));
  if (o.rare) return named(rng.chance(0.5) ? inventedWord(rng) : `${rng.pick(["San", "Port", "New", "Upper", "Old", "Saint"])} ${inventedWord(rng)}`);
  if (/city/.test(role.noun) || rng.chance(0.66) || c.city === c.region) return plain(c.city, c.city, true, [full]);
  const region = c.state && rng.chance(0.4) ? c.state : c.region;
  return plain(`${c.city}, ${region}`, `${c.city}, ${region}`, true, [c.city]);
}
