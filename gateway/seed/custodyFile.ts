// A box's custody log on its disk (docs/format.md, section 12.4).
//
// Invariants
// - Lines are only appended, each durable before what it tells of goes on.
// - A line that was cut short by a stop was never acknowledged: the next one takes its place.

import { open, readFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import {
  type CustodyEntry,
  type CustodyLog,
  nextCustodyLine,
  parseCustody,
} from "../../vault/seed/custody.ts";
import { errnoOf, fileError, syncDirectory } from "../store/files.ts";

function custodyPath(path: string): string {
  return join(path, "seed", "custody");
}

/** The log of the box in a data directory; an empty one where there is none yet. @throws HoldfastError corrupt, limit-exceeded, io-error */
export function readCustody(path: string): Promise<CustodyLog & { readonly bytesWhole: number }> {
  return readCustodyIn(custodyPath(path));
}

/** As `readCustody`, for a log in a file of this name. */
export async function readCustodyIn(file: string): Promise<CustodyLog & { readonly bytesWhole: number }> {
  let bytes: Buffer;
  try {
    bytes = await readFile(file);
  } catch (error) {
    if (errnoOf(error) !== "ENOENT") throw fileError(error, file);
    bytes = Buffer.alloc(0);
  }
  return parseCustody(bytes);
}

/** Appends a line, durably. One at a time: the caller sees to that. @throws HoldfastError as readCustody, disk-full */
export function appendCustody(path: string, entry: Omit<CustodyEntry, "n">): Promise<CustodyEntry> {
  return appendCustodyTo(custodyPath(path), entry);
}

/** As `appendCustody`, for a log in a file of this name. */
export async function appendCustodyTo(file: string, entry: Omit<CustodyEntry, "n">): Promise<CustodyEntry> {
  const log = await readCustodyIn(file);
  const line = nextCustodyLine(log, entry);
  try {
    const handle = await open(file, "a+", 0o600);
    try {
      await handle.truncate(log.bytesWhole);
      await handle.appendFile(line);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(dirname(file));
  } catch (error) {
    throw fileError(error, file);
  }
  return { ...entry, n: log.entries.length + 1 };
}
