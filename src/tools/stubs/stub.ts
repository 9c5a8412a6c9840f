/** What a stub is: definitions as a server states them, and a pure function from a call to an answer. */
import type { JsonObject } from "../../platform/json.ts";

/** A tool as MCP's `tools/list` states it. */
export interface StubTool {
  readonly name: string;
  readonly title?: string;
  readonly description: string;
  readonly inputSchema: { readonly type: "object"; readonly [key: string]: unknown };
  readonly annotations?: {
    readonly readOnlyHint?: boolean;
    readonly destructiveHint?: boolean;
    readonly idempotentHint?: boolean;
    readonly openWorldHint?: boolean;
  };
}

export type StubContent = { readonly type: "text"; readonly text: string } | { readonly type: "image"; readonly data: string; readonly mimeType: string };

export interface StubAnswer {
  readonly content: readonly StubContent[];
  readonly isError?: boolean;
  /** True: the answer comes late (the stub's on-purpose timeout). */
  readonly late?: boolean;
}

export interface Stub {
  readonly name: string;
  readonly tools: readonly StubTool[];
  /** Answers one call whose arguments are already checked against the tool's schema. */
  call(name: string, args: JsonObject): StubAnswer;
}

export const text = (value: string): StubAnswer => ({ content: [{ type: "text", text: value }] });
export const failed = (message: string): StubAnswer => ({ content: [{ type: "text", text: message }], isError: true });
