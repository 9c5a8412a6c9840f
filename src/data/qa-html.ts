/**
 * The quality report as one page: nothing is loaded from anywhere, nothing runs, no figure that is not in the JSON report. Texts of samples come from strangers:
 * every one is escaped, what would reorder or hide text is shown by its number, and the page's own policy lets no script start and no address be asked.
 */
import type { QaReport } from "../schemas/generated/qa-report.ts";
import { reasonsOf } from "./plan-outcome.ts";
import { LISTED } from "./qa-markdown.ts";

/**
 * @param left how many lines were left out, where the report has only the first of them
 */
export function qaHtml(r: QaReport, left = r.taken_out?.length ?? 0): string {
  const brought = r.taken_out !== undefined;
  const sections = [
    tiles(r, brought),
    plan(r),
    dropped(r, brought, left),
    repairs(r),
    lengths(r),
    section("Coverage", [
      ...bars("Tools", r.coverage.by_tool, ["tool", "samples", "frames"], (tool) => number(r.diversity.frames_by_tool[tool] ?? 0)),
      ...bars("Scenarios", r.coverage.by_scenario, ["scenario", "samples"]),
      ...bars("Kinds", r.coverage.by_kind, ["kind", "samples"]),
    ]),
    section("Diversity of the user's words", [
      table(
        ["", "", "", ""],
        [
          ...(["distinct_1", "distinct_2", "distinct_3"] as const).map((figure, i) => [
            label(`distinct-${i + 1}`),
            right(r.diversity[figure].toFixed(3)),
            bar(r.diversity[figure]),
            note(["different words over all words", "the same of pairs of words", "the same of triples"][i] as string),
          ]),
          [
            label("self-similarity"),
            right(r.diversity.self_similarity.toFixed(3)),
            bar(r.diversity.self_similarity, r.diversity.self_similarity > 0.85),
            note("how like a request is to the nearest of 16 about its tool, values aside: low is good"),
          ],
        ],
      ),
    ]),
    leakage(r),
    issues(r),
  ];
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'">
<meta name="referrer" content="no-referrer">
<title>Data quality</title>
<style>${STYLE}</style>
</head>
<body>
<main>
<h1>Data quality</h1>
${sections.filter((s) => s !== "").join("\n")}
</main>
</body>
</html>
`;
}

const STYLE = `
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5b6675; --line: #dde2e9; --paper: #fff; --back: #f4f6f9; --bar: #3a78c9; --bad: #b3382b; --badback: #fdf0ee; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #98a3b3; --line: #323b47; --paper: #1b2129; --back: #12161c; --bar: #5d9be8; --bad: #ff8b7d; --badback: #34201e; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--back); color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 64rem; margin: 0 auto; padding: 1.25rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 1rem; }
h2 { font-size: 1.1rem; margin: 0 0 .6rem; }
h3 { font-size: .95rem; margin: 1.1rem 0 .3rem; color: var(--soft); font-weight: 600; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: 1rem; margin: 0 0 1rem; }
p { margin: .3rem 0; color: var(--soft); }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(7rem, 1fr)); gap: .75rem; margin: 0 0 1rem; }
.tile { background: var(--paper); border: 1px solid var(--line); border-radius: .6rem; padding: .7rem .8rem; }
.tile b { display: block; font-size: 1.3rem; line-height: 1.25; font-variant-numeric: tabular-nums; }
.tile span { color: var(--soft); font-size: .85rem; }
.tile .bar { margin-top: .45rem; }
.bad { color: var(--bad); }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; overflow-wrap: anywhere; }
tr:last-child td { border-bottom: 0; }
th { color: var(--soft); font-weight: 600; font-size: .85rem; overflow-wrap: normal; }
td.n, th.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; width: 1%; }
td.b { width: 30%; min-width: 4.5rem; vertical-align: middle; }
td.t { white-space: nowrap; overflow-wrap: normal; }
tr.bad td { background: var(--badback); }
code { font: .88em/1.45 ui-monospace, SFMono-Regular, Menlo, Consolas, "DejaVu Sans Mono", monospace; white-space: pre-wrap; overflow-wrap: anywhere; }
.note { color: var(--soft); font-size: .88rem; }
.bar { display: block; height: .55rem; border-radius: .3rem; background: var(--line); overflow: hidden; }
.bar i { display: block; height: 100%; background: var(--bar); border-radius: .3rem; }
.bar.bad i { background: var(--bad); }
del { background: var(--badback); text-decoration: none; }
@media (max-width: 40rem) {
  main { padding: .8rem .6rem 2rem; }
  section { padding: .8rem .7rem; }
  .tiles { grid-template-columns: 1fr 1fr; }
  table.cards, table.cards tbody, table.cards tr, table.cards td { display: block; width: auto; }
  table.cards thead { display: none; }
  table.cards tr { padding: .5rem 0; border-bottom: 1px solid var(--line); }
  table.cards tr:last-child { border-bottom: 0; }
  table.cards td { border: 0; padding: .1rem 0; text-align: left; white-space: normal; }
  table.cards td:empty { display: none; }
  table.cards td[data-of]::before { content: attr(data-of) " "; color: var(--soft); font-size: .85rem; }
  td.b { width: 22%; }
  table.cards td.b { width: auto; padding: .3rem 0; }
  table.cards tr.bad td { background: none; }
}
@media print { body { background: none; } section, .tile { break-inside: avoid; } }
`;

/** Controls, halves of letters, and what reorders or hides text (Unicode TR 36). */
const HIDDEN =
  // biome-ignore lint/suspicious/noControlCharactersInRegex: showing them is the point
  /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/g;
const ESCAPES: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&#39;" };

/** Foreign text as text and nothing else, wherever in the page it stands. */
const escaped = (text: string): string =>
  text.replace(HIDDEN, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`).replace(/[&<>"']/g, (c) => ESCAPES[c] as string);

/** Longest text in a cell. */
const MOST_SHOWN = 400;
const cut = (text: string): string => (text.length > MOST_SHOWN ? `${text.slice(0, MOST_SHOWN)}…` : text);

interface Cell {
  readonly html: string;
  readonly kind: "n" | "b" | "t" | "";
}
const cell = (html: string, kind: Cell["kind"] = ""): Cell => ({ html, kind });
const label = (text: string): Cell => cell(escaped(text), "t");
const text = (value: string): Cell => cell(escaped(value));
const code = (value: string): Cell => cell(value === "" ? "" : `<code><bdi>${escaped(cut(value))}</bdi></code>`);
/** A name, which is mostly short: then it stays in one piece. */
const name = (value: string): Cell => ({ ...code(value), kind: value.length <= SHORT ? "t" : "" });
const SHORT = 24;
const number = (n: number | null): Cell => cell(n === null ? "" : String(n), "n");
const right = (value: string): Cell => cell(escaped(value), "n");
const note = (value: string): Cell => cell(`<span class="note">${escaped(value)}</span>`);
const meter = (share: number, bad = false): string =>
  `<span class="bar${bad ? " bad" : ""}"><i style="width:${(100 * Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0))).toFixed(1)}%"></i></span>`;
const bar = (share: number, bad = false): Cell => cell(meter(share, bad), "b");

const section = (title: string, parts: readonly string[]): string => `<section>\n<h2>${escaped(title)}</h2>\n${parts.join("\n")}\n</section>`;
const says = (words: string): string => `<p>${escaped(words)}</p>`;

/**
 * A table; one without any heading has no row for it.
 * @param o cards: whether its rows are shown one below the other on a narrow screen; bad: which rows stand out
 */
function table(head: readonly string[], rows: readonly (readonly Cell[])[], o: { readonly cards?: boolean; readonly bad?: readonly boolean[] } = {}): string {
  const first = rows[0] ?? [];
  const heads = head.some((h) => h !== "")
    ? `<thead><tr>${head.map((h, i) => `<th${first[i]?.kind === "n" ? ' class="n"' : ""}>${escaped(h)}</th>`).join("")}</tr></thead>`
    : "";
  const line = (cells: readonly Cell[], at: number): string =>
    `<tr${o.bad?.[at] === true ? ' class="bad"' : ""}>${cells
      .map(
        (c, i) =>
          `<td${c.kind === "" ? "" : ` class="${c.kind}"`}${o.cards === true && head[i] ? ` data-of="${escaped(head[i] as string)}"` : ""}>${c.html}</td>`,
      )
      .join("")}</tr>`;
  return `<div class="scroll"><table${o.cards === true ? ' class="cards"' : ""}>${heads}<tbody>${rows.map(line).join("\n")}</tbody></table></div>`;
}

/** Counts by name, each with a bar that compares it with the largest. */
function bars(title: string, counts: Readonly<Record<string, number>>, head: readonly string[], more?: (name: string) => Cell): string[] {
  const entries = Object.entries(counts);
  if (entries.length === 0) return [];
  const most = Math.max(1, ...entries.map(([, n]) => n));
  const rows = entries.slice(0, MOST_ROWS).map(([key, n]) => [name(key), number(n), ...(more === undefined ? [] : [more(key)]), bar(n / most)]);
  const rest = entries.length - rows.length;
  return [`<h3>${escaped(title)}</h3>`, table([...head, ""], rows), ...(rest > 0 ? [says(`And ${rest} more; the JSON report names them all.`)] : [])];
}

/** Names in a list whose length the data decides. */
const MOST_ROWS = 500;

type Rate = QaReport["schema_pass_rate"];
const percent = (x: number): string => `${(100 * x).toFixed(1)}%`;

function tiles(r: QaReport, brought: boolean): string {
  const { totals, figures } = r;
  const tile = (value: string, words: string, meterHtml = "", bad = false): string =>
    `<div class="tile"><b${bad ? ' class="bad"' : ""}>${escaped(value)}</b><span>${escaped(words)}</span>${meterHtml}</div>`;
  const rate = ({ value, numerator, denominator }: Rate, words: string, lowIsGood = false): string =>
    value === null
      ? tile("none", words)
      : tile(percent(value), `${words} (${numerator} of ${denominator})`, meter(value, lowIsGood && value > 0.05), lowIsGood ? value > 0.05 : value < 0.98);
  const planned = totals.planned;
  return `<div class="tiles">
${[
  tile(
    String(totals.samples),
    planned === null ? "samples" : `samples of ${planned} planned`,
    planned === null ? "" : meter(totals.samples / Math.max(1, planned), totals.samples < planned),
    totals.samples === 0 || (planned !== null && totals.samples < planned),
  ),
  tile(String(totals.valid), "valid", meter(totals.valid / Math.max(1, totals.samples))),
  rate(r.schema_pass_rate, `schema pass rate${brought ? "" : ", as first generated"}`),
  rate(r.dedup_rate, "near-duplicates", true),
  tile(String(figures.min_samples_per_tool ?? 0), "fewest samples of a tool"),
  tile(percent(figures.scenarios_covered ?? 0), "scenarios covered", meter(figures.scenarios_covered ?? 0), (figures.scenarios_covered ?? 0) < 1),
  tile(String(totals.heldout), "held-out cases"),
  tile(String(totals.simulated), "with simulated results"),
].join("\n")}
</div>`;
}

function plan({ plan: outcome }: QaReport): string {
  if (outcome === undefined) return "";
  const rows = outcome.cells.map((c) => [
    code(c.scenario),
    code(c.tool ?? ""),
    right(`${c.made} of ${c.planned}`),
    bar(c.made / c.planned, c.short > 0),
    text(reasonsOf(c.why)),
  ]);
  const short = outcome.short.filter((s) => s.slot.startsWith("eval/"));
  return section("Plan and outcome", [
    says(`${outcome.made} of ${outcome.planned} samples, ${outcome.heldout_made} of ${outcome.heldout_planned} held-out cases.`),
    table(["scenario", "tool", "made", "", "short, and why"], rows, { cards: true, bad: outcome.cells.map((c) => c.short > 0) }),
    ...(short.length === 0
      ? []
      : [
          "<h3>Held-out cases that are missing</h3>",
          table(
            ["slot", "why"],
            short.slice(0, LISTED).map((s) => [code(s.slot), text(s.reason)]),
            { cards: true },
          ),
        ]),
  ]);
}

function dropped(r: QaReport, brought: boolean, left: number): string {
  const list = (r.taken_out ?? []).slice(0, LISTED);
  const more = left - list.length;
  const title = brought ? "Left out" : "Dropped while generating";
  if (Object.keys(r.dropped).length === 0) return section(title, [says("Nothing.")]);
  return section(title, [
    ...bars("By reason", r.dropped, ["reason", brought ? "lines" : "attempts"]),
    ...(list.length === 0
      ? []
      : [
          "<h3>Line by line</h3>",
          table(
            ["line", "sample", "check", "message"],
            list.map((l) => [number(l.line), name(l.sample ?? ""), name(l.check), code(l.message)]),
            { cards: true },
          ),
        ]),
    ...(more > 0 ? [says(`And ${more} more; the JSON report names them all.`)] : []),
  ]);
}

function repairs({ repaired, repairs: made }: QaReport): string {
  if (repaired === undefined) return "";
  if (Object.keys(repaired).length === 0) return section("Repairs", [says("None was needed.")]);
  const rows = made?.first.map((m) => [
    number(m.line),
    name(m.sample),
    name(m.check),
    code(m.path === "" ? "(the line)" : m.path),
    cell(m.before === null ? note("nothing").html : `<del>${code(m.before).html}</del>`),
    code(m.after),
  ]);
  const more = (made?.total ?? 0) - (rows?.length ?? 0);
  return section("Repairs", [
    ...bars("By kind", repaired, ["kind", "samples"]),
    ...(rows === undefined || rows.length === 0
      ? []
      : ["<h3>One by one</h3>", table(["line", "sample", "repair", "where", "before", "after"], rows, { cards: true })]),
    ...(more > 0 ? [says(`And ${more} more; the file of repairs has them all.`)] : []),
  ]);
}

function lengths({ lengths: l }: QaReport): string {
  if (l === undefined) return "";
  return section("Length with the prompt, after the chat template", [
    says(
      l.longest === null
        ? `All samples are within the ${l.over_profile === null ? `${l.window} tokens that ${l.family} reads.` : `${l.max_tokens} tokens of ${l.profile}; ${l.family} reads ${l.window}.`}`
        : `The longest has ${l.longest} tokens; ${l.family} reads ${l.window}. Training raises the ${l.max_tokens} tokens of ${l.profile} to what the samples need, and never cuts one.`,
    ),
    table(
      ["", "", ""],
      [
        [
          label(`more than the profile's ${l.max_tokens}`),
          l.over_profile === null ? right("not counted") : number(l.over_profile),
          note("costs memory, no fault"),
        ],
        [label(`more than the model's ${l.window}`), number(l.too_long), note("cannot be learned")],
      ],
      { bad: [false, l.too_long > 0] },
    ),
  ]);
}

function leakage({ leakage: l }: QaReport): string {
  const rows: (readonly [string, number | null, string])[] = [
    ["frames", l.shared_frames, `${l.shared_frames}`],
    ["prompts", l.shared_prompts, `${l.shared_prompts}`],
    ["near-duplicate prompts", l.near_prompts, `${l.near_prompts}`],
    ["near wordings, values blanked", null, share(l.near_wordings)],
    ["whole calls", null, `${l.shared_calls}`],
    ["free-text values", null, share(l.shared_values)],
  ];
  return section("Leakage from training into evaluation", [
    table(
      ["shared", "cases"],
      rows.map(([what, , shown]) => [text(what), right(shown)]),
      { bad: rows.map(([, n]) => (n ?? 0) > 0) },
    ),
  ]);
}

const share = (r: Rate): string => (r.value === null ? "none" : `${percent(r.value)} (${r.numerator} of ${r.denominator})`);

function issues({ issues: found }: QaReport): string {
  if (found.length === 0) return section("Issues", [says("None.")]);
  const rows = found.slice(0, LISTED).map((i) => [name(i.check), name(i.sample ?? ""), code(i.message)]);
  const more = found.length - rows.length;
  return section("Issues", [table(["check", "sample", "message"], rows, { cards: true }), ...(more > 0 ? [says(`And ${more} more in the JSON report.`)] : [])]);
}
