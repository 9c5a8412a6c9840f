/** What the builtin teacher reads off a tool definition: the types that its modules share. */
import type { Property } from "../../schema.ts";
import type { ToolDefinition } from "../../types.ts";
import type { Role } from "./roles.ts";
import type { VerbClass } from "./verbs.ts";

export interface Param {
  readonly property: Property;
  readonly role: Role;
}

/** A tool as its definition reads, before knowledge of its domain is added. */
export interface ToolReading {
  readonly tool: ToolDefinition;
  readonly verb: string;
  readonly cls: VerbClass;
  /** Bare noun phrases for the object (no article), most telling first; at least one. */
  readonly objects: readonly string[];
  /** What follows the object in the name: `with sizes`, `by interval`; empty when nothing does. */
  readonly qualifier: string;
  /** Words of name and description that tell the tool from others. */
  readonly vocabulary: ReadonlySet<string>;
  readonly params: readonly Param[];
}
