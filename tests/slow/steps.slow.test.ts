/** The chain of single steps on the default family (steps-nano.slow.test.ts takes the smallest). */
import { it } from "vitest";
import { stepsChain } from "../e2e/support/steps-chain.ts";

it("goes from a stub's tools to a bundle, file by file, and leaves nothing else", () => stepsChain("smollm2", 100e6));
