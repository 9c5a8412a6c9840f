/**
 * The change between two texts as a unified diff in one hunk, from the first changed line to the last,
 * with four lines of context and the headers of the `diff` package: what the public filesystem server
 * answers to an edit.
 */
export function unifiedDiff(path: string, before: string, after: string, context = 4): string {
  const head = `Index: ${path}\n${"=".repeat(67)}\n--- ${path}\toriginal\n+++ ${path}\tmodified\n`;
  if (before === after) return head;
  const a = lines(before);
  const b = lines(after);
  let start = 0;
  while (start < a.length && start < b.length && a[start] === b[start]) start++;
  let end = 0;
  while (end < a.length - start && end < b.length - start && a[a.length - 1 - end] === b[b.length - 1 - end]) end++;
  const from = Math.max(0, start - context);
  const tail = Math.min(end, context);
  const removed = a.slice(start, a.length - end);
  const added = b.slice(start, b.length - end);
  const body = [
    ...a.slice(from, start).map((l) => ` ${l}`),
    ...removed.map((l) => `-${l}`),
    ...added.map((l) => `+${l}`),
    ...a.slice(a.length - end, a.length - end + tail).map((l) => ` ${l}`),
  ];
  const range = (n: number): string => `${n === 0 ? from : from + 1},${n}`;
  const same = start - from + tail;
  return `${head}@@ -${range(same + removed.length)} +${range(same + added.length)} @@\n${body.join("\n")}\n`;
}

const lines = (text: string): string[] => (text === "" ? [] : text.replace(/\n$/, "").split("\n"));
