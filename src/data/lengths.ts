/**
 * How long samples are for a model: tokens of each with its prompt, after the family's chat template, as training will have them. Two bounds matter. The family's
 * window is hard: a longer sample cannot be learned, and none is ever cut (REFERENCE), so it is a fault of the data. The profile's sequence is soft: training
 * raises it to the longest sample that the window holds, which costs memory and time, so it is told and no fault.
 *
 * A token is at least one byte: most samples are known to be short without being counted. Where opening the model only to tell the soft bound would be too much,
 * only what could be beyond the hard one is counted (`exact: false`).
 */
import { holdsConversations } from "../models/fit.ts";
import { type Renderer, rowsOf } from "../models/render.ts";
import { ok, type Result } from "../platform/result.ts";
import type { Lengths } from "../schemas/generated/qa-report.ts";
import type { Message, Toolset } from "./types.ts";

export interface LengthBounds {
  /** Name of the family. */
  readonly family: string;
  readonly window: number;
  /** Name of the profile, and its sequence or what the recipe has in place of it. */
  readonly profile: string;
  readonly maxTokens: number;
  /** Whether what could be longer than the profile's sequence is counted, or only what could be longer than the window. */
  readonly exact: boolean;
}

/** Tokens of a text. */
export type CountTokens = (text: string) => Promise<Result<number>>;

/** Measures samples, one after another. */
export class LengthMeter {
  #tooLong = 0;
  #over = 0;
  #longest = 0;
  readonly #within: (conversations: readonly (readonly Message[])[]) => Promise<Result<boolean[]>>;
  readonly #count: CountTokens;

  constructor(
    private readonly bounds: LengthBounds,
    private readonly renderer: Renderer,
    private readonly toolset: Toolset,
    count: CountTokens,
  ) {
    this.#count = withoutPrompt(renderer.toolPrompt(toolset.tools), count);
    this.#within = holdsConversations(renderer, toolset.tools, bounds.exact ? Math.min(bounds.maxTokens, bounds.window) : bounds.window, this.#count);
  }

  /** Takes a sample in. @returns its tokens where they are more than is surely held, else null */
  async see(messages: readonly Message[]): Promise<Result<number | null>> {
    const held = await this.#within([messages]);
    if (!held.ok) return held;
    if (held.value[0] === true) return ok(null);
    let longest = 0;
    for (const row of rowsOf(this.renderer, messages, this.toolset.tools)) {
      let tokens = 0;
      for (const { text } of row) {
        const counted = await this.#count(text);
        if (!counted.ok) return counted;
        tokens += counted.value;
      }
      longest = Math.max(longest, tokens);
    }
    if (longest > this.bounds.maxTokens) this.#over++;
    if (longest > this.bounds.window) this.#tooLong++;
    this.#longest = Math.max(this.#longest, longest);
    return ok(longest);
  }

  lengths(): Lengths {
    const { family, window, profile, maxTokens, exact } = this.bounds;
    return {
      family,
      window,
      too_long: this.#tooLong,
      profile,
      max_tokens: maxTokens,
      over_profile: exact ? this.#over : null,
      longest: this.#over === 0 ? null : this.#longest,
    };
  }
}

/** What every sample begins with is counted once; the last texts are remembered, as a sample that is counted is counted twice. */
function withoutPrompt(prompt: string, count: CountTokens): CountTokens {
  const known = new Map<string, number>();
  const counted = async (text: string): Promise<Result<number>> => {
    const before = known.get(text);
    if (before !== undefined) return ok(before);
    const tokens = await count(text);
    if (tokens.ok) {
      if (known.size >= REMEMBERED) for (const old of [...known.keys()].slice(0, REMEMBERED / 2)) if (old !== prompt) known.delete(old);
      known.set(text, tokens.value);
    }
    return tokens;
  };
  return async (text) => {
    if (text === prompt || !text.startsWith(prompt)) return counted(text);
    const [first, rest] = [await counted(prompt), await counted(text.slice(prompt.length))];
    return !first.ok ? first : !rest.ok ? rest : ok(first.value + rest.value);
  };
}

const REMEMBERED = 256;
