/** One thing that `forge doctor` has found out about a machine. */
export interface Finding {
  /** `node`, `python`, `packages`, `backend`, `llama`, `gpu`, `memory`, `disk`, `model`, `network`, `keys`. */
  readonly check: string;
  /** `missing` keeps a run from working; `note` does not. */
  readonly status: "ok" | "note" | "missing";
  readonly message: string;
  /** One command, or one thing to do, that mends it. */
  readonly fix?: string;
}
