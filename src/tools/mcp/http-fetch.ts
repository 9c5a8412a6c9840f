/**
 * The fetch that the HTTP transports use, stricter than the plain one: it speaks to one origin only, an answer
 * begins within the timeout and is bounded in size and time, and what is wrong with one is an `HttpProblem` that
 * carries the failure to show. No message holds a header's value or the query of the address.
 */
import { BadProxyError, proxiedFetch } from "../../platform/proxied-fetch.ts";
import { safeText } from "../../platform/redact.ts";
import type { Failure } from "../../platform/result.ts";
import {
  plainUrl,
  serverHttpProtocol,
  serverHttpSilent,
  serverRedirects,
  serverStatus,
  serverTls,
  serverUnauthorized,
  serverUnreachable,
} from "../failures.ts";

/** Thrown through the SDK's transports, which hand it on as it is. */
export class HttpProblem extends Error {
  readonly failure: Failure;
  /** The HTTP status that it is about. */
  readonly status: number | undefined;
  constructor(failure: Failure, status?: number) {
    super(failure.message);
    this.failure = failure;
    this.status = status;
  }
}

/** Largest JSON answer, and largest single event of a stream, as for a line over stdio. */
const MAX_BYTES = 16 * 1024 * 1024;
/** An answer to a request may stream at least so long, whatever its timeout: progress may come before the result. */
const SHORTEST_STREAM_MS = 60_000;
const MAX_ERROR_TEXT = 2000;

export interface GuardOptions {
  readonly url: URL;
  readonly timeoutMs: number;
  /** A stream of events broke a bound: the connection is of no more use. */
  readonly onBroken: (problem: HttpProblem) => void;
  /** A stream of events ended, whatever for. `posted` is the body of the request that it answered, empty for a GET. */
  readonly onStreamEnd: (posted: string, resumable: boolean) => void;
  /** Takes secrets out of a text that the server sent. */
  readonly mask: (text: string) => string;
}

/** A fetch for one server. */
export function guardedFetch(o: GuardOptions): (url: string | URL, init?: RequestInit) => Promise<Response> {
  const name = plainUrl(o.url.href);
  return async (url, init = {}) => {
    const at = new URL(url);
    if (at.origin !== o.url.origin) throw new HttpProblem(serverRedirects(name, plainUrl(at.href), true));
    const what = methodOf(init);
    const late = new AbortController();
    const timer = setTimeout(() => late.abort(), o.timeoutMs);
    const signal = init.signal ? AbortSignal.any([init.signal, late.signal]) : late.signal;
    let response: Response;
    try {
      response = await proxiedFetch(at, { ...init, redirect: "manual", signal });
    } catch (e) {
      clearTimeout(timer);
      if (late.signal.aborted) throw new HttpProblem(serverHttpSilent(name, what, o.timeoutMs / 1000));
      if (init.signal?.aborted) throw e;
      throw new HttpProblem(connectionFailure(name, e));
    }
    clearTimeout(timer);
    const posts = (init.method ?? "GET") === "POST";
    const streams = mediaType(response) === "text/event-stream";
    // A stream that we listen on lives as long as the session; everything else has an end.
    const lifetime = !streams ? o.timeoutMs : posts ? Math.max(o.timeoutMs, SHORTEST_STREAM_MS) : undefined;
    const limited = limit(response, streams, lifetime, late, init, o, name);
    await refuse(limited, at, init, what, name, o.mask);
    return limited;
  };
}

/** Throws for an answer that cannot be one of MCP. A redirect within the origin is left to the SDK, which follows it. */
async function refuse(response: Response, at: URL, init: RequestInit, what: string, name: string, mask: (text: string) => string): Promise<void> {
  const { status } = response;
  const location = status >= 300 && status < 400 ? response.headers.get("location") : null;
  if (location !== null) {
    const target = URL.canParse(location, at.href) ? new URL(location, at) : undefined;
    const kept = status === 307 || status === 308 || (init.method ?? "GET") === "GET";
    const inside = target?.origin === at.origin && target.username === "" && target.password === "";
    if (inside && kept) return;
    await response.body?.cancel();
    throw new HttpProblem(serverRedirects(name, target === undefined ? "an address that is none" : plainUrl(target.href), !inside), status);
  }
  if (status === 401 || status === 403) {
    await response.body?.cancel();
    throw new HttpProblem(serverUnauthorized(name, status), status);
  }
  if (init.method === "DELETE" || (init.method !== "POST" && status === 405)) return;
  if (!response.ok) {
    const text = await response.text().catch(() => "");
    throw new HttpProblem(serverStatus(name, what, status, safeText(mask(text).trim(), MAX_ERROR_TEXT)), status);
  }
  if (status === 202 || !isRequest(init)) return;
  const type = mediaType(response);
  const fits = type === "text/event-stream" || (init.method === "POST" && type === "application/json");
  if (fits) return;
  await response.body?.cancel();
  const given = type === "" ? "no content type" : `the content type \`${safeText(type, 80)}\``;
  throw new HttpProblem(serverHttpProtocol(name, `it answered \`${what}\` with ${given}, which is neither application/json nor text/event-stream`), status);
}

/** The response with its body held to the bounds. */
function limit(
  response: Response,
  streams: boolean,
  lifetimeMs: number | undefined,
  late: AbortController,
  init: RequestInit,
  o: GuardOptions,
  name: string,
): Response {
  if (response.body === null || response.status === 204 || response.status === 304) return response;
  let bytes = 0;
  let lineStart = true;
  let resumable = false;
  const posted = typeof init.body === "string" ? init.body : "";
  const broken = new HttpProblem(
    serverHttpProtocol(name, `it sent ${streams ? "an event" : `an answer to \`${methodOf(init)}\``} of more than ${MAX_BYTES / 1024 / 1024} MiB`),
  );
  const timer = lifetimeMs === undefined ? undefined : setTimeout(() => late.abort(), lifetimeMs);
  timer?.unref();
  const source = response.body.getReader();
  let ended = false;
  const end = (): void => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    if (streams) o.onStreamEnd(posted, resumable);
  };
  const body = new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const { done, value } = await source.read();
        if (done) {
          end();
          controller.close();
          return;
        }
        if (streams) {
          // An event ends with an empty line; its length is what counts. Only line feeds are looked at: CRLF has one, too.
          for (let from = 0; from < value.length; ) {
            if (lineStart && value[from] === 0x69 /* i, of "id:" */) resumable = true;
            const next = value.indexOf(10, from);
            const stop = next === -1 ? value.length : next;
            const empty = lineStart && (stop === from || (stop === from + 1 && value[from] === 13));
            bytes = next !== -1 && empty ? 0 : bytes + stop - from + 1;
            lineStart = next !== -1;
            from = stop + 1;
          }
        } else bytes += value.length;
        if (bytes > MAX_BYTES) throw broken;
        controller.enqueue(value);
      } catch (e) {
        void source.cancel(e).catch(() => undefined);
        if (e === broken && streams) o.onBroken(broken);
        end();
        controller.error(late.signal.aborted ? new HttpProblem(serverHttpSilent(name, methodOf(init), (lifetimeMs ?? o.timeoutMs) / 1000)) : e);
      }
    },
    async cancel(reason) {
      end();
      await source.cancel(reason);
    },
  });
  return new Response(body, { status: response.status, statusText: response.statusText, headers: response.headers });
}

/** A connection that failed, from Node's error codes. */
function connectionFailure(name: string, e: unknown): Failure {
  const cause = e instanceof Error && e.cause instanceof Error ? e.cause : e;
  const code = String((cause as { code?: unknown } | undefined)?.code ?? "");
  const message = safeText(cause instanceof Error ? cause.message : String(cause), 200);
  if (e instanceof BadProxyError) return serverUnreachable(name, message);
  if (/CERT|SSL|TLS|SELF_SIGNED|UNABLE_TO_|EPROTO/.test(code)) return serverTls(name, TLS_WORDS[code] ?? (code === "" ? message : code));
  return serverUnreachable(name, CONNECTION_WORDS[code] ?? (message === "" ? code : message));
}

const TLS_WORDS: Readonly<Record<string, string>> = {
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is signed by itself",
  SELF_SIGNED_CERT_IN_CHAIN: "its chain of certificates ends in one that is signed by itself",
  CERT_HAS_EXPIRED: "its certificate has expired",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another host",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate cannot be verified",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "the authority of its certificate is not known here",
  ERR_SSL_WRONG_VERSION_NUMBER: "it does not speak TLS (is it http:// and not https://?)",
  ERR_SSL_PACKET_LENGTH_TOO_LONG: "it does not speak TLS (is it http:// and not https://?)",
};

const CONNECTION_WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nothing listens there",
  ENOTFOUND: "there is no such host",
  EAI_AGAIN: "its name cannot be resolved now",
  ECONNRESET: "it closed the connection",
  UND_ERR_SOCKET: "it closed the connection before it had answered",
  UND_ERR_CONNECT_TIMEOUT: "no connection came about",
  ETIMEDOUT: "no connection came about",
  EHOSTUNREACH: "there is no way to its host",
  ENETUNREACH: "there is no way to its network",
};

const mediaType = (response: Response): string => (response.headers.get("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";

/** What a request asks for, in MCP's words. */
function methodOf(init: RequestInit): string {
  if (typeof init.body !== "string") return init.method === "DELETE" ? "the end of the session" : "the event stream";
  const method = /"method":"([a-z/_]{1,60})"/.exec(init.body.slice(0, 400))?.[1];
  return method ?? "a message";
}

/** Whether an answer with a body is due: a GET of the event stream, or a message with an id. */
const isRequest = (init: RequestInit): boolean => typeof init.body !== "string" || requestId(init.body) !== undefined;

/** The id of a JSON-RPC request in this body; undefined for a notification. */
export function requestId(body: string): string | number | undefined {
  try {
    const message = JSON.parse(body) as { id?: unknown; method?: unknown };
    return typeof message.method === "string" && (typeof message.id === "number" || typeof message.id === "string") ? message.id : undefined;
  } catch {
    return undefined;
  }
}
