// An entry of a snapshot as a line for people, in the manner of `ls -l`.

import type { EntryInfo } from "../agent/inspect/entryInfo.ts";

const kindLetters: Readonly<Record<EntryInfo["kind"], string>> = {
  file: "-",
  directory: "d",
  symlink: "l",
  fifo: "p",
  socket: "s",
  "character-device": "c",
  "block-device": "b",
};

/** "-rw-r--r--" with setuid, setgid and sticky as s, S, t, T. */
function modeText(kind: EntryInfo["kind"], octal: string): string {
  const mode = Number.parseInt(octal, 8);
  const triple = (shift: number, special: number, letter: string): string => {
    const bits = (mode >> shift) & 7;
    const execute = (bits & 1) !== 0;
    const marked = (mode & special) !== 0;
    const last = marked ? (execute ? letter : letter.toUpperCase()) : execute ? "x" : "-";
    return `${(bits & 4) === 0 ? "-" : "r"}${(bits & 2) === 0 ? "-" : "w"}${last}`;
  };
  return `${kindLetters[kind]}${triple(6, 0o4000, "s")}${triple(3, 0o2000, "s")}${triple(0, 0o1000, "t")}`;
}

/** Mode, owner, size or device number, time and path. */
export function entryLine(entry: EntryInfo): string {
  const owner = `${entry.user || entry.uid} ${entry.group || entry.gid}`;
  const size = entry.device ?? String(entry.size);
  const arrow = entry.target === undefined ? "" : ` -> ${entry.target}`;
  return `${modeText(entry.kind, entry.mode)} ${owner.padEnd(17)} ${size.padStart(12)} ${entry.mtime.slice(0, 19)}Z ${entry.path}${arrow}`;
}
