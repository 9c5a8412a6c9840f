/** Accepted values, moves and answers, judged by rule. */
import { describe, expect, test } from "vitest";
import { problemsOfAnswer, problemsOfErrorAnswer } from "../../src/data/answers.ts";
import { judge, matchCalls, rightAtFirst, type Transcript } from "../../src/evaluation/judge.ts";
import { isAccepted } from "../../src/evaluation/values.ts";
import type { JsonValue } from "../../src/platform/json.ts";
import type { EvaluationCase } from "../../src/schemas/generated/case.ts";
import type { LoopRecord } from "../../src/schemas/generated/loop-record.ts";

describe("a value is accepted", () => {
  test.each<[JsonValue, unknown[], boolean]>([
    ["paris", ["Paris"], true],
    ["St Louis", ["St. Louis"], true],
    ["Winston Salem", ["Winston-Salem"], true],
    ["Phoenix, Arizona", ["Phoenix", "Phoenix Arizona"], true],
    ["São Paulo", ["Sao Paulo"], false],
    ["Paris", [""], false],
    ["", [""], true],
    ["", ["x", ""], true],
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
    // Of members the leaderboard lists what is accepted.
    [{ city: "paris" }, [{ city: ["Paris"], state: ["TX", ""] }], true],
    [{ city: "Oslo" }, [{ city: ["Paris"] }], false],
    [{ tags: ["a"] }, [{ tags: ["a"] }], true],
    [{ tags: ["a"] }, [{ tags: [["b"], ["A"]] }], true],
    [{ state: "TX" }, [{ city: ["Paris"], state: ["TX"] }], false],
    // In a sentence too, words whose marks carry meaning are compared as they are.
    ["1.5 kg", ["15 kg"], false],
    ["-5 degrees", ["5 degrees"], false],
    ["33.8688, 151.2093", ["33.8688, -151.2093"], false],
    ["12 / 4", ["12 * 4"], false],
    ["10:30 12/5", ["10:30 1/25"], false],
    ["My Documents/report2.TXT", ["my documents/Report 2.txt"], false],
    ["C", ["C#"], false],
    ["A-", ["A"], false],
    ["a job in C# in Oslo", ["A job in C in Oslo"], false],
    ["12 Main St., Lot 5", ["12 Main St, Lot 5."], true],
    ["10,000 steps", ["10000 steps"], true],
    ["2-bedroom flat", ["2 bedroom flat"], true],
    ["COVID-19 vaccine (adult)", ["covid 19 vaccine adult"], true],
    ["U.S. and/or Canada", ["US and or Canada"], true],
    ["Dentist at 3:00 PM", ["dentist at 3:00pm"], true],
    ["Email Bob@x.com today", ["email bob@x.com today"], true],
    ["raise by 10 %", ["raise by 10%"], true],
    ["below 20 °C", ["below 20°C"], true],
    ["Read “1984”", ['Read "1984"'], true],
    ["2024’s best films", ["2024's best films"], true],
    ["pages 3–5", ["pages 3-5"], true],
    ["the 5-year-old child", ["the 5 year old child"], true],
    ["F-16 jets", ["F 16 jets"], true],
    ["open 9:00-17:00 daily", ["open 9:00 - 17:00 daily"], true],
    ["numbers 3,4,5", ["numbers 3, 4, 5"], true],
    ["on July 5,2026", ["on July 5, 2026"], true],
    ["* milk\n* eggs", ["milk, eggs"], true],
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
    // What was made counts for what it fits, whichever is due first.
    expect(matchCalls(made("y"), two)).toMatchObject({ exact: false, slotsDue: 2, slotsRight: 1, slips: [] });
    const either = [
      { name: "f", arguments: { a: ["x", "y"] } },
      { name: "f", arguments: { a: ["x"] } },
    ];
    expect(matchCalls(made("x", "y"), either).exact).toBe(true);
  });

  test("of any number, in time", () => {
    const due = Array.from({ length: 40 }, (_, i) => ({ name: "f", arguments: { a: [`v${i}`] } }));
    const made = due.map((d) => ({ name: "f", arguments: { a: d.arguments.a[0] as string } })).reverse();
    expect(matchCalls(made, due)).toMatchObject({ exact: true, slotsRight: 40 });
  });
});

describe("an error loop", () => {
  const base = { wording: null, scenario: "error", kind: "x", tool_name: "f", frame: "f" } as const;
  const loop = (results: [text: string, error: boolean][], answer: string, fault?: EvaluationCase["fault"]) => {
    const steps = results.map(([text, is_error]) => ({
      output: "",
      calls: [{ name: "f", arguments: {} }],
      attempted: true,
      conforming: 1,
      results: [{ text, is_error, timed_out: false, origin: "fault" }],
    }));
    const found = { id: "a", messages: [{ role: "user", content: "weather?" }], expect: [{ name: "f", arguments: {} }], ...(fault ? { fault } : {}) };
    const transcript = {
      ...base,
      id: "a",
      steps: [...steps, { output: answer, calls: [], attempted: false, results: [] }],
      calls: steps.flatMap((x) => x.calls),
      ended: "answer",
      answer,
    };
    return judge({ first_turn_only: false, ...transcript } as unknown as Transcript, found as EvaluationCase).judgement;
  };
  const empty = { kind: "empty", text: '{"alerts":[]}' } as const;
  test.each<[string, [string, boolean][], string, EvaluationCase["fault"], boolean]>([
    ["told", [["503", true]], "The service failed.", { kind: "error", text: "503" }, true],
    ["hidden", [["503", true]], "It is sunny.", { kind: "error", text: "503" }, false],
    ["called success", [["503", true]], "The file was saved without errors.", { kind: "error", text: "503" }, false],
    ["nothing found, said so", [[empty.text, false]], "There are no storm warnings for Oslo.", empty, true],
    ["nothing found, as a failure", [[empty.text, false]], "I could not find any alerts.", empty, true],
    ["nothing found, made up", [[empty.text, false]], "Oslo has a storm warning.", empty, false],
    [
      "tried again and told",
      [
        ["503", true],
        ['{"temperature":12}', false],
      ],
      "It is 12 degrees in Oslo.",
      undefined,
      true,
    ],
    [
      "tried again and made up",
      [
        ["503", true],
        ['{"temperature":12}', false],
      ],
      "It is 15 degrees in Oslo.",
      undefined,
      false,
    ],
    [
      "tried again, failed again",
      [
        ["503", true],
        ["503", true],
      ],
      "It is 12 degrees in Oslo.",
      undefined,
      false,
    ],
  ])("%s", (_, results, answer, fault, handled) => {
    expect(loop(results, answer, fault)).toMatchObject({ error_loop: true, error_handled: handled });
  });
});

test("a case that ends in a result is judged by the answer to it", () => {
  const found = {
    id: "a",
    expect: null,
    messages: [
      { role: "user", content: "weather?" },
      { role: "assistant", content: null, tool_calls: [{ id: "1", type: "function", function: { name: "f", arguments: "{}" } }] },
      { role: "tool", content: '{"temperature":12}', tool_call_id: "1" },
    ],
  } as unknown as EvaluationCase;
  const of = (answer: string) =>
    judge(
      {
        id: "a",
        steps: [{ output: answer, calls: [], attempted: false, results: [] }],
        calls: [],
        ended: "answer",
        answer,
        first_turn_only: false,
      } as unknown as Transcript,
      found,
    );
  expect(of("It is 12 degrees.")).toMatchObject({ ok: true, judgement: { grounded: true } });
  expect(of("It is 99 degrees.")).toMatchObject({ ok: false, judgement: { grounded: false } });
  // Cut short, nothing can be said of it.
  const short = {
    id: "a",
    steps: [{ output: "", calls: [], attempted: false, results: [] }],
    calls: [],
    ended: "answer",
    answer: "The weather in Oslo",
    first_turn_only: true,
  };
  expect(judge(short as unknown as Transcript, found)).toMatchObject({ ok: true, judgement: { grounded: null } });
  const failed = {
    ...found,
    messages: [...found.messages.slice(0, 2), { role: "tool", content: '{"error":"upstream timeout"}', tool_call_id: "1" }],
  } as unknown as EvaluationCase;
  const told = { ...short, answer: "Sorry, the weather service failed to answer.", first_turn_only: false };
  expect(judge(told as unknown as Transcript, failed)).toMatchObject({ ok: true });
  // Where more is called for, the answer is to that.
  const more = { ...found, expect: [{ name: "f", arguments: {} }] } as EvaluationCase;
  const step = {
    output: "",
    calls: [{ name: "f", arguments: {} }],
    attempted: true,
    conforming: 1,
    results: [{ text: '{"wind":7}', is_error: false, timed_out: false }],
  };
  const answered = (answer: string) =>
    ({ ...short, steps: [step, ...short.steps], calls: step.calls, answer, first_turn_only: false }) as unknown as Transcript;
  expect(judge(answered("It is 12 degrees."), more).judgement.grounded).toBe(false);
  expect(judge(answered("The wind is at 7."), more).judgement.grounded).toBe(true);
});

test("a loop's first turn by itself", () => {
  const due = ["x", "y"].map((a) => ({ name: "f", arguments: { a: [a] } }));
  const found = { id: "a", messages: [{ role: "user", content: "both" }], expect: due } as EvaluationCase;
  const call = (a: string) => ({
    output: "",
    calls: [{ name: "f", arguments: { a } }],
    attempted: true,
    conforming: 1,
    results: [{ text: '{"v":"ok"}', is_error: false, timed_out: false }],
  });
  const both = { ...call("x"), calls: [...call("x").calls, ...call("y").calls], conforming: 2 };
  const last = { output: "v is ok", calls: [], attempted: false, results: [] };
  const record = (...steps: unknown[]) =>
    ({ id: "a", steps, calls: [], ended: "answer", answer: "v is ok", first_turn_only: false, ok: true }) as unknown as LoopRecord;
  expect(rightAtFirst(record(both, last), found)).toBe(true);
  expect(rightAtFirst(record(call("x"), call("y"), last), found)).toBe(false);
  expect(rightAtFirst(record(last), { ...found, expect: null })).toBe(true);
  expect(rightAtFirst(record(), found)).toBe(false);
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
    "No issues were found in that repository.",
    "No error logs were found for today.",
    "No problem was found with that id.",
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
