// "SNAPSHOT[:PATH]" on the command line. Arguments are text, paths are bytes: in PATH, `\xHH` stands for a byte and `\\` for a
// backslash, as the listings print them.

import { parseSnapshotPath as parseWritten, type SnapshotPath } from "../agent/inspect/snapshotPath.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { textToPath } from "../vault/pathText.ts";

/** @throws HoldfastError usage */
export function parseSnapshotPath(written: string): SnapshotPath {
  const { snapshot, path } = parseWritten(written);
  return { snapshot, path: path.map((name) => unescaped(name.toString(), written)) };
}

function unescaped(name: string, written: string): Buffer {
  try {
    return textToPath(name);
  } catch (cause) {
    throw new HoldfastError(ErrorCode.usage, `not a path: ${written}`, {
      next: "Write a backslash as \\\\ and a byte that is not UTF-8 as \\xHH, as `agent ls` prints them.",
      cause,
    });
  }
}
