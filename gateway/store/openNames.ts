// The files in open/ and the pack table are made to agree before open packs are scanned.

import { closeSync, constants, existsSync, openSync, readdirSync, readSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { PackKind, Width } from "../../vault/magic.ts";
import { parsePackHeader } from "../../vault/pack/packHeader.ts";
import type { PackTable } from "../index/packTable.ts";
import { syncDirectory } from "./files.ts";
import { moveToName } from "./finishPack.ts";
import { openFolder, openPackOrdinal, openPackPath } from "./packPaths.ts";

export type NamesPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  /** The index knows of a box: it was not lost, and a pack that it does not know is one that an import was taking over. */
  readonly knowsBox: boolean;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** Makes the names in open/ agree with the pack table: finishes renames, takes in packs that the table does not know. */
export async function settleNames(port: NamesPort): Promise<void> {
  const { directory, packs } = port;
  const folder = openFolder(directory);
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const ordinal = openPackOrdinal(name);
    if (ordinal === undefined) {
      if (copyName.test(name)) await rm(path);
      else if (!adoptedName.test(name)) port.report("unknown-file", { path });
      continue;
    }
    const row = packs.get(ordinal);
    if (row?.state === "open") continue;
    if (row?.name !== undefined) await moveToName(path, row.name, directory);
    // The index is younger than the pack. Aside first, so that no new number meets an old file's name.
    else await rename(path, join(folder, `adopt-${ordinal}.pack`));
  }
  for (const name of readdirSync(folder).filter((each) => adoptedName.test(each))) {
    const path = join(folder, name);
    const header = readPackHeader(path);
    if (header === undefined) {
      port.report("unknown-file", { path });
      continue;
    }
    const ordinal = packs.create(header.kind === PackKind.data ? "data" : "meta", header.nonce);
    await rename(path, openPackPath(directory, ordinal));
    port.report("pack-adopted", { path, ordinal });
  }
  await syncDirectory(folder);
}

const adoptedName = /^adopt-[0-9]+\.pack$/;
/** A copy of an open pack that a stop came into (copyOpenPack.ts): the pack is there. */
const copyName = /^[0-9]+\.pack\.tmp$/;

/**
 * An empty pack table beside closed packs: the index was lost. Going on would take every reference for missing and cut
 * what was acknowledged.
 */
export function refuseLostIndex({ directory, packs, knowsBox }: NamesPort): void {
  const folder = join(directory, "packs");
  if (knowsBox || !packs.all().next().done || !existsSync(folder)) return;
  if (!readdirSync(folder).some((ab) => readdirSync(join(folder, ab)).length > 0)) return;
  throw new HoldfastError(ErrorCode.dataDirInvalid, `${directory} has packs, but its index is empty`, {
    next: "Run `holdfast gateway rebuild-index --data DIR`: packs and snapshots are untouched, and it makes the index from them.",
    detail: { path: directory },
  });
}

/** The header of a pack file, or undefined when it is not readable. */
export function readPackHeader(path: string): ReturnType<typeof parsePackHeader> | undefined {
  const fd = openSync(path, constants.O_RDONLY);
  try {
    const bytes = Buffer.alloc(Width.packHeader);
    return readSync(fd, bytes, 0, bytes.length, 0) < bytes.length ? undefined : parsePackHeader(bytes);
  } catch {
    return undefined;
  } finally {
    closeSync(fd);
  }
}
