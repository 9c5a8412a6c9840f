/**
 * Toolsets for the data tests: the stubs' own definitions, and made-up ones whose schemas hold what foreign tools hold (enums, flags as
 * strings, formats announced in prose, bounds, arrays, nested objects, `anyOf`, no parameters at all). And a session on the stubs, in this process.
 */
import type { CallPort, ToolDefinition, Toolset } from "../../src/data/types.ts";
import { ok } from "../../src/platform/result.ts";
import { createFilesystem } from "../../src/tools/stubs/filesystem.ts";
import type { Stub } from "../../src/tools/stubs/stub.ts";
import { weather } from "../../src/tools/stubs/weather.ts";

export const toolset = (tools: readonly Pick<ToolDefinition, "name" | "description" | "input_schema" | "annotations">[]): Toolset => ({
  version: 1,
  hash: `sha256:${"0".repeat(64)}`,
  tools: tools.map((t) => ({ ...t, source: "stub", origin: "stub:test" })),
});

const ofStub = (stub: Stub): Toolset =>
  toolset(
    stub.tools.map((t) => ({
      name: t.name,
      description: t.description,
      input_schema: t.inputSchema,
      ...(t.annotations ? { annotations: { ...t.annotations } } : {}),
    })),
  );

/** The stub answered in this process: the code that runs behind the real server. */
export const sessionOn = (stub: Stub): CallPort & { readonly calls: string[] } => {
  const calls: string[] = [];
  return {
    calls,
    canExecute: (name) => stub.tools.some((t) => t.name === name),
    call: async (name, args) => {
      calls.push(`${name} ${JSON.stringify(args)}`);
      const answer = stub.call(name, args);
      return {
        text: answer.content.map((c) => ("text" in c ? String(c.text) : "")).join("\n"),
        isError: answer.isError === true,
        timedOut: answer.late === true,
        executed: true,
      };
    },
  };
};

export const weatherStub = weather;
export const weatherSet = ofStub(weather);
export const filesystemStub = (): Stub => createFilesystem({ stateful: false });
export const filesystemSet = ofStub(filesystemStub());

const object = (properties: Record<string, object>, required: string[] = []) => ({ type: "object", properties, required });

export const calendarSet = toolset([
  {
    name: "create_event",
    description: "Creates a new event in the user's calendar.",
    input_schema: object(
      {
        title: { type: "string", description: "Title of the event." },
        date: { type: "string", format: "date", description: "Day of the event, YYYY-MM-DD." },
        start_time: { type: "string", description: "Start time in the format HH:MM (24 hours)." },
        attendees: { type: "array", items: { type: "string" }, maxItems: 5, description: "Names of the people to invite." },
        all_day: { type: "boolean", default: false, description: "Whether the event lasts all day." },
      },
      ["title", "date"],
    ),
  },
  {
    name: "list_events",
    description: "List the events of the calendar between two dates, optionally filtered by category.",
    input_schema: object(
      {
        from_date: { type: "string", description: "First day in the format YYYY-MM-DD." },
        to_date: { type: "string", description: "Last day in the format YYYY-MM-DD." },
        category: { type: "string", enum: ["work", "family", "health", "any"], default: "any", description: "Category of the events." },
        limit: { type: "integer", minimum: 1, maximum: 50, default: 10, description: "Maximum number of events to return." },
      },
      ["from_date", "to_date"],
    ),
  },
  {
    name: "delete_event",
    description: "Deletes an event from the calendar.",
    input_schema: object(
      { event_id: { type: "string", description: "Unique identifier of the event." }, notify: { type: "boolean", description: "Tell the attendees." } },
      ["event_id"],
    ),
  },
]);

export const shopSet = toolset([
  {
    name: "SearchProducts",
    description: "Search for products in the catalogue by category, with filters for color and price.",
    input_schema: object(
      {
        category: { type: "string", enum: ["Shoes", "Coats", "Hats", "dontcare"], description: "Category of the product." },
        color: { type: "string", description: "Color of the product, such as 'red' or 'blue'." },
        max_price: { type: "number", minimum: 1, maximum: 500, description: "Highest price in US dollars." },
        in_stock: { type: "string", enum: ["True", "False", "dontcare"], default: "dontcare", description: "Whether the product has to be in stock." },
      },
      ["category"],
    ),
  },
  {
    name: "order_status_check",
    description: "Check the current status of an order by its number.",
    input_schema: object({ order_id: { type: "string", description: "The unique identifier of the order." } }, ["order_id"]),
  },
  {
    name: "update_address",
    description: "Updates the delivery address of a customer.",
    input_schema: object(
      {
        customer: { type: "string", description: "Name of the customer." },
        address: object({ street: { type: "string" }, city: { type: "string" } }, ["street", "city"]),
      },
      ["customer", "address"],
    ),
  },
]);

export const homeSet = toolset([
  {
    name: "set_thermostat",
    description: "Sets the temperature of the thermostat in a room.",
    input_schema: object(
      {
        room: { type: "string", enum: ["kitchen", "bedroom", "living room"], description: "Room of the thermostat." },
        celsius: { type: "number", minimum: 5, maximum: 30, description: "Target temperature." },
      },
      ["room", "celsius"],
    ),
  },
  {
    name: "run_timer",
    description: "Runs a timer for a number of seconds.",
    input_schema: object(
      {
        duration: { type: "integer", minimum: 1, maximum: 86400, description: "Duration of the timer in seconds." },
        label: { anyOf: [{ type: "string" }, { type: "null" }], description: "What the timer is for." },
      },
      ["duration"],
    ),
  },
  { name: "list_devices", description: "Lists all devices in the house.", input_schema: object({}) },
]);

export const trackerSet = toolset([
  {
    name: "github.search_issues",
    description: "Search issues of a repository by text and labels.",
    input_schema: object(
      {
        query: { type: "string", minLength: 1, description: "Text to look for." },
        repo: { type: "string", description: "Name of the repository." },
        labels: {
          type: "array",
          items: { type: "string", enum: ["bug", "docs", "question"] },
          uniqueItems: true,
          description: "Labels that an issue must have.",
        },
        state: { type: "string", enum: ["open", "closed"], default: "open", description: "State of the issues." },
      },
      ["query"],
    ),
  },
  {
    name: "assign_issue",
    description: "Assigns an issue to a person.",
    input_schema: object(
      {
        issue_number: { type: "integer", minimum: 1, maximum: 99999, description: "Number of the issue." },
        assignee: { type: "string", description: "Name of the person." },
      },
      ["issue_number", "assignee"],
    ),
  },
  {
    name: "send_reminder",
    description: "Send a reminder e-mail to a person.",
    input_schema: object(
      {
        to: { type: "string", format: "email", description: "E-mail address of the recipient." },
        message: { type: "string", maxLength: 200, description: "Text of the reminder." },
      },
      ["to", "message"],
    ),
  },
]);

export const ALL: readonly (readonly [string, Toolset])[] = [
  ["weather", weatherSet],
  ["filesystem", filesystemSet],
  ["calendar", calendarSet],
  ["shop", shopSet],
  ["home", homeSet],
  ["tracker", trackerSet],
];

export const WEIGHTS = { standard: 0.6, no_tool: 0.15, error: 0.1, ambiguous: 0.1, edge: 0.05 } as const;

/** Stands for the base model: a different answer to each question, none of them blank. */
export const answerPlain = async (questions: string[]) => ok(questions.map((q) => `A plain answer to: ${q}`));
