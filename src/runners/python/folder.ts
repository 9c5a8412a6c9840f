/** Where Python is started. */
import { isAbsolute, join, resolve } from "node:path";
import { packageRoot } from "../../platform/paths.ts";

/**
 * The working directory of a Python process that is not `ISOLATED`: `python -m` and `python -c` look for modules there before anywhere else, and the
 * folder that the user stands in may hold a `random.py`, of their own or of a stranger.
 */
export const pythonFolder = (): string => join(packageRoot(), "python");

/**
 * Options of an interpreter that runs in the user's own folder all the same, as pip does (its settings may name files there): nothing is
 * imported from that folder, nor from where PYTHON* variables lead.
 */
export const ISOLATED = ["-I", "-X", "utf8"] as const;

/** An interpreter as a name on the path, or an absolute path: a relative one would mean another file in `pythonFolder`. */
export const interpreter = (named: string): string => (/[/\\]/.test(named) && !isAbsolute(named) ? resolve(named) : named);
