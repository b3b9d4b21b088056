// What an agent was told is safe: one line per acknowledged record and per commit, each on disk before the agent goes on.

import { appendFileSync, existsSync, fsyncSync, openSync, readFileSync } from "node:fs";

export type AckLine =
  /** These records were sent in a request of this run. */
  | { readonly event: "sent"; readonly ids: readonly string[] }
  /** These were answered "stored" or "present"; `flushed`: entries of the write log that were on disk by then. */
  | { readonly event: "stored"; readonly ids: readonly string[]; readonly flushed: number }
  | { readonly event: "committed"; readonly snapshot: string; readonly flushed: number };

/** Appends lines durably. */
export class AckWriter {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = openSync(path, "a");
  }

  write(line: AckLine): void {
    appendFileSync(this.#fd, `${JSON.stringify(line)}\n`);
    fsyncSync(this.#fd);
  }
}

/** All whole lines: the process that wrote them may have been killed within the last. */
export function readAcks(path: string): AckLine[] {
  if (!existsSync(path)) return [];
  const lines = readFileSync(path, "utf8").split("\n");
  lines.pop();
  return lines.map((line) => JSON.parse(line) as AckLine);
}

/** Ids of all lines of an event. */
export function idsOf(lines: readonly AckLine[], event: "sent" | "stored"): Set<string> {
  return new Set(lines.flatMap((line) => (line.event === event ? line.ids : [])));
}

/** Ids of all committed snapshots. */
export function snapshotsOf(lines: readonly AckLine[]): string[] {
  return lines.flatMap((line) => (line.event === "committed" ? [line.snapshot] : []));
}

/** Ids that were acknowledged in `before` and sent in `after`. */
export function twice(before: readonly AckLine[], after: readonly AckLine[]): string[] {
  const stored = idsOf(before, "stored");
  return [...idsOf(after, "sent")].filter((id) => stored.has(id));
}
