/** A line that a benchmark printed. */
export interface Figure {
  readonly name: string;
  readonly ours?: number;
  readonly value?: number;
  readonly peer?: number;
  readonly ratio?: number;
  readonly n?: number;
  readonly machine?: string;
}
export function figuresIn(text: string): Figure[];
export function tableOf(figures: readonly Figure[]): string;
export function comparisonOf(before: readonly Figure[], after: readonly Figure[]): string;
export function block(): string;
export function renewed(document: string): string;
