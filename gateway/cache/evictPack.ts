// Removes the local file of one pack that is proven elsewhere (docs/concurrency.md has the order and its crash points).
//
// Invariants
// - The state becomes "evicted" only in a transaction that finds a place which is listed and freshly proven, in a replica that there is, and after the
//   tail is durable.
// - A replica that does not answer now is not relied on, whatever it proved before: it may be gone for good.
// - The file goes after that transaction, never before.

import { createReadStream } from "node:fs";
import { open, rm, stat } from "node:fs/promises";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { PackPlace, PackPlaces } from "../index/packPlaces.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { fileError, readFully, syncDirectory } from "../store/files.ts";
import { closedPackFolder, closedPackPath } from "../store/packPaths.ts";
import { type PackTails, readTailOf } from "../store/packTails.ts";
import { isWrongCopy, type PackCopies } from "./packCopies.ts";
import { isOutage } from "./replicaStores.ts";

export type EvictPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly copies: PackCopies;
  readonly tails: PackTails;
  /** How long a proof is good for. */
  readonly proofMs: number;
  readonly now: () => Date;
  /** The reader's descriptor of a pack is of no use any more. */
  readonly forget: (pack: number) => Promise<void>;
};

/** Why a pack stays. `not-replicated`: no replica lists it yet. `local-damaged`: its file is missing or not whole. `busy`: it changed meanwhile. */
export type StayReason = "not-replicated" | "unreachable" | "copy-wrong" | "local-damaged" | "busy";

export type EvictOutcome = { readonly evicted: true } | { readonly evicted: false; readonly why: StayReason };

const stays = (why: StayReason): EvictOutcome => ({ evicted: false, why });

/** Whether a copy is proven well and lately enough to rely on it alone. */
export function isFresh(place: PackPlace, nowMs: number, proofMs: number): boolean {
  // One from the future is of a clock that was wrong, and says no more than one that is as old.
  return place.listed && place.proof === "hashed" && Math.abs(nowMs - place.provenMs) <= proofMs;
}

/** The copies that count: those that a root lists, of replicas that there are. */
function listedCopies(
  { places, copies }: Pick<EvictPort, "places" | "copies">,
  pack: number,
): { readonly replica: string; readonly place: PackPlace }[] {
  return places.of(pack).filter(({ replica, place }) => place.listed && copies.isKnown(replica));
}

/** Whether evicting a pack would have to prove a copy first; undefined when no replica lists it. */
export function needsProof(
  port: Pick<EvictPort, "places" | "copies" | "now" | "proofMs">,
  pack: number,
): boolean | undefined {
  const { now, proofMs } = port;
  const listed = listedCopies(port, pack);
  if (listed.length === 0) return undefined;
  return !listed.some(({ place }) => isFresh(place, now().getTime(), proofMs));
}

/**
 * Evicts a closed data pack, or says why it stays.
 * @throws HoldfastError cancelled, disk-full (the tail), io-error
 */
export async function evictPack(port: EvictPort, pack: PackRow, signal?: AbortSignal): Promise<EvictOutcome> {
  const { packs, places, tails } = port;
  if (pack.state !== "closed" || pack.kind !== "data" || pack.name === undefined) return stays("busy");
  const path = closedPackPath(port.directory, pack.name);
  const file = await stat(path).catch(() => undefined);
  if (file?.size !== pack.bytes) return stays("local-damaged");
  const unproven = await prove(port, pack, path, signal);
  if (unproven !== undefined) return stays(unproven);
  const tail = await localTail(path, pack);
  if (tail === undefined) return stays("local-damaged");
  await tails.save(pack, tail);
  signal?.throwIfAborted();
  const done = places.write(() => {
    const proven = needsProof(port, pack.ordinal) === false;
    if (!proven || packs.get(pack.ordinal)?.state !== "closed") return false;
    packs.setState(pack.ordinal, "evicted");
    return true;
  });
  if (!done) return stays("busy");
  try {
    await rm(path, { force: true });
    await syncDirectory(closedPackFolder(port.directory, pack.name));
  } catch (error) {
    throw fileError(error, path);
  }
  await port.forget(pack.ordinal);
  return { evicted: true };
}

/** Sees to it that one copy is freshly proven and in a replica that answers now, else says why none is. */
async function prove(
  port: EvictPort,
  pack: PackRow,
  path: string,
  signal: AbortSignal | undefined,
): Promise<StayReason | undefined> {
  const { copies } = port;
  let why: StayReason = "not-replicated";
  const listed = listedCopies(port, pack.ordinal);
  const fresh = listed.filter(({ place }) => isFresh(place, port.now().getTime(), port.proofMs));
  for (const { replica, place } of [...fresh, ...listed.filter((each) => !fresh.includes(each))]) {
    try {
      if (isFresh(place, port.now().getTime(), port.proofMs)) await copies.answers(pack, replica, signal);
      else await copies.prove(pack, replica, () => createReadStream(path), signal);
      return undefined;
    } catch (error) {
      if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "stopped");
      if (isHoldfastError(error, ErrorCode.chunkDamaged)) return "local-damaged";
      if (isWrongCopy(error)) why = "copy-wrong";
      else if (isOutage(error)) why = "unreachable";
      else throw fileError(error, path);
    }
  }
  return why;
}

/** Header, trailer and footer from the local file; undefined when they are not whole. */
async function localTail(path: string, pack: PackRow): Promise<Buffer | undefined> {
  try {
    await using file = await open(path, "r");
    return await readTailOf(pack, async (offset, length) => {
      const bytes = Buffer.alloc(length);
      const filled = await readFully(file.fd, bytes, offset);
      if (filled < length) throw new HoldfastError(ErrorCode.truncated, `${path} ends early`);
      return bytes;
    });
  } catch (error) {
    if (isHoldfastError(error) && error.code !== ErrorCode.ioError) return undefined;
    throw fileError(error, path);
  }
}
