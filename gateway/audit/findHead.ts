// Where an audit log goes on after a start: behind its last whole line.

import { join } from "node:path";
import { isHoldfastError } from "../../vault/errors.ts";
import { auditFileName, auditFileNumbers, linesOf } from "./auditFiles.ts";
import { type AuditHead, type LineSeal, noHead, parseLine } from "./entry.ts";

export type FoundHead = {
  readonly head: AuditHead;
  /** Of the newest file; 0 where there is none. */
  readonly file: number;
  /** Bytes of the newest file. */
  readonly bytes: number;
  /** What is behind the last whole line, as `brokenPlace` says it. */
  readonly broken: readonly string[];
};

/** "FILE:OFFSET:BYTES": bytes that are no whole lines. */
export function brokenPlace(file: number, offset: number, bytes: number): string {
  return `${file}:${offset}:${bytes}`;
}

/** Looks at the newest file, and at older ones only as far as these have no whole line. @throws HoldfastError io-error */
export async function findHead(folder: string, seal: LineSeal | undefined): Promise<FoundHead> {
  const numbers = await auditFileNumbers(folder);
  const newest = numbers.at(-1) ?? 0;
  const broken: string[] = [];
  let newestBytes = 0;
  let head = noHead;
  for (const number of numbers.toReversed()) {
    let [end, size] = [0, 0];
    for await (const { offset, bytes, length, ended } of linesOf(join(folder, auditFileName(number)))) {
      size = offset + length + (ended ? 1 : 0);
      const entry = bytes === undefined || !ended ? undefined : whole(bytes, seal);
      if (entry === undefined) continue;
      head = { sequence: entry.sequence, hash: entry.hash };
      end = size;
    }
    if (number === newest) newestBytes = size;
    if (end < size) broken.unshift(brokenPlace(number, end, size - end));
    if (end > 0) break;
  }
  return { head, file: newest, bytes: newestBytes, broken };
}

function whole(bytes: Buffer, seal: LineSeal | undefined): AuditHead | undefined {
  try {
    return parseLine(bytes, seal);
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}
