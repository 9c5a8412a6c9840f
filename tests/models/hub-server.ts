/**
 * A model hub on this machine, over real HTTP: the address of a file answers from one origin and sends weights on to a
 * second, as the hub does with large files. It keeps every request, and misbehaves file by file as a test says.
 */
import { createServer, type IncomingHttpHeaders, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Asked {
  readonly origin: "hub" | "storage";
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
}

/** What to do in place of an answer; true when it did. `nth`: how often this file was asked for at this origin, from 1. */
export type Mischief = (asked: Asked & { readonly name: string; readonly nth: number; readonly body: Buffer }, response: ServerResponse) => boolean;

export interface Hub {
  readonly endpoint: string;
  readonly asked: Asked[];
  mischief: Mischief;
  close(): Promise<void>;
}

export async function startHub(repository: string, revision: string, files: ReadonlyMap<string, Buffer>): Promise<Hub> {
  const asked: Asked[] = [];
  const count = new Map<string, number>();
  const serve = (origin: Asked["origin"]) => (request: IncomingMessage, response: ServerResponse) => {
    const { pathname } = new URL(request.url ?? "/", "http://hub");
    const one: Asked = { origin, path: request.url ?? "", headers: request.headers };
    asked.push(one);
    const name = pathname.split("/").at(-1) ?? "";
    const body = files.get(name);
    const nth = (count.get(`${origin} ${name}`) ?? 0) + 1;
    count.set(`${origin} ${name}`, nth);
    if (body === undefined || (origin === "hub" && pathname !== `/${repository}/resolve/${revision}/${name}`)) {
      response.writeHead(404).end("Entry not found");
    } else if (!hub.mischief({ ...one, name, nth, body }, response)) {
      if (origin === "hub" && name.endsWith(".safetensors")) {
        response.writeHead(302, { location: `${storage.address}/blobs/${name}?signature=of-the-storage` }).end("Found");
      } else give(body, request.headers.range, response);
    }
  };
  const main = await listen(serve("hub"));
  const storage = await listen(serve("storage"));
  const hub: Hub = {
    endpoint: main.address,
    asked,
    mischief: () => false,
    close: async () => {
      await Promise.all([main.close(), storage.close()]);
    },
  };
  return hub;
}

/** The file, or the part of it that was asked for. */
export function give(body: Buffer, range: string | undefined, response: ServerResponse): void {
  const from = Number(/^bytes=(\d+)-$/.exec(range ?? "")?.[1] ?? 0);
  const rest = body.subarray(from);
  if (from === 0) response.writeHead(200, { "content-length": body.length });
  else response.writeHead(206, { "content-length": rest.length, "content-range": `bytes ${from}-${body.length - 1}/${body.length}` });
  response.end(rest);
}

export async function listen(handler: (request: IncomingMessage, response: ServerResponse) => void): Promise<{
  readonly address: string;
  readonly server: Server;
  close(): Promise<void>;
}> {
  const server = createServer(handler);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    address: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
