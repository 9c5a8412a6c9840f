/** The documented exit codes of the program (docs/cli.md). */
export const EXIT = {
  ok: 0,
  /** A stage failed. */
  failed: 1,
  /** `plan` found work to do. */
  planned: 2,
  /** A gate said no. */
  gate: 3,
  /** Wrong usage, or a recipe that cannot be used. */
  usage: 4,
  /** Another process holds the lock. */
  locked: 5,
  /** The environment lacks something (Python, disk, a package, a key). */
  environment: 6,
  interrupted: 130,
} as const;

export type ExitCode = (typeof EXIT)[keyof typeof EXIT];
