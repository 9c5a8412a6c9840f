/** What a mention is, and the small notation that the tables of mentions are written in. */

/** `X` in a text is the value as said, `Xs` (at `object` only) its plural. */
export interface Mention {
  readonly text: string;
  /** `after` the object; `before` it as an adjective; `first` in the sentence; `alone` as a sentence of its own; `object` stands for the object itself. */
  readonly at: "after" | "before" | "first" | "alone" | "object";
  readonly weight: number;
}

export const after = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "after", weight: weight / texts.length }));
export const alone = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "alone", weight: weight / texts.length }));
export const first = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "first", weight: weight / texts.length }));
export const before = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "before", weight: weight / texts.length }));
export const object = (weight: number, ...texts: string[]): Mention[] => texts.map((text) => ({ text, at: "object", weight: weight / texts.length }));

/** First letter in upper case. */
export const cap = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1);
