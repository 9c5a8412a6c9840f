/**
 * The fetch to speak to the network with: Node's own, or, where the environment names a proxy (HTTPS_PROXY,
 * HTTP_PROXY, with the exceptions of NO_PROXY), undici's through that proxy, as Node 20's own fetch knows none.
 */
import type { Dispatcher } from "undici";
import { errorCode } from "./fs.ts";

const NAMES = ["HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy"];

/** Thrown where a proxy variable holds no address; the message does not repeat it, as it may hold a password. */
export class BadProxyError extends Error {
  constructor() {
    super("HTTPS_PROXY or HTTP_PROXY is not the address of a proxy");
  }
}

/** One agent for each setting of the variables; its idle connections keep no process alive. */
const agents = new Map<string, Dispatcher>();

/** `fetch`, by way of the environment's proxy where there is one. @throws {BadProxyError} */
export async function proxiedFetch(url: URL, init: RequestInit): Promise<Response> {
  const agent = await proxyAgent();
  if (agent === undefined) return fetch(url, init);
  const { fetch: fetchThrough } = (await import("undici")).default;
  // The types of undici's fetch and of Node's, which is undici's too, differ in name only.
  return fetchThrough(url, { ...init, dispatcher: agent } as Parameters<typeof fetchThrough>[1]) as unknown as Promise<Response>;
}

/** What sends requests by way of the environment's proxy; undefined where it names none. @throws {BadProxyError} */
export async function proxyAgent(): Promise<Dispatcher | undefined> {
  if (NAMES.every((name) => (process.env[name] ?? "") === "")) return undefined;
  const key = JSON.stringify([...NAMES, "NO_PROXY", "no_proxy"].map((name) => process.env[name] ?? ""));
  const known = agents.get(key);
  if (known !== undefined) return known;
  const { EnvHttpProxyAgent } = (await import("undici")).default;
  try {
    const agent = new EnvHttpProxyAgent();
    agents.set(key, agent);
    return agent;
  } catch (e) {
    if (!["ERR_INVALID_URL", "UND_ERR_INVALID_ARG"].includes(errorCode(e))) throw e;
    throw new BadProxyError();
  }
}
