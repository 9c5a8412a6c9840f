/**
 * Pins a recipe's base model: asks the model hub what the size of a family is today and writes it into the recipe's lockfile, from where every later run has it.
 * Guarantees: under the project's lock; what is pinned already is taken as it is, unless an update is asked for; what was refused leaves the lockfile as it was.
 */
import { acquireLock } from "../engine/lock.ts";
import { writePin } from "../engine/lockfile.ts";
import type { HubLookOptions } from "../models/add/hub.ts";
import { findSize } from "../models/add/size.ts";
import type { Family } from "../models/family.ts";
import { type PinPlace, pinOf, standingPin } from "../models/pin.ts";
import { type Size, sizeWord } from "../models/registry.ts";
import { fsFailure } from "../platform/fs.ts";
import { err, ok, type Result } from "../platform/result.ts";

export interface PinOptions extends HubLookOptions {
  readonly projectRoot: string;
  /** Where it is written. */
  readonly pins: PinPlace;
  /** Ask, though it is pinned. */
  readonly update?: boolean;
  /** Seconds to wait for another process's lock; default 0. */
  readonly waitLockSeconds?: number;
  readonly onWaiting?: (holder: string) => void;
  /** Hears what the hub is asked for. */
  readonly onAsking?: (repository: string) => void;
}

export interface Pinned {
  /** `FAMILY/SIZE`. */
  readonly word: string;
  readonly family: Family;
  /** `unchanged`: the lockfile says what it said. */
  readonly written: "new" | "updated" | "unchanged";
}

export async function pinSize(size: Size, o: PinOptions): Promise<Result<Pinned>> {
  const word = sizeWord(size);
  try {
    const lock = await acquireLock(o.projectRoot, {
      signal: o.signal,
      ...(o.waitLockSeconds !== undefined && { waitSeconds: o.waitLockSeconds }),
      ...(o.onWaiting && { onWaiting: o.onWaiting }),
    });
    if (!lock.ok) return lock;
    try {
      const standing = standingPin(size, o.pins);
      // A pin that cannot be used is no reason not to pin anew; a lockfile that cannot be read is.
      if (!standing.ok && !(o.update === true && standing.error.code === "models/pin")) return standing;
      const before = standing.ok ? standing.value : undefined;
      if (before !== undefined && o.update !== true) return ok({ word, family: before.model, written: "unchanged" });
      o.onAsking?.(size.source.repository);
      const found = await findSize(size, o);
      if (!found.ok) return found;
      const pin = pinOf(found.value);
      if (before?.digest === pin.digest) return ok({ word, family: before.model, written: "unchanged" });
      const written = writePin(o.pins.path, word, pin);
      if (!written.ok) return written;
      return ok({ word, family: found.value, written: standing.ok && before === undefined ? "new" : "updated" });
    } finally {
      lock.value.release();
    }
  } catch (e) {
    const failure = fsFailure(e, "write the lockfile");
    if (failure === undefined) throw e;
    return err(failure);
  }
}
