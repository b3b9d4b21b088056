// A box's custody log on its disk, and its datacentre's own log of it (docs/format.md, section 12.4).
//
// Invariants
// - Lines are only appended, each durable before what it tells of goes on.
// - A line that was cut short by a stop was never acknowledged: the next one takes its place.

import { open, readFile } from "node:fs/promises";
import { join } from "node:path";
import {
  type CustodyEntry,
  type CustodyLog,
  nextCustodyLine,
  parseCustody,
} from "../../vault/seed/custody.ts";
import { errnoOf, fileError, syncDirectory } from "../store/files.ts";

/** Folder of the log of the box that a data directory is. */
export function ownCustody(path: string): string {
  return join(path, "seed");
}

/** Folder of a datacentre's log of one of its boxes. */
export function boxCustody(path: string, box: number): string {
  return join(path, "seed", String(box));
}

/** The log in a folder; an empty one where there is none yet. @throws HoldfastError corrupt, limit-exceeded, io-error */
export async function readCustody(folder: string): Promise<CustodyLog & { readonly bytesWhole: number }> {
  const file = join(folder, "custody");
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
export async function appendCustody(folder: string, entry: Omit<CustodyEntry, "n">): Promise<CustodyEntry> {
  const log = await readCustody(folder);
  const line = nextCustodyLine(log, entry);
  const file = join(folder, "custody");
  try {
    const handle = await open(file, "a+", 0o600);
    try {
      await handle.truncate(log.bytesWhole);
      await handle.appendFile(line);
      await handle.sync();
    } finally {
      await handle.close();
    }
    await syncDirectory(folder);
  } catch (error) {
    throw fileError(error, file);
  }
  return { ...entry, n: log.entries.length + 1 };
}
