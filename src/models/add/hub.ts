/**
 * A repository of the model hub while it is looked at: its list of files at one revision, resolved to a commit; small files fetched, and checked by
 * what the list says of them; large ones pinned by the digest that the list names. Answers are bounded in size and time.
 */
import { createHash } from "node:crypto";
import { type DownloadProblem, type DownloadTiming, fetchBytes } from "../../platform/download.ts";
import { EXIT } from "../../platform/exit.ts";
import { isOffline } from "../../platform/offline.ts";
import { err, type Failure, ok, type Result } from "../../platform/result.ts";
import type { HubFile } from "../../schemas/generated/family.ts";
import { type HubAccess, hubAccess, sendsToken } from "../hub.ts";
import { licenceOf } from "./defaults.ts";
import { gitBlob, interrupted, isRecord, type ModelFiles, tooLarge, unfit } from "./files.ts";

export interface HubRepository {
  readonly files: ModelFiles;
  /** The commit. */
  readonly revision: string;
  /** As the hub spells it. */
  readonly id: string;
  readonly licence: string | undefined;
}

export interface HubLookOptions {
  readonly signal: AbortSignal;
  readonly env?: NodeJS.ProcessEnv;
  readonly onWarning?: (message: string) => void;
  /** For tests. */
  readonly timing?: DownloadTiming;
}

const LIST_BYTES = 16 << 20;
const MOST_FILES = 20_000;
/** One answer, however slowly it comes. */
const ANSWER_MS = 300_000;
const COMMIT = /^[0-9a-f]{40}$/;
const SHA256 = /^[0-9a-f]{64}$/;
const ID = /^[A-Za-z0-9][A-Za-z0-9._-]*\/[A-Za-z0-9][A-Za-z0-9._-]*$/;

interface Listed {
  readonly bytes: number;
  /** Git's name of the content, of a small file. */
  readonly blob: string | undefined;
  /** Of a large one. */
  readonly sha256: string | undefined;
}

/** Whether a text has the form of a repository's id. */
export const isHubId = (text: string): boolean => ID.test(text);

/** Asks for the list of a repository's files at a revision (a commit, a tag or a branch). */
export async function lookAtHub(id: string, revision: string, o: HubLookOptions): Promise<Result<HubRepository>> {
  const env = o.env ?? process.env;
  const access = hubAccess(env);
  if (!access.ok) return access;
  if (access.value.offline || isOffline(env))
    return err({
      code: "models/hub-offline",
      message: `${id} has to be looked up on the model hub, and ${isOffline(env) ? "MCP_FORGE_OFFLINE" : "HF_HUB_OFFLINE"} forbids it`,
      hint: "Unset it for one run, or add a folder that you have.",
      exit: EXIT.environment,
    });
  const ask = asker(id, access.value, o);
  const list = await ask(`/api/models/${id}/revision/${encodeURIComponent(revision)}?blobs=true`, LIST_BYTES, "its list of files");
  if (!list.ok) return list;
  const read = readList(list.value);
  if (read === undefined)
    return err({
      code: "models/hub-answer",
      message: `${access.value.endpoint.host} answers with something else than the list of files of ${id}`,
      hint: "Check HF_ENDPOINT.",
      exit: EXIT.environment,
    });
  return ok({ ...read, id: read.id ?? id, files: hubFiles(read.id ?? id, read.revision, read.listed, ask) });
}

type Ask = (path: string, most: number, what: string, head?: boolean) => Promise<Result<Buffer>>;

function asker(id: string, { endpoint, token }: HubAccess, o: HubLookOptions): Ask {
  if (token !== undefined && !sendsToken(endpoint)) o.onWarning?.(`HF_TOKEN is not sent to ${endpoint.host}: the connection is not encrypted`);
  return async (path, most, what, head) => {
    const got = await fetchBytes(new URL(`${endpoint.href.replace(/\/$/, "")}${path}`), most, {
      signal: AbortSignal.any([o.signal, AbortSignal.timeout(ANSWER_MS)]),
      ...(head === true && { head }),
      ...(token !== undefined && sendsToken(endpoint) && { token: { origin: endpoint.origin, value: token } }),
      ...(o.timing && { timing: o.timing }),
    });
    return got.ok ? got : err(o.signal.aborted ? interrupted() : failureOf(got.error, id, what, token !== undefined));
  };
}

function failureOf(problem: Omit<DownloadProblem, "file">, id: string, what: string, hadToken: boolean): Failure {
  const from = `${problem.host}: ${problem.why}`;
  const failure = (code: string, message: string, hint: string): Failure => ({ code: `models/${code}`, message, hint, exit: EXIT.environment });
  switch (problem.kind) {
    case "refused":
      return failure(
        "hub-refused",
        `the model hub does not give out ${what} of ${id} (${from})`,
        hadToken
          ? "Check the spelling, and that the token in HF_TOKEN is valid and may read this repository."
          : "Check the spelling; where the repository is private or gated, set HF_TOKEN to a token that may read it.",
      );
    case "missing":
      return failure(
        "hub-missing",
        `the model hub has no ${id} at that revision, or not ${what} (${from})`,
        "Check the spelling and the revision (OWNER/NAME@REVISION), and HF_ENDPOINT.",
      );
    case "wrong-bytes":
      return failure("wrong-bytes", `${what} of ${id} is not what the model hub says it is (${from})`, "Check HF_ENDPOINT and HTTPS_PROXY.");
    default:
      return failure(
        "hub-unreachable",
        `${what} of ${id} could not be fetched from the model hub (${from})`,
        "Check the network, HTTPS_PROXY and NODE_EXTRA_CA_CERTS, or name a mirror in HF_ENDPOINT.",
      );
  }
}

interface HubList {
  readonly id: string | undefined;
  readonly revision: string;
  readonly listed: ReadonlyMap<string, Listed>;
  readonly licence: string | undefined;
}

/** The hub's answer, as far as it is one: https://huggingface.co/docs/hub/api. */
function readList(body: Buffer): HubList | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(body.toString("utf8"));
  } catch {
    return undefined;
  }
  if (!isRecord(answer) || typeof answer.sha !== "string" || !COMMIT.test(answer.sha) || !Array.isArray(answer.siblings) || answer.siblings.length > MOST_FILES)
    return undefined;
  const listed = new Map<string, Listed>();
  for (const file of answer.siblings) {
    if (!isRecord(file) || typeof file.rfilename !== "string") return undefined;
    const lfs = isRecord(file.lfs) ? file.lfs : undefined;
    const bytes = lfs?.size ?? file.size;
    if (typeof bytes !== "number" || !Number.isSafeInteger(bytes) || bytes < 0) continue; // Nothing is known of it: as if it were not there.
    const sha256 = typeof lfs?.sha256 === "string" && SHA256.test(lfs.sha256) ? lfs.sha256 : undefined;
    const blob = lfs === undefined && typeof file.blobId === "string" && COMMIT.test(file.blobId) ? file.blobId : undefined;
    listed.set(file.rfilename, { bytes, sha256, blob });
  }
  const card = isRecord(answer.cardData) ? answer.cardData : undefined;
  const tag = Array.isArray(answer.tags) ? answer.tags.find((t): t is string => typeof t === "string" && t.startsWith("license:")) : undefined;
  const word = card?.license_name ?? card?.license ?? tag?.slice("license:".length);
  const id = typeof answer.id === "string" && ID.test(answer.id) ? answer.id : undefined;
  return { id, revision: answer.sha, listed, licence: licenceOf(Array.isArray(word) ? word[0] : word) };
}

/** What is pinned without a digest from the list is fetched and hashed: nothing larger than this. */
const UNLISTED_BYTES = 64 << 20;

function hubFiles(id: string, revision: string, listed: ReadonlyMap<string, Listed>, ask: Ask): ModelFiles {
  const whole = new Map<string, Buffer>();
  const path = (name: string): string => `/${id}/resolve/${revision}/${name}`;
  const fetched = async (name: string, most: number): Promise<Result<Buffer>> => {
    const known = whole.get(name);
    if (known !== undefined) return ok(known);
    const file = listed.get(name);
    if (file === undefined) throw new Error(`${name} is not in the list`);
    if (file.bytes > most) return err(tooLarge(name, most));
    const got = await ask(path(name), file.bytes, name);
    if (!got.ok) return got;
    const other =
      got.value.length !== file.bytes ||
      (file.blob !== undefined && gitBlob(got.value) !== file.blob) ||
      (file.sha256 !== undefined && sha256Of(got.value) !== file.sha256);
    if (other)
      return err({
        code: "models/wrong-bytes",
        message: `${name} of ${id} is another file than the one that the model hub lists`,
        hint: "Check HF_ENDPOINT and HTTPS_PROXY.",
        exit: EXIT.environment,
      });
    whole.set(name, got.value);
    return got;
  };
  return {
    shown: id,
    sizes: new Map([...listed].map(([name, { bytes }]) => [name, bytes])),
    read: fetched,
    head: (name, bytes) => ask(path(name), bytes, name, true),
    async pin(names) {
      const files: Record<string, HubFile> = {};
      for (const name of names) {
        const file = listed.get(name);
        if (file === undefined) return err(unfit("hub-missing", `${id} has no ${name}`));
        if (file.sha256 !== undefined) files[name] = { sha256: file.sha256, bytes: file.bytes };
        else {
          const got = await fetched(name, UNLISTED_BYTES);
          if (!got.ok) return got;
          files[name] = { sha256: sha256Of(got.value), bytes: file.bytes };
        }
      }
      return ok(files);
    },
  };
}

const sha256Of = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");
