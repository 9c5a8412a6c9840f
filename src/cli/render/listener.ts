/** What every renderer of a run is: a listener, a way to say one line, an end. */
import type { RunEvent } from "../../engine/events.ts";

export interface RunRenderer {
  readonly onEvent: (event: RunEvent) => void;
  /** Shows one line now, whatever else is on the screen. */
  readonly say: (line: string) => void;
  /** Ends the display; afterwards the terminal may be written to. */
  readonly finish: () => Promise<void>;
}

/** What a renderer does with each kind of event; none can be forgotten. */
export type EventHandlers = { readonly [T in RunEvent["type"]]: (event: Extract<RunEvent, { type: T }>) => void };

export const dispatch = (handlers: EventHandlers, event: RunEvent): void => (handlers[event.type] as (event: RunEvent) => void)(event);
