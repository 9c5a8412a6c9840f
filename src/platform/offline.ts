/**
 * Whether anything may be fetched. `--offline` and MCP_FORGE_OFFLINE say no; then whatever would need the network
 * fails at once and names what is missing, instead of after a time-out. A tool server's npx gets the word too.
 */
import { EXIT } from "./exit.ts";
import type { Failure } from "./result.ts";

const NAME = "MCP_FORGE_OFFLINE";

export const isOffline = (env: NodeJS.ProcessEnv = process.env): boolean =>
  env[NAME] !== undefined && env[NAME] !== "" && env[NAME] !== "0" && env[NAME] !== "false";

/** From now on, for this process and what it starts. The variables are those of npm (`offline`), pip (`no-index`) and Hugging Face. */
export function goOffline(env: NodeJS.ProcessEnv = process.env): void {
  Object.assign(env, { [NAME]: "1", npm_config_offline: "true", PIP_NO_INDEX: "1", HF_HUB_OFFLINE: "1" });
}

/** @param what what is missing, with its size where that is known */
export const offlineFailure = (what: string, hint = "run the same once without --offline, or `forge doctor --fix` where there is a network"): Failure => ({
  code: "offline/missing",
  message: `${what}, and --offline forbids fetching it`,
  hint,
  exit: EXIT.environment,
});
