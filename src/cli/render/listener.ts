/** What every renderer of a run is: a listener, a way to say one line, an end. */
import type { RunEvent } from "../../engine/events.ts";
import { safeText } from "../../platform/redact.ts";

export interface RunRenderer {
  readonly onEvent: (event: RunEvent) => void;
  /** Shows one line now, whatever else is on the screen. */
  readonly say: (line: string) => void;
  /** Ends the display; afterwards the terminal may be written to. */
  readonly finish: () => Promise<void>;
}

/** What a renderer does with each kind of event; none can be forgotten. */
export type EventHandlers = { readonly [T in RunEvent["type"]]: (event: Extract<RunEvent, { type: T }>) => void };

/** Hands an event to its handler, its texts made fit for a terminal: a tool server's words may be among them. */
export const dispatch = (handlers: EventHandlers, event: RunEvent): void => (handlers[event.type] as (event: RunEvent) => void)(presentable(event) as RunEvent);

function presentable(value: unknown): unknown {
  if (typeof value === "string") return safeText(value);
  if (Array.isArray(value)) return value.map(presentable);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, presentable(member)]));
}
