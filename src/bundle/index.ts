/** Agent Bundles: write, check and try one. */
export { packBundle } from "./pack.ts";
export { openChat, tryBundle } from "./try.ts";
export type { BundleCheck, FigureRow, PackInput, PackOutcome, RecordedCase, TryOutcome, VerifyOutcome } from "./types.ts";
export { verifyBundle } from "./verify.ts";
