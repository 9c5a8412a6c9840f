/**
 * Files from an HTTP server whose bytes are known beforehand.
 *
 * Guarantees: a file stands under its name only when it is whole and has its digest; a transfer that broke goes on
 * where it stopped, in this call or the next, and what is there already is hashed again; never more than the known
 * number of bytes is written; a token is sent to its own origin alone, whatever redirects say, and is in no message
 * (nor is the query of an address, where signatures are); proxies of the environment are honoured (undici's
 * EnvHttpProxyAgent, as Node 20 by itself knows none: HTTPS_PROXY, HTTP_PROXY, NO_PROXY). Problems are data; what the
 * file system refuses is thrown.
 */
import { createHash } from "node:crypto";
import { createReadStream, existsSync, renameSync, rmSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { basename } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Dispatcher } from "undici";
import { errorCode } from "./fs.ts";
import { redact, safeText } from "./redact.ts";
import { err, ok, type Result } from "./result.ts";

export interface RemoteFile {
  readonly url: URL;
  /** Path of the file; beside it `PATH.part` while it is not whole. */
  readonly to: string;
  readonly bytes: number;
  /** 64 hexadecimal digits. */
  readonly sha256: string;
}

export interface DownloadOptions {
  readonly signal: AbortSignal;
  /** Sent as a bearer token to this origin and to no other. */
  readonly token?: { readonly origin: string; readonly value: string };
  /** Bytes of all files that are here, whenever there are more. */
  readonly onBytes?: (done: number) => void;
  readonly timing?: DownloadTiming;
}

/** In ms. */
export interface DownloadTiming {
  /** A server that says nothing for so long is given up; default 30 s. */
  readonly stall: number;
  /** Before a second try, doubled for each further; default 1 s. */
  readonly pause: number;
}

export interface DownloadProblem {
  /** `refused`: 401 or 403. `missing`: 404. `wrong-bytes`: it answers with another file. `unreachable`: everything else. */
  readonly kind: "unreachable" | "refused" | "missing" | "wrong-bytes" | "interrupted";
  /** The file's name. */
  readonly file: string;
  /** Who was asked last: host and port. */
  readonly host: string;
  /** What happened, in words that follow a colon. */
  readonly why: string;
}

const DEFAULT_TIMING: DownloadTiming = { stall: 30_000, pause: 1_000 };
const CONNECT_MS = 10_000;
/** Tries in a row that bring nothing. */
const IDLE_TRIES = 3;
/** Tries in all: a server that breaks off after each byte does not keep us for ever. */
const TRIES = 50;
const REDIRECTS = 5;
const REDIRECT = new Set([301, 302, 303, 307, 308]);
const PASSING = new Set([408, 425, 429, 500, 502, 503, 504]);

type Problem = Omit<DownloadProblem, "file">;
/** `again`: another try may go better. */
type Attempt = Result<void, Problem & { readonly again: boolean }>;

/** Fetches files one after another, those left out that are here already. */
export async function downloadFiles(files: readonly RemoteFile[], o: DownloadOptions): Promise<Result<void, DownloadProblem>> {
  const client = await openClient(o);
  if (!client.ok) return err({ ...client.error, file: files[0] === undefined ? "" : basename(files[0].to) });
  let before = 0;
  try {
    for (const file of files) {
      const got = await fetchFile(file, client.value, { ...o, onBytes: (n) => o.onBytes?.(before + n) });
      if (!got.ok) return err({ ...got.error, file: basename(file.to) });
      before += file.bytes;
    }
    return ok(undefined);
  } finally {
    await client.value.close();
  }
}

/**
 * What an address answers with, in memory, of which nothing is known beforehand.
 * @param most bytes at most; more are `wrong-bytes`, or with `head` not read
 */
export async function fetchBytes(
  url: URL,
  most: number,
  o: DownloadOptions & { readonly head?: boolean },
): Promise<Result<Buffer, Omit<DownloadProblem, "file">>> {
  const client = await openClient(o);
  if (!client.ok) return client;
  try {
    for (let tries = 1; ; tries++) {
      const got = await bytesOnce(url, most, client.value, o);
      if (got.ok) return got;
      const { again, ...problem } = got.error;
      if (o.signal.aborted) return err({ ...problem, kind: "interrupted" });
      if (!again || tries >= IDLE_TRIES) return err(problem);
      await sleep((o.timing ?? DEFAULT_TIMING).pause * 2 ** tries, undefined, { signal: o.signal }).catch(() => {});
    }
  } finally {
    await client.value.close();
  }
}

async function bytesOnce(
  url: URL,
  most: number,
  client: Client,
  o: DownloadOptions & { readonly head?: boolean },
): Promise<Result<Buffer, Problem & { readonly again: boolean }>> {
  const answer = await client.get(url, 0, o);
  if (!answer.ok) return answer;
  const { body, host } = answer.value;
  const parts: Buffer[] = [];
  let have = 0;
  try {
    const chunks = body[Symbol.asyncIterator]();
    while (have < most || o.head !== true) {
      const next = await quietly(() => chunks.next(), host, o);
      if (!next.ok) return next;
      if (next.value.done) break;
      const chunk = next.value.value as Buffer;
      have += chunk.length;
      if (have > most && o.head !== true) return err({ kind: "wrong-bytes", host, why: `it answers with more than ${most} bytes`, again: false });
      parts.push(chunk);
    }
    return ok(Buffer.concat(parts).subarray(0, most));
  } finally {
    body.on("error", () => {}).destroy();
  }
}

/** One file, tried again after what passes. */
async function fetchFile(file: RemoteFile, client: Client, o: DownloadOptions): Promise<Result<void, Problem>> {
  const { pause } = o.timing ?? DEFAULT_TIMING;
  const part = `${file.to}.part`;
  if (sizeOf(file.to) === file.bytes && (await hashOf(file.to)).digest("hex") === file.sha256) {
    o.onBytes?.(file.bytes);
    return ok(undefined);
  }
  rmSync(file.to, { force: true });
  for (let tries = 1, idle = 1; ; tries++, idle++) {
    const before = sizeOf(part);
    const tried = await fetchOnce(file, part, client, o);
    if (sizeOf(part) === 0) rmSync(part, { force: true });
    if (tried.ok) return tried;
    const { again, ...problem } = tried.error;
    if (o.signal.aborted) return err({ ...problem, kind: "interrupted" });
    if (sizeOf(part) > before) idle = 0;
    if (!again || idle >= IDLE_TRIES || tries >= TRIES) return err(problem);
    await sleep(pause * 2 ** idle, undefined, { signal: o.signal }).catch(() => {}); // The next try notices.
  }
}

async function fetchOnce(file: RemoteFile, part: string, client: Client, o: DownloadOptions): Promise<Attempt> {
  if (sizeOf(part) > file.bytes) rmSync(part);
  let hash = existsSync(part) ? await hashOf(part) : createHash("sha256");
  let have = sizeOf(part);
  const resumed = have > 0;
  let host = file.url.host;
  if (have < file.bytes) {
    const answer = await client.get(file.url, have, o);
    if (!answer.ok) return answer;
    const { body, status, headers } = answer.value;
    host = answer.value.host;
    const wrong = (why: string): Attempt => err({ kind: "wrong-bytes", host, why, again: false });
    try {
      if (status === 206) {
        const range = /^bytes (\d+)-\d+\/(\d+|\*)$/.exec(String(headers["content-range"] ?? ""));
        if (range === null || Number(range[1]) !== have) {
          rmSync(part, { force: true });
          return err({ kind: "unreachable", host, why: "it answered with another part of the file than was asked for", again: true });
        }
        if (range[2] !== "*" && Number(range[2]) !== file.bytes) return wrong(`it has ${range[2]} bytes and not ${file.bytes}`);
      } else {
        const length = headers["content-length"];
        if (length !== undefined && Number(length) !== file.bytes) return wrong(`it has ${Number(length)} bytes and not ${file.bytes}`);
        if (have > 0) hash = createHash("sha256");
        have = 0;
      }
      const out = await open(part, have > 0 ? "a" : "w");
      try {
        const chunks = body[Symbol.asyncIterator]();
        for (;;) {
          const next = await quietly(() => chunks.next(), host, o);
          if (!next.ok) return next;
          if (next.value.done) break;
          const chunk = next.value.value as Buffer;
          if (have + chunk.length > file.bytes) return wrong(`it has more than the ${file.bytes} bytes that it should have`);
          await out.writeFile(chunk);
          hash.update(chunk);
          have += chunk.length;
          o.onBytes?.(have);
        }
        await out.sync();
      } finally {
        await out.close();
      }
    } finally {
      body.on("error", () => {}).destroy();
    }
  }
  if (have < file.bytes) return err({ kind: "unreachable", host, why: `it ended after ${have} of ${file.bytes} bytes`, again: true });
  if (hash.digest("hex") !== file.sha256) {
    rmSync(part, { force: true });
    // What was left here from before may have been the damaged half.
    return err({ kind: "wrong-bytes", host, why: "its bytes do not have the digest that forge knows", again: resumed });
  }
  renameSync(part, file.to);
  return ok(undefined);
}

interface Answer {
  readonly status: number;
  readonly headers: Dispatcher.ResponseData["headers"];
  readonly body: Dispatcher.ResponseData["body"];
  /** Who answered, after redirects. */
  readonly host: string;
}

interface Client {
  /** A successful answer for the bytes from `from` on (or for all of them: the server's choice). */
  get(url: URL, from: number, o: DownloadOptions): Promise<Result<Answer, Problem & { readonly again: boolean }>>;
  close(): Promise<void>;
}

async function openClient(o: DownloadOptions): Promise<Result<Client, Problem>> {
  // Bundled, a CommonJS module has a default export alone.
  const { EnvHttpProxyAgent, request } = (await import("undici")).default;
  const { stall } = o.timing ?? DEFAULT_TIMING;
  let agent: Dispatcher;
  try {
    agent = new EnvHttpProxyAgent({ headersTimeout: stall, bodyTimeout: stall, connect: { timeout: Math.min(stall, CONNECT_MS) } });
  } catch (e) {
    if (!["ERR_INVALID_URL", "UND_ERR_INVALID_ARG"].includes(errorCode(e))) throw e;
    return err({ kind: "unreachable", host: "the proxy", why: "HTTPS_PROXY or HTTP_PROXY is not the address of a proxy" });
  }
  const get: Client["get"] = async (first, from, { signal, token }) => {
    const problem = (kind: Problem["kind"], host: string, why: string, again = false) => err({ kind, host, why, again });
    let url = first;
    for (let hops = 0; hops <= REDIRECTS; hops++) {
      const { host } = url;
      const headers = {
        "user-agent": "mcp-forge",
        "accept-encoding": "identity", // The known bytes are those of the file itself.
        ...(from > 0 && { range: `bytes=${from}-` }),
        ...(token !== undefined && token.origin === url.origin && { authorization: `Bearer ${token.value}` }),
      };
      const asked = await quietly(() => request(url, { dispatcher: agent, headers, signal }), host, o);
      if (!asked.ok) return asked;
      const { statusCode: status, body, headers: answered } = asked.value;
      if (status === 200 || (status === 206 && from > 0)) return ok({ status, body, headers: answered, host });
      body.on("error", () => {}).destroy();
      if (REDIRECT.has(status)) {
        const location = String(answered.location ?? "");
        const to = URL.canParse(location, url.href) ? new URL(location, url.href) : undefined;
        if (to === undefined || !["https:", "http:"].includes(to.protocol)) return problem("unreachable", host, "it sends forge on to an address that is none");
        if (url.protocol === "https:" && to.protocol !== "https:") return problem("unreachable", host, `it sends forge on to ${to.host}, unencrypted`);
        url = to;
      } else if (status === 401 || status === 403) return problem("refused", host, `it answers with status ${status}`);
      else if (status === 404 || status === 410) return problem("missing", host, `it answers with status ${status}`);
      else return problem("unreachable", host, `it answers with status ${status}`, PASSING.has(status));
    }
    return problem("unreachable", url.host, "it sends forge on and on");
  };
  return ok({ get, close: () => agent.destroy() });
}

/** Does what the network may break, with the breaking in words. */
async function quietly<T>(what: () => Promise<T>, host: string, o: DownloadOptions): Promise<Result<T, Problem & { readonly again: boolean }>> {
  try {
    return ok(await what());
  } catch (e) {
    const code = errorCode(e);
    const stall = (o.timing ?? DEFAULT_TIMING).stall / 1000;
    const untrusted = /CERT|SELF_SIGNED|UNABLE_TO_|ERR_TLS/.test(code);
    const why = untrusted
      ? `its certificate is not trusted (${code})`
      : (REASONS[code] ?? (code.endsWith("_TIMEOUT") ? `it said nothing for ${stall} s` : told(e)));
    return err({ kind: "unreachable", host, why, again: !untrusted && !NOBODY.has(code) });
  }
}

/** There is no server: asking again within seconds changes nothing. */
const NOBODY = new Set(["ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ENETUNREACH", "EHOSTUNREACH"]);
const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: "no such host is known here",
  EAI_AGAIN: "its name cannot be looked up",
  ECONNREFUSED: "nobody listens there",
  ECONNRESET: "the connection broke",
  EPIPE: "the connection broke",
  UND_ERR_SOCKET: "the connection broke",
  UND_ERR_RES_CONTENT_LENGTH_MISMATCH: "the connection broke",
  ETIMEDOUT: "no connection came about",
  UND_ERR_CONNECT_TIMEOUT: "no connection came about",
  ENETUNREACH: "there is no network",
  EHOSTUNREACH: "there is no way to it",
};

/** The first line of an error that we have no words for. */
const told = (e: unknown): string => safeText(redact((e instanceof Error ? e.message : String(e)).split("\n", 1)[0] ?? ""), 200);

const sizeOf = (path: string): number => (existsSync(path) ? statSync(path).size : 0);

async function hashOf(path: string): Promise<ReturnType<typeof createHash>> {
  const hash = createHash("sha256");
  for await (const chunk of createReadStream(path, { highWaterMark: 1 << 20 })) hash.update(chunk as Buffer);
  return hash;
}
