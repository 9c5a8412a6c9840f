/** Chat templates in the styles of models' makers, and how each model is talked to. */
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { roundTrip } from "../../src/models/official/round-trip.ts";
import type { OfficialTemplate } from "../../src/models/official/template.ts";
import { type ChatFamily, createRenderer, type Renderer } from "../../src/models/render.ts";
import { packageRoot } from "../../src/platform/paths.ts";

const FOLDER = join(packageRoot(), "tests", "models", "fixtures", "official");
export const NAMED = { bos_token: "<|im_start|>", eos_token: "<|im_end|>" };

/** The text of a template, and what the names of tokens mean to it. */
export const official = (name: string): OfficialTemplate => ({ text: readFileSync(join(FOLDER, name), "utf8"), ...NAMED });

const special_tokens = ["<|im_start|>", "<|im_end|>", "<think>", "</think>"];
export const CHATML: ChatFamily = { template: "chatml.jinja", special_tokens };
export const ALOUD: ChatFamily = { template: "qwen3-thinking.jinja", special_tokens };

/** A family that is talked to by such a template, as the round trip says that it can be. */
export function officialFamily(name: string, family: ChatFamily = name === "thinking.jinja" ? ALOUD : CHATML): ChatFamily {
  const { rewrites, spacing } = roundTrip(official(name), family);
  return { ...family, official: { ...official(name), rewrites, spacing } };
}

export const officialRenderer = (name: string): Renderer => createRenderer(officialFamily(name));
