/**
 * What the two output streams can show, decided once and by documented rules: colours only on a
 * terminal and never with NO_COLOR or TERM=dumb; live progress only on a terminal and never in CI.
 * Nothing below src/cli writes to the streams of the process.
 */
import { styleText } from "node:util";

export type Style = "bold" | "dim" | "red" | "green" | "yellow" | "cyan";

export interface Terminal {
  /** Results: what a script may read. */
  readonly out: (text: string) => void;
  /** Errors, warnings and everything that is no result. */
  readonly err: (text: string) => void;
  /** Whether stdout can be redrawn: a terminal, not dumb, not a CI log. */
  readonly live: boolean;
  readonly columns: number;
  /** Styles text for stdout; the text itself where colours are off. */
  readonly paint: (style: Style, text: string) => string;
  /** The same for stderr. */
  readonly paintErr: (style: Style, text: string) => string;
}

/** Minimal view of a stream, so that tests need no terminal. */
export interface Stream {
  write(text: string): unknown;
  readonly isTTY?: boolean;
  readonly columns?: number;
}

/** Reads the streams and the environment variables NO_COLOR, FORCE_COLOR, TERM, CI and COLUMNS. */
export function openTerminal(stdout: Stream = process.stdout, stderr: Stream = process.stderr, env: NodeJS.ProcessEnv = process.env): Terminal {
  const dumb = env.TERM === "dumb";
  const colours = (stream: Stream): boolean => {
    if (env.NO_COLOR !== undefined && env.NO_COLOR !== "") return false;
    if (env.FORCE_COLOR !== undefined && env.FORCE_COLOR !== "") return env.FORCE_COLOR !== "0" && env.FORCE_COLOR !== "false";
    return stream.isTTY === true && !dumb;
  };
  // Node would look at stdout and the environment itself; the rules above decide, for either stream.
  const painter = (on: boolean) => (style: Style, text: string) => (on ? styleText(style, text, { validateStream: false }) : text);
  return {
    out: (text) => void stdout.write(text),
    err: (text) => void stderr.write(text),
    // A terminal that does not know its width (some containers) cannot be redrawn.
    live: stdout.isTTY === true && stdout.columns !== 0 && !dumb && (env.CI === undefined || env.CI === "" || env.CI === "false"),
    columns: stdout.columns || Number(env.COLUMNS) || 80,
    paint: painter(colours(stdout)),
    paintErr: painter(colours(stderr)),
  };
}
