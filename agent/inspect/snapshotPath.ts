// SNAPSHOT[:PATH] as people write it.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

const slash = 0x2f;

export type SnapshotPath = {
  /** An id, the beginning of one, or `latest`. */
  readonly snapshot: string;
  /** Names from the root; none for the whole snapshot. */
  readonly path: readonly Buffer[];
};

/** Splits at the first colon: no snapshot's name has one. @throws HoldfastError usage */
export function parseSnapshotPath(text: string): SnapshotPath {
  const colon = text.indexOf(":");
  const snapshot = colon < 0 ? text : text.slice(0, colon);
  if (snapshot === "") throw new HoldfastError(ErrorCode.usage, `no snapshot in ${JSON.stringify(text)}`);
  return { snapshot, path: namesOf(Buffer.from(colon < 0 ? "" : text.slice(colon + 1))) };
}

/** The names of a path; slashes at the ends and doubled ones do not count. @throws HoldfastError usage for `..` and NUL */
export function namesOf(path: Buffer): Buffer[] {
  const names: Buffer[] = [];
  for (let from = 0; from <= path.length; ) {
    const next = path.indexOf(slash, from);
    const end = next < 0 ? path.length : next;
    const name = path.subarray(from, end);
    const text = name.toString("latin1");
    if (text === ".." || text.includes("\0")) {
      throw new HoldfastError(ErrorCode.usage, `not a path in a snapshot: ${path.toString()}`);
    }
    if (text !== "" && text !== ".") names.push(name);
    from = end + 1;
  }
  return names;
}
