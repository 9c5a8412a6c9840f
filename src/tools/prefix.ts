/**
 * A source whose tools carry a prefix: the model, the policy and every file see the long names; the source itself is
 * asked by its own.
 */
import { err, ok, type Result } from "../platform/result.ts";
import { badToolName } from "./failures.ts";
import { NAME } from "./toolset.ts";
import type { OpenSource } from "./types.ts";

/** The same source under longer names. Fails (and closes the source) when a name becomes none. */
export async function withPrefix(source: OpenSource, prefix: string, origin: string): Promise<Result<OpenSource>> {
  const wrong = source.tools.find((t) => !NAME.test(prefix + t.name));
  if (wrong !== undefined) {
    await source.close();
    return err(badToolName(origin, prefix + wrong.name));
  }
  return ok({
    ...source,
    tools: source.tools.map((t) => ({ ...t, name: prefix + t.name })),
    call: (name, args, c) => source.call(name.slice(prefix.length), args, c),
  });
}
