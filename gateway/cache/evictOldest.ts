// Which packs of a gateway go, and their going: what was written or read last stays longest.
//
// A pack's last use is its file's: the later of its times of change and of access. Disks keep the latter to a day or so (relatime), or not at
// all (noatime: then the order is that of writing); that is enough, and costs nothing on the way of reads.

import { stat } from "node:fs/promises";
import type { EvictProgress, EvictResult } from "../admin/evictOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import { packSlices } from "../index/packSlices.ts";
import { sortedInTurns } from "../index/sortedInTurns.ts";
import type { OpenVault } from "../openVault.ts";
import { closedPackPath } from "../store/packPaths.ts";
import type { StayReason } from "./evictPack.ts";

export type EvictableVault = { readonly vault: OpenVault; readonly directory: string };

type Candidate = {
  readonly vault: OpenVault;
  readonly pack: number;
  readonly bytes: number;
  readonly usedMs: number;
};

export type EvictWish = {
  /** Bytes that are to go, given those of all local content packs. */
  readonly goingBytes: (localBytes: number) => number;
  /** Go on with newer packs in place of those that cannot go. */
  readonly insist: boolean;
  readonly dryRun: boolean;
};

/** Packs that are proven and removed at a time. */
const atOnce = 2;
/** After so many packs in a row whose replica did not answer, no more proofs are tried. */
const unreachableMax = 16;

/**
 * Evicts packs of all vaults, the ones used longest ago first.
 * @throws HoldfastError cancelled, disk-full, io-error
 */
export async function evictOldest(
  vaults: readonly EvictableVault[],
  wish: EvictWish,
  { onProgress, signal }: JobWatch<EvictProgress>,
): Promise<EvictResult> {
  const candidates = await localPacks(vaults);
  let localBytes = candidates.reduce((sum, { bytes }) => sum + bytes, 0);
  let localPacksLeft = candidates.length;
  const bytesTotal = Math.min(localBytes, Math.max(0, wish.goingBytes(localBytes)));
  const victims = wish.insist ? candidates : untilBytes(candidates, bytesTotal);
  const stayed = new Map<StayReason, { packs: number; bytes: number }>();
  let [next, evictedPacks, evictedBytes, provenBytes, doneBytes, underWay, unreachable] = [
    0, 0, 0, 0, 0, 0, 0,
  ];

  const one = async ({ vault, pack, bytes }: Candidate): Promise<void> => {
    const { moves } = vault.store.elsewhere ?? {};
    const need = moves?.needsProof(pack);
    let why: StayReason | undefined;
    if (moves === undefined || need === undefined) why = "not-replicated";
    else if (need && unreachable >= unreachableMax) why = "unreachable";
    else if (!wish.dryRun) {
      const outcome = await moves.evict(pack, signal);
      why = outcome.evicted ? undefined : outcome.why;
      if (why === "unreachable") unreachable++;
      else if (need) unreachable = 0;
    }
    doneBytes += bytes;
    if (why === undefined) {
      evictedPacks++;
      evictedBytes += bytes;
      if (need) provenBytes += bytes;
      localPacksLeft--;
      localBytes -= bytes;
      return;
    }
    const row = stayed.get(why) ?? { packs: 0, bytes: 0 };
    stayed.set(why, { packs: row.packs + 1, bytes: row.bytes + bytes });
  };
  const worker = async (): Promise<void> => {
    for (let victim = victims[next]; victim !== undefined; victim = victims[next]) {
      // Who is under way may fail; he then looks again.
      if (wish.insist && evictedBytes + underWay >= bytesTotal) return;
      signal.throwIfAborted();
      next++;
      underWay += victim.bytes;
      await one(victim);
      underWay -= victim.bytes;
      onProgress({
        packsDone: next,
        packsTotal: victims.length,
        bytesDone: wish.insist ? evictedBytes : doneBytes,
        bytesTotal,
      });
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: atOnce }, worker));
  for (const result of ended) if (result.status === "rejected") throw result.reason;
  return {
    dryRun: wish.dryRun,
    evictedPacks,
    evictedBytes,
    provenBytes,
    localPacks: localPacksLeft,
    localBytes,
    stayed: [...stayed].map(([why, row]) => ({ why, ...row })),
  };
}

/** The first candidates that have so many bytes together. */
function untilBytes(candidates: readonly Candidate[], bytes: number): readonly Candidate[] {
  let sum = 0;
  let count = 0;
  while (sum < bytes && count < candidates.length) sum += candidates[count++]!.bytes;
  return candidates.slice(0, count);
}

/** Closed content packs with a file here, the one used longest ago first. */
async function localPacks(vaults: readonly EvictableVault[]): Promise<Candidate[]> {
  const found: Candidate[] = [];
  for (const { vault, directory } of vaults) {
    for await (const rows of packSlices(vault.store.packs)) {
      for (const { ordinal, kind, state, name, bytes } of rows) {
        if (kind !== "data" || state !== "closed" || name === undefined) continue;
        const file = await stat(closedPackPath(directory, name)).catch(() => undefined);
        if (file === undefined) continue;
        found.push({ vault, pack: ordinal, bytes, usedMs: Math.max(file.mtimeMs, file.atimeMs) });
      }
    }
  }
  return await sortedInTurns(found, (a, b) => a.usedMs - b.usedMs || a.pack - b.pack);
}
