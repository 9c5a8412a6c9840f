/** The chain of single steps on the smallest family: every file that one step writes is what the next one reads. */
import { it } from "vitest";
import { stepsChain } from "../e2e/support/steps-chain.ts";

it("goes from a stub's tools to a bundle, file by file, and leaves nothing else", () => stepsChain("nano", 3e6), 300_000);
