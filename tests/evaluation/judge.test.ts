/** Accepted values, moves and answers, judged by rule. */
import { describe, expect, test } from "vitest";
import { problemsOfAnswer, problemsOfErrorAnswer } from "../../src/data/answers.ts";
import { matchCalls } from "../../src/evaluation/judge.ts";
import { isAccepted } from "../../src/evaluation/values.ts";
import type { JsonValue } from "../../src/platform/json.ts";

describe("a value is accepted", () => {
  test.each<[JsonValue, unknown[], boolean]>([
    ["paris", ["Paris"], true],
    ["St Louis", ["St. Louis"], true],
    ["Winston Salem", ["Winston-Salem"], true],
    ["Phoenix, Arizona", ["Phoenix", "Phoenix Arizona"], true],
    ["São Paulo", ["Sao Paulo"], false],
    ["Paris", [""], false],
    ["", [""], false],
    ["!", ["?"], false],
    ["/data/a_1.txt", ["/data/a-1.txt"], false],
    ["/Data/a.txt", ["/data/a.txt"], false],
    ["/data/a.txt", ["/data/a.txt"], true],
    ["2026-01-02", ["20260102"], false],
    ["ann@x.org", ["annx.org"], false],
    [5, [5.0], true],
    [5, ["5"], false],
    ["5", [5], false],
    [true, [true], true],
    [0, [false], false],
    [null, [null], true],
    [["A", "b"], [["a", "B"]], true],
    [["b", "a"], [["a", "b"]], false],
    [{ x: 1, y: "A" }, [{ y: "a", x: 1 }], true],
    [{ x: 1 }, [{ x: 1, y: 2 }], false],
  ])("%j of %j: %s", (value, accepted, right) => {
    expect(isAccepted(value, accepted)).toBe(right);
  });
});

describe("calls are compared with the expected ones", () => {
  const expected = [{ name: "f", arguments: { a: ["x"], b: [3, ""] } }];
  test.each([
    ["all right", [{ name: "f", arguments: { a: "X", b: 3 } }], true, 2, true],
    ["rightly left out", [{ name: "f", arguments: { a: "x" } }], true, 2, true],
    ["wrong value", [{ name: "f", arguments: { a: "x", b: 4 } }], true, 1, false],
    ["missing", [{ name: "f", arguments: { b: 3 } }], true, 1, false],
    ["extra", [{ name: "f", arguments: { a: "x", c: 1 } }], true, 2, false],
    ["wrong tool", [{ name: "g", arguments: { a: "x" } }], false, 0, false],
    ["no call", [], false, 0, false],
    [
      "one call too many",
      [
        { name: "f", arguments: { a: "x" } },
        { name: "f", arguments: { a: "x" } },
      ],
      true,
      2,
      false,
    ],
  ])("%s", (_, made, toolRight, slotsRight, exact) => {
    expect(matchCalls(made, expected)).toMatchObject({ toolRight, slotsDue: 2, slotsRight, exact });
  });

  test("in any order, each call counted once", () => {
    const two = [
      { name: "f", arguments: { a: ["x"] } },
      { name: "f", arguments: { a: ["y"] } },
    ];
    const made = (...values: string[]) => values.map((a) => ({ name: "f", arguments: { a } }));
    expect(matchCalls(made("y", "x"), two).exact).toBe(true);
    expect(matchCalls(made("x", "x"), two)).toMatchObject({ exact: false, slotsRight: 1 });
  });
});

describe("an answer to a result", () => {
  const result = '{"location":"Paris","temperature_c":18.4,"condition":"light rain","humidity":71,"wind_kph":9}';
  const given = ["How is Paris over the next 3 days?", '{"location":"Paris"}'];
  test.each([
    ["It is 18.4 °C with light rain in Paris.", 0],
    ["It's 18 degrees; humidity is at 71%.", 0],
    ["1. Light rain\n2. Wind of nine km/h", 0],
    ["It is nice in Paris.", 1],
    ["Light rain, and 25 °C.", 2],
    ["It is 18 °C with light rain, for 3 days.", 0],
    ["It is 18 °C with light rain, for 4 days.", 1],
  ])("%j", (answer, problems) => {
    expect(problemsOfAnswer(answer, { results: [result], given })).toHaveLength(problems);
  });

  test("may count a list and has to say when it is empty", () => {
    const list = '{"location":"Paris","alerts":[{"event":"flood watch"},{"event":"frost advisory"}]}';
    expect(problemsOfAnswer("There are 2 alerts: a flood watch and a frost advisory.", { results: [list], given })).toEqual([]);
    const empty = '{"location":"Paris","alerts":[]}';
    expect(problemsOfAnswer("There are no alerts for Paris.", { results: [empty], given })).toEqual([]);
    expect(problemsOfAnswer("Paris has alerts.", { results: [empty], given })).toHaveLength(1);
    expect(problemsOfAnswer("There are 3 alerts for Paris.", { results: [empty], given: ["Paris"] }).length).toBeGreaterThan(0);
  });

  test("is held against the result's own numbers, lists and times among them", () => {
    const result = '{"prices":[450,520,610],"left":[5,2000],"start":"2026-07-05T14:30:00Z","delta":-3}';
    const invented = (answer: string) => problemsOfAnswer(answer, { results: [result], given: [] }).filter((p) => p.includes("nowhere"));
    expect(invented("The prices are 450, 520 and 610; 5 and 2,000 are left, from 14:30, 3 less than before.")).toEqual([]);
    expect(invented("It is 450520610.")).toHaveLength(1);
    expect(problemsOfAnswer("Between 5 and 2,000 of them.", { results: ["from 5,2000 on"], given: [] })).toEqual([]);
  });

  test.each(["The issue has been created.", "No problem, the email has been sent!", "Done, the problem is solved: no more of it."])(
    "of success is none of failure: %s",
    (answer) => {
      expect(problemsOfErrorAnswer(answer, { results: ["Error: 403 Forbidden"], given })).toHaveLength(1);
    },
  );

  test.each([
    "There was a problem with the request.",
    "No results came back.",
    "I ran into an issue: access was denied.",
    "An issue occurred while creating it.",
  ])("of failure is told as one: %s", (answer) => {
    expect(problemsOfErrorAnswer(answer, { results: ["Error: 403 Forbidden"], given })).toEqual([]);
  });

  test("to a failure says that it failed", () => {
    const results = ['Unknown location: "Atlantis".'];
    expect(problemsOfErrorAnswer("I couldn\u2019t find Atlantis.", { results, given })).toEqual([]);
    expect(problemsOfErrorAnswer("The request timed out, please try again.", { results, given })).toEqual([]);
    expect(problemsOfErrorAnswer("Atlantis is sunny.", { results, given })).toHaveLength(1);
    expect(problemsOfErrorAnswer("Sorry, it failed, but it is 21 °C.", { results, given })).toHaveLength(1);
  });
});
