// The files of an audit log: their names, and their lines as bytes.

import { createReadStream } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { errnoOf, fileError } from "../store/files.ts";
import { lineBytesMax } from "./entry.ts";

/** The folder in a data directory. */
export function auditFolder(dataDir: string): string {
  return join(dataDir, "audit");
}

export function auditFileName(number: number): string {
  return `${String(number).padStart(8, "0")}.jsonl`;
}

/** Numbers of the files that are there, in order; none where there is no folder. @throws HoldfastError io-error */
export async function auditFileNumbers(folder: string): Promise<number[]> {
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, folder);
  });
  const numbers = names.map((name) => (/^\d{8}\.jsonl$/.test(name) ? Number.parseInt(name, 10) : 0));
  return numbers.filter((number) => number > 0).sort((a, b) => a - b);
}

export type FileLine = {
  /** Where it begins in its file. */
  readonly offset: number;
  /** Without the line feed; undefined for what is longer than any line. */
  readonly bytes: Buffer | undefined;
  readonly length: number;
  /** Has its line feed. */
  readonly ended: boolean;
};

const lineFeed = 0x0a;

/** The lines of a file from its beginning. A line in memory at a time, whatever is in it. @throws HoldfastError io-error */
export async function* linesOf(path: string): AsyncGenerator<FileLine> {
  let held: Buffer[] = [];
  let length = 0;
  let offset = 0;
  const keep = (piece: Buffer): void => {
    if (length <= lineBytesMax) held.push(piece);
    length += piece.length;
  };
  const take = (ended: boolean): FileLine => {
    const line = { offset, bytes: length > lineBytesMax ? undefined : Buffer.concat(held), length, ended };
    offset += length + (ended ? 1 : 0);
    held = [];
    length = 0;
    return line;
  };
  try {
    for await (const chunk of createReadStream(path) as AsyncIterable<Buffer>) {
      let start = 0;
      for (let end = chunk.indexOf(lineFeed); end >= 0; end = chunk.indexOf(lineFeed, start)) {
        keep(chunk.subarray(start, end));
        yield take(true);
        start = end + 1;
      }
      keep(chunk.subarray(start));
    }
    if (length > 0) yield take(false);
  } catch (error) {
    throw fileError(error, path);
  }
}
