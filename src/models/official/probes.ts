/** What a chat template is tried with: conversations and tools in which every word stands for itself, so that it is seen whether it comes through. */
import type { Message } from "../../schemas/generated/sample.ts";
import type { RenderedTool } from "../rendering.ts";

/** A word that is in no template; nothing changes it, neither trimming nor writing in small letters. */
export const word = (name: string): string => `zq${name}qz`;

/** Two tools, one with lists, nested objects, a choice, a bound and a reference in its schema. */
export const TOOLS: readonly RenderedTool[] = [
  {
    name: word("first"),
    description: `${word("firsttells")} of a "place", with a \\ and a line\nbreak.`,
    input_schema: {
      type: "object",
      properties: {
        [word("place")]: { type: "string", description: word("placetells"), enum: [word("oslo"), word("bergen")] },
        [word("days")]: { type: "integer", minimum: 1, maximum: 14159 },
      },
      required: [word("place")],
    },
  },
  {
    name: word("second"),
    description: word("secondtells"),
    input_schema: {
      type: "object",
      properties: {
        [word("order")]: {
          type: "object",
          properties: { [word("lines")]: { type: "array", items: { $ref: `#/definitions/${word("line")}` } } },
          required: [word("lines")],
        },
      },
      definitions: { [word("line")]: { type: "object", properties: { [word("count")]: { type: ["integer", "null"], default: 31415 } } } },
    },
  },
];

/** Arguments that are hard to carry: nested, empty, true and null, numbers, quotes, line breaks, other alphabets, what looks like markup. */
const ARGUMENTS: readonly object[] = [
  { [word("place")]: word("oslo"), [word("days")]: 3 },
  {
    [word("order")]: { [word("lines")]: [{ [word("count")]: 27182 }, { [word("count")]: null }], note: `“${word("note")}”\n\t"a\\b" 日本 <b> {{ x }} {% y %}` },
  },
  {},
  { a: true, b: [], c: {}, d: -1.5, e: "" },
];

const call = (tool: number, args: number) => ({
  id: `call${tool}${args}abc`,
  type: "function" as const,
  function: { name: TOOLS[tool]?.name ?? "", arguments: JSON.stringify(ARGUMENTS[args]) },
});

export const system = (content = word("system")): Message => ({ role: "system", content });
export const user = (name: string): Message => ({ role: "user", content: word(name) });
export const says = (name: string): Message => ({ role: "assistant", content: word(name) });
export const thinks = (thought: string, m: Message): Message => (m.role === "assistant" ? { ...m, reasoning_content: word(thought) } : m);
export const calls = (...made: readonly (readonly [tool: number, args: number])[]): Message => ({
  role: "assistant",
  content: null,
  tool_calls: made.map(([tool, args]) => call(tool, args)) as never,
});
export const beside = (name: string, m: Message): Message => ({ ...m, content: word(name) }) as Message;
export const result = (content: string): Message => ({ role: "tool", content, tool_call_id: "call00abc" });

/** Results as servers give them: JSON of several lines, an error, nothing but a number, markup. */
export const RESULTS: readonly string[] = [
  `{"${word("r1")}": [1, 2.50, "a\\nb"],\n  "c": null}`,
  `Error: ${word("r2")} is not "known"; try again.\nTraceback: <none>`,
  `${word("r3")} {{ user }} {% if %} 日本 é`,
];

/** Two requests, with everything that forge's samples have; each message has a word of its own. */
export const LONG: readonly Message[] = [
  system(),
  user("u1"),
  calls([0, 0]),
  result(RESULTS[0] as string),
  beside("w1", calls([1, 1], [0, 2])),
  result(RESULTS[1] as string),
  result(RESULTS[2] as string),
  says("a1"),
  user("u2"),
  says("a2"),
  user("u3"),
  calls([1, 3]),
  result(word("r4")),
  says("a3"),
];

/** The same with a thought before whatever the assistant writes, but one time. */
export const THOUGHTFUL: readonly Message[] = LONG.map((m, i) => (i === 9 ? m : thinks(`t${i}`, m)));

/** Talk without tools, with and without the system's words: what a template of ours has to write as the model's own does. */
export const PLAIN = {
  system: [
    [system(), user("u1")],
    [system(), user("u1"), says("a1"), user("u2")],
  ],
  none: [[user("u1")], [user("u1"), says("a1"), user("u2")]],
} as const satisfies Record<string, readonly (readonly Message[])[]>;
