// Brings an evicted pack's file back from a replica (docs/concurrency.md, "Evicting a pack, and fetching it back").

import { constants } from "node:fs";
import { rename, rm, statfs } from "node:fs/promises";
import { join } from "node:path";
import type { RateLimiter } from "../../ingest/line/rateLimiter.ts";
import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PackChecks } from "../index/packChecks.ts";
import type { PackPlaces } from "../index/packPlaces.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import {
  closeDescriptor,
  fileError,
  fsync,
  ftruncate,
  makeFolderDurably,
  openDescriptor,
  syncDirectory,
  writeFully,
} from "../store/files.ts";
import { closedPackFolder, closedPackPath } from "../store/packPaths.ts";
import type { PackCopies } from "./packCopies.ts";

export type FetchBackPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly checks: PackChecks;
  readonly copies: PackCopies;
  readonly now: () => Date;
  /** Bytes that stay free on the disk. */
  readonly reserveBytes: number;
};

/**
 * Downloads a pack from the first replica whose bytes have its hash, makes it durable under its name and sets its state to closed. A pack that is
 * closed already, and whose file is damaged or missing, is replaced the same way. The copy counts as proven from then on.
 * @returns the replica (32 hex digits) whose bytes they are
 * @throws HoldfastError disk-full before anything is downloaded; replica-unreachable, replica-refused, replica-damaged; io-error; cancelled
 */
export async function fetchBack(
  port: FetchBackPort,
  pack: PackRow,
  signal?: AbortSignal,
  limiter?: RateLimiter,
): Promise<string> {
  const { directory, packs, places, checks, copies, now } = port;
  if (pack.name === undefined) throw new Error("an open pack is nowhere else");
  const name = asBuffer(pack.name);
  const path = closedPackPath(directory, name);
  const temporary = `${path}.tmp`;
  let from: string;
  let provenMs = 0;
  await requireRoom(port, pack.bytes);
  await makeFolderDurably(join(directory, "packs"));
  await makeFolderDurably(closedPackFolder(directory, name));
  try {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC;
    const fd = await openDescriptor(temporary, flags, 0o600);
    try {
      from = await copies.first(pack, async (replica) => {
        await ftruncate(fd, 0);
        provenMs = now().getTime();
        const take = (piece: Buffer, offset: number) => writeFully(fd, [piece], offset);
        await copies.readWhole(pack, replica, take, signal, limiter);
        return replica;
      });
      await fsync(fd);
    } finally {
      await closeDescriptor(fd);
    }
    await rename(temporary, path);
    await syncDirectory(closedPackFolder(directory, name));
  } catch (error) {
    await rm(temporary, { force: true });
    throw fileError(error, path);
  }
  places.write(() => {
    if (packs.get(pack.ordinal)?.state === "evicted") packs.setState(pack.ordinal, "closed");
    places.hashed(pack.ordinal, from, provenMs);
    checks.put(pack.ordinal, { by: "fetched", atMs: provenMs, sound: true });
  });
  return from;
}

async function requireRoom({ directory, reserveBytes }: FetchBackPort, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(directory);
  if (bavail * bsize >= reserveBytes + bytes) return;
  throw new HoldfastError(ErrorCode.diskFull, "there is no room on the gateway's disk to fetch a pack back", {
    next: "Make room on the gateway's disk. Nothing is lost: the pack stays readable from its replica.",
    detail: { path: directory },
  });
}
