/**
 * What hosted models cost, for budgets and reports: US dollars a million tokens. Prices change; a recipe's
 * `price_usd` comes before this table, and a model that is in neither has no known price.
 */

export interface Price {
  /** US dollars a million tokens read. */
  readonly input: number;
  /** US dollars a million tokens written. */
  readonly output: number;
}

/** OpenAI's list prices without caching or batches (platform.openai.com/docs/pricing, 2025). Dated names cost what their family costs. */
const PRICES: Readonly<Record<string, Price>> = {
  "gpt-4o": { input: 2.5, output: 10 },
  "gpt-4o-mini": { input: 0.15, output: 0.6 },
  "gpt-4.1": { input: 2, output: 8 },
  "gpt-4.1-mini": { input: 0.4, output: 1.6 },
  "gpt-4.1-nano": { input: 0.1, output: 0.4 },
};

/** The price of a model of OpenAI's, also under a dated name (`gpt-4o-2024-08-06`). */
export const listPrice = (model: string): Price | undefined => PRICES[model.replace(/-\d{4}-\d{2}-\d{2}$/, "")];

export const costOf = (price: Price, tokens: { readonly input: number; readonly output: number }): number =>
  (tokens.input * price.input + tokens.output * price.output) / 1e6;
