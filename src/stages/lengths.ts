/**
 * Measures how long samples are for a family, in files of any size; the base model's own tokenizer counts, and is opened only where a sample could be too long
 * (data/lengths.ts).
 */
import type { LengthBounds } from "../data/lengths.ts";
import type { Sample, Toolset } from "../data/types.ts";
import type { StageContext } from "../engine/stage.ts";
import type { Family } from "../models/family.ts";
import type { LlamaEngine } from "../models/llama/types.ts";
import { ok, type Result } from "../platform/result.ts";
import type { Lengths } from "../schemas/generated/qa-report.ts";

export interface LengthSetup extends Omit<LengthBounds, "family" | "window"> {
  readonly family: Family;
  /** The family's source of the weights. */
  readonly source: string;
}

export interface Measuring {
  /** Tokens of a sample where they are more than is surely held, else null. */
  see(sample: Sample): Promise<Result<number | null>>;
  lengths(): Lengths;
  close(): Promise<void>;
}

/** Opens what measures samples one by one. */
export async function openLengths(setup: LengthSetup, toolset: Toolset, o: Pick<StageContext, "signal" | "emit">): Promise<Measuring> {
  const [{ LengthMeter }, { createRenderer }] = await Promise.all([import("../data/lengths.ts"), import("../models/render.ts")]);
  let engine: LlamaEngine | undefined;
  const count = async (text: string): Promise<Result<number>> => {
    if (engine === undefined) {
      const opened = await openModel(setup, o);
      if (!opened.ok) return opened;
      engine = opened.value;
    }
    const ids = await engine.tokenize(text);
    return ids.ok ? ok(ids.value.length) : ids;
  };
  const { family, profile, maxTokens, exact } = setup;
  const meter = new LengthMeter({ family: family.name, window: family.context_tokens, profile, maxTokens, exact }, createRenderer(family), toolset, count);
  return { see: ({ messages }) => meter.see(messages), lengths: () => meter.lengths(), close: async () => engine?.close() };
}

async function openModel({ family, source }: LengthSetup, o: Pick<StageContext, "signal" | "emit">): Promise<Result<LlamaEngine>> {
  const [{ ensureBase }, { openLlama }] = await Promise.all([import("../models/base.ts"), import("../models/llama/client.ts")]);
  const base = await ensureBase(family, source, { signal: o.signal, onProgress: o.emit });
  return base.ok ? openLlama({ model: base.value.ggufPath, signal: o.signal }) : base;
}

/** The lengths of all samples of a file. */
export async function measureLengths(path: string, setup: LengthSetup, toolset: Toolset, o: Pick<StageContext, "signal" | "emit">): Promise<Result<Lengths>> {
  const { linesOf } = await import("../platform/line-file.ts");
  const measuring = await openLengths(setup, toolset, o);
  try {
    for await (const lines of linesOf(path)) {
      o.signal.throwIfAborted();
      for (const { text } of lines) {
        if (text.trim() === "") continue;
        const seen = await measuring.see(JSON.parse(text) as Sample);
        if (!seen.ok) return seen;
      }
    }
    return ok(measuring.lengths());
  } finally {
    await measuring.close();
  }
}
