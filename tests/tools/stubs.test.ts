/** What the stubs answer: deterministic, plausible, and wrong on purpose where it is documented. */
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createFilesystem } from "../../src/tools/stubs/filesystem.ts";
import { FILESYSTEM_TOOLS } from "../../src/tools/stubs/filesystem-tools.ts";
import { globToRegExp } from "../../src/tools/stubs/memory-files.ts";
import { CITIES, lookUp, placeKey } from "../../src/tools/stubs/places.ts";
import { answerCall } from "../../src/tools/stubs/serve.ts";
import type { Stub } from "../../src/tools/stubs/stub.ts";
import { unifiedDiff } from "../../src/tools/stubs/unified-diff.ts";
import { weather } from "../../src/tools/stubs/weather.ts";

const say = (stub: Stub, name: string, args: Record<string, string | number | boolean | string[]>): string => {
  const part = stub.call(name, args).content[0];
  return part?.type === "text" ? part.text : "";
};

describe("weather", () => {
  it("answers the same for every way of writing a place", () => {
    const facts = (location: string) => ({ ...(JSON.parse(say(weather, "get_weather", { location })) as object), location: "" });
    for (const other of ["paris", " PARIS ", "Paris, France", "paris,france"]) expect(facts(other)).toEqual(facts("Paris"));
    expect(facts("Malmö")).toEqual(facts("Malmo, Sweden"));
    expect(facts("London, UK")).toEqual(facts("London"));
    expect(facts("Paris, Texas")).not.toEqual(facts("Paris"));
    // Written down, so that a change of the stub's answers is seen: training data depends on them.
    expect(say(weather, "get_weather", { location: "Paris" })).toBe(
      '{"location":"Paris","temperature_c":17,"condition":"clear sky","humidity":38,"wind_kph":26}',
    );
  });

  it("knows more than 300 cities once each, and any other place that could be one", () => {
    expect(CITIES.length).toBeGreaterThan(300);
    expect(new Set(CITIES.map((c) => placeKey(c.name))).size).toBe(CITIES.length);
    for (const { name, country } of CITIES) {
      expect(lookUp(name), name).toBeDefined();
      expect(lookUp(`${name}, ${country}`), name).toEqual(lookUp(name));
    }
    for (const name of [
      "Knysna",
      "Llanfairpwllgwyngyll",
      "Springfield, Illinois",
      "Val-d'Isère",
      "St. John's",
      "東京",
      "Москва",
      "Saint-Jean-de-Luz",
      "Area 51",
    ])
      expect(lookUp(name), name).toBeDefined();
  });

  it.each(["Atlantis", "gotham city", "Wakanda", "here", "my house", "the moon", "12345", "xqzrtpl", "", "???", "a", "<script>", "x".repeat(200)])(
    "does not know %j",
    (location) => {
      expect(weather.call("get_weather", { location })).toMatchObject({ isError: true });
    },
  );

  it("forecasts as many days as asked, three when not", () => {
    for (const [args, n] of [
      [{ location: "Oslo" }, 3],
      [{ location: "Oslo", days: 1 }, 1],
      [{ location: "Oslo", days: 14 }, 14],
    ] as const) {
      const answer = JSON.parse(say(weather, "get_forecast", args)) as { days: number; forecast: { day: number; high_c: number; low_c: number }[] };
      expect(answer.forecast.map((d) => d.day)).toEqual(Array.from({ length: n }, (_, i) => i + 1));
      for (const d of answer.forecast) expect(d.low_c).toBeLessThan(d.high_c);
    }
  });

  it("gives plausible values for any city", () => {
    for (const { name } of CITIES) {
      const w = JSON.parse(say(weather, "get_weather", { location: name })) as { temperature_c: number; humidity: number; wind_kph: number; condition: string };
      expect(w.temperature_c).toBeGreaterThan(-15);
      expect(w.temperature_c).toBeLessThan(45);
      if (/snow/.test(w.condition)) expect(w.temperature_c).toBeLessThan(3);
      const { alerts } = JSON.parse(say(weather, "get_alerts", { location: name })) as { alerts: { event: string }[] };
      expect(new Set(alerts.map((a) => a.event)).size).toBe(alerts.length);
    }
  });

  it("says what is wrong with arguments, and refuses a tool it does not have", async () => {
    expect(await answerCall(weather, "get_forecast", { location: "Oslo", days: 0 })).toMatchObject({
      isError: true,
      content: [{ text: "Invalid arguments for tool get_forecast: days must be >= 1" }],
    });
    expect(await answerCall(weather, "get_weather", {})).toMatchObject({ isError: true });
    await expect(answerCall(weather, "get_wether", {})).rejects.toThrow("not found");
  });
});

describe("filesystem", () => {
  it("has the public server's fourteen tools, and answers each", () => {
    expect(FILESYSTEM_TOOLS).toHaveLength(14);
    const stub = createFilesystem({ stateful: false });
    for (const tool of FILESYSTEM_TOOLS)
      expect(() =>
        stub.call(tool.name, { path: "/projects", paths: ["todo.txt"], edits: [], source: "a", destination: "b", pattern: "*", content: "" }),
      ).not.toThrow();
  });

  it("forgets changes from call to call, and keeps them when asked", () => {
    const forgetful = createFilesystem({ stateful: false });
    const keeping = createFilesystem({ stateful: true });
    for (const stub of [forgetful, keeping]) expect(say(stub, "write_file", { path: "new.txt", content: "hello" })).toBe("Successfully wrote to new.txt");
    expect(forgetful.call("read_text_file", { path: "new.txt" })).toMatchObject({ isError: true });
    expect(say(keeping, "read_text_file", { path: "/projects/new.txt" })).toBe("hello");
    expect(say(keeping, "move_file", { source: "notes", destination: "archive/notes" })).toContain("Successfully moved");
    expect(say(keeping, "read_text_file", { path: "archive/notes/ideas.md", head: 1 })).toBe("# Ideas");
    expect(say(keeping, "create_directory", { path: "a/b/c" })).toContain("Successfully created");
    expect(say(keeping, "list_directory", { path: "a" })).toBe("[DIR] b");
  });

  it("never leaves its folder", () => {
    const stub = createFilesystem({ stateful: true });
    for (const path of ["/etc/passwd", "../x", "/projects/../etc", "~/x", "/projectsx/y", "a/../../.."]) {
      expect(stub.call("read_text_file", { path }), path).toMatchObject({ isError: true, content: [{ text: expect.stringContaining("Access denied") }] });
    }
    fc.assert(
      fc.property(fc.array(fc.constantFrom("..", ".", "a", "/", "projects", "notes"), { maxLength: 8 }), (parts) => {
        const text = say(stub, "read_text_file", { path: parts.join("/") });
        expect(text).toMatch(/^(Access denied|ENOENT|EISDIR)/);
      }),
    );
  });

  it("lists, searches, edits and describes as the public server does", () => {
    const stub = createFilesystem({ stateful: false });
    expect(say(stub, "list_directory", { path: "/projects" }).split("\n")).toEqual([
      "[FILE] README.md",
      "[DIR] archive",
      "[FILE] budget.csv",
      "[DIR] logs",
      "[DIR] notes",
      "[DIR] reports",
      "[FILE] todo.txt",
      "[DIR] website",
    ]);
    expect(say(stub, "search_files", { path: "/projects", pattern: "**/*.json" })).toBe("/projects/website/src/config.json");
    expect(say(stub, "search_files", { path: "/projects", pattern: "*.exe" })).toBe("No matches found");
    expect(say(stub, "get_file_info", { path: "todo.txt" })).toMatch(/^size: 87\ncreated: /);
    expect(stub.call("read_media_file", { path: "website/images/logo.png" }).content[0]).toMatchObject({ type: "image", mimeType: "image/png" });
    expect(say(stub, "read_multiple_files", { paths: ["todo.txt", "nope"] })).toContain("\n---\nnope: Error - ENOENT");
    expect(JSON.parse(say(stub, "directory_tree", { path: "website/src" }))).toEqual([
      { name: "app.js", type: "file" },
      { name: "config.json", type: "file" },
    ]);
    expect(say(stub, "list_directory_with_sizes", { path: "reports", sortBy: "size" })).toContain("Total: 3 files, 0 directories");
  });

  it("matches globs as people write them", () => {
    const yes = [
      ["*.md", "a.md"],
      ["**/*.md", "a.md"],
      ["**/*.md", "x/y/a.md"],
      ["{a,b}.txt", "b.txt"],
      ["[ab]?.c", "ax.c"],
      ["a.b", "a.b"],
    ];
    const no = [
      ["*.md", "x/a.md"],
      ["a.b", "aXb"],
      ["*", "a/b"],
      ["[!a].c", "a.c"],
    ];
    for (const [glob, path] of yes) expect(globToRegExp(String(glob)).test(String(path)), `${glob} ${path}`).toBe(true);
    for (const [glob, path] of no) expect(globToRegExp(String(glob)).test(String(path)), `${glob} ${path}`).toBe(false);
    fc.assert(fc.property(fc.string(), (glob) => globToRegExp(glob) instanceof RegExp));
  });

  it("writes a diff that says the change and nothing else", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 }), fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 }), (before, after) => {
        const text = (l: string[]) => (l.length === 0 ? "" : `${l.join("\n")}\n`);
        const body = unifiedDiff("/x", text(before), text(after)).split("\n").slice(5, -1);
        const kept = body.filter((l) => !l.startsWith("+")).map((l) => l.slice(1));
        const made = body.filter((l) => !l.startsWith("-")).map((l) => l.slice(1));
        expect(text(before)).toContain(text(kept));
        expect(text(after)).toContain(text(made));
        expect(text(before).replace(text(kept), "").length).toBe(text(after).length - text(made).length);
      }),
    );
  });
});
