// Opening a vault finishes evictions that a stop cut short, and removes what fetching back left half done.
//
// Invariant: a file is removed only when its pack's state is evicted, which it became after a proof elsewhere, a copy still counts as proven there, and
// its tail is here and whole. Where no copy does, and the file is whole, the pack is here again.

import { createHash } from "node:crypto";
import { createReadStream, existsSync, readdirSync, rmSync } from "node:fs";
import { open, rm } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../../vault/bytes.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import type { PackPlaces } from "../index/packPlaces.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { fileError, readFully, syncDirectory } from "./files.ts";
import { type PackTails, readTailOf } from "./packTails.ts";

export type EvictionsPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly tails: PackTails;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** Makes packs/ agree with the pack table. @throws HoldfastError io-error, disk-full */
export async function recoverEvictions(port: EvictionsPort): Promise<void> {
  const root = join(port.directory, "packs");
  if (!existsSync(root)) return;
  for (const ab of namesIn(root)) {
    const folder = join(root, ab);
    let changed = false;
    for (const file of namesIn(folder)) {
      const path = join(folder, file);
      if (file.endsWith(".tmp")) rmSync(path);
      else if (!(await finish(port, path, file))) continue;
      changed = true;
    }
    if (changed) await syncDirectory(folder);
  }
}

function namesIn(folder: string): string[] {
  try {
    return readdirSync(folder);
  } catch (error) {
    throw fileError(error, folder);
  }
}

/** Removes the file of a pack that is evicted. */
async function finish(port: EvictionsPort, path: string, file: string): Promise<boolean> {
  const { packs, places, tails, report } = port;
  const ordinal = /^[0-9a-f]{64}$/.test(file) ? packs.ordinalOf(fromHex(file, 32)) : undefined;
  const row = ordinal === undefined ? undefined : packs.get(ordinal);
  if (row?.state !== "evicted") return false;
  const proven = places.of(row.ordinal).some(({ place }) => place.listed && place.proof === "hashed");
  if (!proven && (await isWhole(path, row))) {
    packs.setState(row.ordinal, "closed");
    report("eviction-undone", { path, why: "no copy elsewhere is proven any more" });
    return false;
  }
  if (!(await tails.has(row)) && !(await keepTail(tails, row, path))) {
    report("eviction-not-finished", { path, why: "its trailer is not readable" });
    return false;
  }
  try {
    await rm(path, { force: true });
  } catch (error) {
    throw fileError(error, path);
  }
  report("eviction-finished", { path });
  return true;
}

async function isWhole(path: string, { name }: PackRow): Promise<boolean> {
  const hash = createHash("sha256");
  try {
    for await (const piece of createReadStream(path)) hash.update(piece);
  } catch (error) {
    throw fileError(error, path);
  }
  return name !== undefined && hash.digest().equals(name);
}

async function keepTail(tails: PackTails, row: PackRow, path: string): Promise<boolean> {
  try {
    await using file = await open(path, "r");
    const tail = await readTailOf(row, async (offset, length) => {
      const bytes = Buffer.alloc(length);
      return bytes.subarray(0, await readFully(file.fd, bytes, offset));
    });
    await tails.save(row, tail);
    return true;
  } catch (error) {
    if (isHoldfastError(error)) return false;
    throw fileError(error, path);
  }
}
