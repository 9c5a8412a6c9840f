/**
 * A request whose body is a text, by undici's own interface: what `fetch` puts between (streams of the web, copies, a second
 * signal) costs more of a core than all else about a small request, and hundreds of them a second are sent. The answer is read whole, up to a bound, and no
 * redirect is followed.
 */
import { brotliDecompressSync, gunzipSync, inflateSync } from "node:zlib";
import { proxyAgent } from "./proxied-fetch.ts";

export interface TextRequest {
  readonly method: string;
  readonly headers: Headers;
  readonly body: string;
  readonly signal?: AbortSignal | null;
  /** Most bytes of the answer. */
  readonly mostBytes: number;
}

/** The answer, for whoever knows `fetch`. @throws {TypeError} for a redirect and for more than the bound; what undici throws; BadProxyError */
export async function textRequest(url: URL, o: TextRequest): Promise<Response> {
  const { request } = (await import("undici")).default;
  const dispatcher = await proxyAgent();
  const { statusCode, headers, body } = await request(url, {
    method: o.method as "POST",
    headers: Object.fromEntries(o.headers),
    body: o.body,
    ...(o.signal ? { signal: o.signal } : {}),
    ...(dispatcher !== undefined && { dispatcher }),
  });
  if (statusCode >= 300 && statusCode < 400 && statusCode !== 304) {
    body.on("error", () => undefined).destroy();
    throw new TypeError("unexpected redirect");
  }
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const part of body as AsyncIterable<Uint8Array>) {
    size += part.byteLength;
    if (size > o.mostBytes) throw tooLong(o.mostBytes);
    parts.push(part);
  }
  const whole = decoded(parts.length === 1 ? (parts[0] as Uint8Array) : Buffer.concat(parts), headers["content-encoding"], o.mostBytes);
  const said = new Headers();
  for (const [name, value] of Object.entries(headers))
    for (const one of Array.isArray(value) ? value : value === undefined ? [] : [value]) if (name !== "content-encoding") said.append(name, one);
  const empty = statusCode === 204 || statusCode === 205 || statusCode === 304;
  return new Response(empty ? null : (whole as Uint8Array<ArrayBuffer>), { status: statusCode, headers: said });
}

const tooLong = (mostBytes: number): TypeError => new TypeError(`an answer of more than ${mostBytes >> 20} MB`);

/** Nothing but plain bytes is asked for; a server that packs them all the same is understood. */
function decoded(bytes: Uint8Array, encoding: string | string[] | undefined, mostBytes: number): Uint8Array {
  const unpack = { gzip: gunzipSync, "x-gzip": gunzipSync, deflate: inflateSync, br: brotliDecompressSync }[String(encoding ?? "").toLowerCase()];
  if (unpack === undefined) return bytes;
  try {
    return unpack(bytes, { maxOutputLength: mostBytes });
  } catch (e) {
    throw e instanceof RangeError ? tooLong(mostBytes) : e;
  }
}
