/** `plan --refresh` and `apply --refresh`: a real server whose tools change while the recipe does not. */
import { afterEach, beforeEach, expect, it } from "vitest";
import { World } from "./support/forge.ts";

let world: World;
beforeEach(() => {
  world = new World();
});
afterEach(() => world.remove());

/** A server that offers what `tools.json` beside it says, asked anew each time. */
const SERVER = `
import { readFileSync } from "node:fs";
import { createInterface } from "node:readline";
const results = {
  initialize: () => ({ protocolVersion: "2025-06-18", capabilities: { tools: {} }, serverInfo: { name: "s", version: "1" } }),
  "tools/list": () => ({ tools: JSON.parse(readFileSync("offered.json", "utf8")) }),
};
createInterface({ input: process.stdin }).on("line", (line) => {
  const m = JSON.parse(line);
  if (results[m.method]) console.log(JSON.stringify({ jsonrpc: "2.0", id: m.id, result: results[m.method]() }));
});
`;
const RECIPE = `version: 1\nname: x\ntools:\n  - mcp: { command: ${JSON.stringify(process.execPath)}, args: [server.mjs] }\n`;
const tool = (name: string, description: string, parameter = "city") => ({
  name,
  description,
  inputSchema: { type: "object", properties: { [parameter]: { type: "string" } } },
});

it("says which tool changed in what, and only an apply that asks again takes it over", async () => {
  world.write("server.mjs", SERVER);
  world.write("forge.yaml", RECIPE);
  world.write("offered.json", JSON.stringify([tool("get_alerts", "Alerts"), tool("get_forecast", "Forecast"), tool("old", "Goes")]));
  expect((await world.run(["apply", "--until", "inspect"])).code).toBe(0);
  const same = await world.run(["plan", "--until", "inspect", "--refresh"]);
  expect([same.code, same.err]).toEqual([0, ""]);
  world.write("offered.json", JSON.stringify([tool("get_alerts", "Alerts now"), tool("get_forecast", "Forecast", "place"), tool("fresh", "New")]));
  expect((await world.run(["plan", "--until", "inspect"])).code).toBe(0);
  const changed = await world.run(["plan", "--until", "generate", "--refresh", "--json"]);
  expect(changed.code).toBe(2);
  const { nodes } = JSON.parse(changed.out) as { nodes: { id: string; status: string; reasons: string[] }[] };
  expect(nodes[0]).toMatchObject({
    id: "inspect",
    status: "run",
    reasons: ["tools/old: gone", "tools/fresh: new", "tools/get_alerts: description changed", "tools/get_forecast: parameters changed"],
  });
  expect((await world.run(["apply", "--until", "inspect"])).out).not.toContain("inspect: started");
  const asked = await world.run(["apply", "--until", "inspect", "--refresh"]);
  expect(asked.out).toMatch(/inspect: started.*asked again[\s\S]*3 tools: get_alerts, get_forecast, fresh/);
  expect((await world.run(["plan", "--until", "inspect", "--refresh"])).code).toBe(0);
  expect(world.processes()).toEqual([]);
});

it("fails as inspect would where the server does not start, and writes nothing", async () => {
  world.write("server.mjs", SERVER);
  world.write("forge.yaml", RECIPE);
  world.write("offered.json", JSON.stringify([tool("ping", "Answers")]));
  await world.run(["apply", "--until", "inspect"]);
  world.write("server.mjs", "process.exit(3)");
  const ended = await world.run(["plan", "--refresh"]);
  expect(ended.out).toBe("");
  expect(ended.err).toContain("server");
  expect(ended.code).not.toBe(0);
});
