/**
 * Entry of the llama.cpp worker process (bundled as dist/llama-worker.js): a crash of native code ends
 * this process and not forge. Speaks protocol.ts over stdin and stdout; llama.cpp's own words go to
 * stderr; leaves when stdin ends.
 */
import { closeSync, mkdtempSync, openSync, readSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { getLlama, LlamaLogLevel } from "node-llama-cpp";
import { Decoder } from "./decoder.ts";
import type { OpenMessage, ReplyMessage, RequestMessage } from "./protocol.ts";
import { availableThreads, SMALL_MODEL_BYTES } from "./threads.ts";

const DEFAULT_SEQUENCES = 8;
const BEAT_MS = 2000;

const folder = mkdtempSync(join(tmpdir(), "forge-llama-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
for (const signal of ["SIGTERM", "SIGINT", "SIGHUP"] as const) process.on(signal, () => process.exit(0));

const reply = (message: ReplyMessage): void => void process.stdout.write(`${JSON.stringify(message)}\n`);
const cancelled = new Set<number>();
let decoder: Promise<Decoder> | undefined;

const lines = createInterface({ input: process.stdin, crlfDelay: Number.POSITIVE_INFINITY });
lines.on("close", () => process.exit(0));
lines.on("line", (line) => {
  const message = JSON.parse(line) as RequestMessage;
  void handle(message).catch((e: unknown) => {
    process.stderr.write(`${e instanceof Error ? e.stack : String(e)}\n`);
    process.exit(1);
  });
});

async function handle(message: RequestMessage): Promise<void> {
  if (message.op === "open") {
    decoder ??= open(message);
    await decoder.then(
      () => reply({ op: "ready" }),
      (e: unknown) => reply({ op: "refused", problem: { code: "cannot-load", message: e instanceof Error ? e.message : String(e) } }),
    );
    return;
  }
  if (message.op === "cancel") {
    cancelled.add(message.id);
    return;
  }
  if (decoder === undefined) throw new Error("a request came before `open`");
  const engine = await decoder;
  const { id } = message;
  if (message.op === "tokenize") reply({ op: "tokenized", id, ids: engine.tokenize(message.text) });
  else
    engine.add(
      message.items,
      (index, result) => reply({ op: "completed", id, index, ...result }),
      () => cancelled.has(id),
    );
}

/** More tensors or metadata keys than any model has; a damaged header names billions, and reading it would never end. */
const MANY = 1_000_000n;

/** Throws when the first 24 bytes are no GGUF header (ggml/docs/gguf.md: magic, version, tensor count, key count). */
function checkHeader(path: string): void {
  const header = Buffer.alloc(24);
  const file = openSync(path, "r");
  try {
    if (readSync(file, header) < header.length || header.toString("latin1", 0, 4) !== "GGUF") throw new Error("it is no GGUF file");
  } finally {
    closeSync(file);
  }
  const version = header.readUInt32LE(4);
  if (version < 2 || version > 3) throw new Error(`its GGUF version is ${version}, not 2 or 3`);
  if (header.readBigUInt64LE(8) > MANY || header.readBigUInt64LE(16) > MANY) throw new Error("its GGUF header is damaged");
}

async function open(o: OpenMessage): Promise<Decoder> {
  checkHeader(o.model);
  const logger = (level: LlamaLogLevel, text: string): void => void process.stderr.write(`llama.cpp ${level}: ${text.trimEnd()}\n`);
  const threads = Math.max(1, Math.min(o.threads ?? availableThreads(), availableThreads()));
  const llama = await getLlama({
    build: "never",
    gpu: false,
    maxThreads: threads,
    logLevel: LlamaLogLevel.warn,
    logger,
    progressLogs: false,
    skipDownload: true,
  });
  const model = await llama.loadModel({ modelPath: o.model });
  let last = performance.now();
  return new Decoder(llama, model, {
    contextTokens: o.contextTokens === undefined ? undefined : Math.min(o.contextTokens, model.trainContextSize),
    sequences: o.sequences ?? DEFAULT_SEQUENCES,
    threads: o.threads === undefined && model.size < SMALL_MODEL_BYTES ? 1 : threads,
    folder,
    onRound() {
      if (performance.now() - last < BEAT_MS) return;
      last = performance.now();
      reply({ op: "beat" });
    },
  });
}
