/**
 * The server of http.yaml: the official SDK's streamable HTTP server on the loopback interface. It asks for the key
 * in DEMO_TOKEN with every request, prints its address once it listens, and ends when its stdin is closed or it is
 * told to. PORT chooses the port (8931; 0 takes a free one).
 */
import { createServer } from "node:http";
import { Server } from "@modelcontextprotocol/sdk/server/index.js";
import { StreamableHTTPServerTransport } from "@modelcontextprotocol/sdk/server/streamableHttp.js";
import { CallToolRequestSchema, ListToolsRequestSchema } from "@modelcontextprotocol/sdk/types.js";

const key = process.env.DEMO_TOKEN;
if (!key) {
  console.error("set DEMO_TOKEN to a key of your choice");
  process.exit(6);
}

const METRES = { mm: 0.001, cm: 0.01, m: 1, km: 1000, inch: 0.0254, foot: 0.3048, mile: 1609.344 };
const length = (description) => ({ type: "string", enum: Object.keys(METRES), description });
const annotations = { readOnlyHint: true };
const tools = [
  {
    name: "convert_length",
    description: "Convert a length from one unit to another.",
    inputSchema: {
      type: "object",
      properties: {
        value: { type: "number", minimum: 0, description: "The length, e.g. 12." },
        from_unit: length("Unit of the length, e.g. 'mile'."),
        to_unit: length("Unit to convert it to, e.g. 'km'."),
      },
      required: ["value", "from_unit", "to_unit"],
    },
    annotations,
  },
  {
    name: "convert_temperature",
    description: "Convert a temperature between Celsius and Fahrenheit.",
    inputSchema: {
      type: "object",
      properties: {
        degrees: { type: "number", minimum: -273, maximum: 5000, description: "The temperature, e.g. 21." },
        to_scale: { type: "string", enum: ["celsius", "fahrenheit"], description: "The scale to convert it to." },
      },
      required: ["degrees", "to_scale"],
    },
    annotations,
  },
];

const rounded = (n) => Number(n.toFixed(3));

function answer({ name, arguments: a = {} }) {
  const say = (value) => ({ content: [{ type: "text", text: JSON.stringify(value) }] });
  const complain = (text) => ({ content: [{ type: "text", text }], isError: true });
  if (name === "convert_length") {
    if (!(a.value >= 0) || !Object.hasOwn(METRES, a.from_unit) || !Object.hasOwn(METRES, a.to_unit)) return complain("Give a value and two units.");
    return say({ result: rounded((a.value * METRES[a.from_unit]) / METRES[a.to_unit]), unit: a.to_unit });
  }
  if (name === "convert_temperature") {
    if (typeof a.degrees !== "number") return complain("Give the degrees.");
    return say({ result: rounded(a.to_scale === "celsius" ? ((a.degrees - 32) * 5) / 9 : (a.degrees * 9) / 5 + 32), scale: a.to_scale });
  }
  return complain(`Tool ${name} not found`);
}

/** Without sessions: every request has a server of its own. */
async function handle(req, res) {
  if (req.headers.authorization !== `Bearer ${key}`) return res.writeHead(401).end();
  if (req.method !== "POST") return res.writeHead(405, { allow: "POST" }).end();
  const server = new Server({ name: "units", version: "1" }, { capabilities: { tools: {} } });
  server.setRequestHandler(ListToolsRequestSchema, () => ({ tools }));
  server.setRequestHandler(CallToolRequestSchema, (request) => answer(request.params));
  const transport = new StreamableHTTPServerTransport({ sessionIdGenerator: undefined });
  res.on("close", () => void server.close());
  await server.connect(transport);
  await transport.handleRequest(req, res);
}

const http = createServer((req, res) => void handle(req, res).catch(() => res.destroy()));
http.listen(Number(process.env.PORT ?? 8931), "127.0.0.1", () => console.log(`http://127.0.0.1:${http.address().port}/mcp`));
if (!process.stdin.isTTY) process.stdin.resume().on("end", () => process.exit(0));
