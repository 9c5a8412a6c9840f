/**
 * Tests: `npm test` runs the project `fast` (the whole suite in minutes on two cores); `npm run test:slow`
 * the project `slow`, which trains and exports for real. What they import from schemas/ is generated first.
 */
import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: ["tests/support/global-setup.ts"],
    // Each file in a process of its own: tests change the environment and start children.
    pool: "forks",
    // Training uses every core: of the slow files one at a time.
    maxWorkers: process.env.FORGE_SLOW ? 1 : 2,
    projects: [
      { extends: true, test: { name: "fast", include: ["tests/**/*.test.ts"], exclude: ["tests/slow/**"], testTimeout: 60_000, hookTimeout: 120_000 } },
      {
        extends: true,
        test: { name: "slow", include: process.env.FORGE_SLOW ? ["tests/slow/**/*.slow.test.ts"] : [], testTimeout: 1_800_000, hookTimeout: 600_000 },
      },
    ],
  },
});
