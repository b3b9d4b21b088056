// Takes what is dead out of the index, and packs that no row names out of the vault.

import type { ScanCursor } from "../../index/buckets.ts";
import { packSlices } from "../../index/packSlices.ts";
import type { PackRow } from "../../index/packTable.ts";
import { type Collection, rowsOfBucket } from "./collection.ts";
import { PackCensus } from "./packCensus.ts";

/** Buckets that one transaction changes: 1 MiB, and a wait for the disk. */
const bucketsSwept = 256;
/** Packs that go in one transaction. */
const packsAtOnce = 64;
/** For so long reads that began before are waited for: one that takes longer may find a record "not here". */
const quietMsMax = 60_000;

/** Visits packs whose rows can only become fewer: closed, and the index speaks for what is in them. */
export async function eachSettled(
  { vault, pace }: Pick<Collection, "vault" | "pace">,
  visit: (pack: PackRow) => void,
): Promise<void> {
  for await (const rows of packSlices(vault.store.packs, () => pace.turn())) {
    for (const row of rows) if (row.state !== "open" && row.coveredBytes > 0) visit(row);
  }
}

/**
 * Removes all rows of the dead set that is in force, and ends it. Answers how much of each pack lives, for packs that were settled before the call.
 * @throws HoldfastError disk-full, io-error; the signal's reason: the next run sweeps again
 */
export async function sweep(collection: Collection): Promise<{ census: PackCensus; removed: number }> {
  const { vault, pace, tell } = collection;
  const { store, needs } = vault;
  const { index, environment, dead } = store;
  const set = index.dead;
  const census = new PackCensus(store.packs.ordinalsEnd);
  const total = index.count();
  let removed = 0;
  let done = 0;
  let cursor: ScanCursor | undefined;
  do {
    const from = cursor;
    const slice = environment.write(() =>
      index.upkeep.sweep(set, from, bucketsSwept, (words, at) => census.add(words, at)),
    );
    removed += slice.removed;
    cursor = slice.next;
    done = Math.min(total, done + bucketsSwept * rowsOfBucket);
    tell("sweeping", done, total);
    await pace.turn();
  } while (cursor !== undefined);
  for (const { copies } of needs.kept()) for (const { pack } of copies) census.hold(pack);
  if (set === undefined) return { census, removed };
  await store.flush(() => {
    dead.end();
  });
  index.dead = undefined;
  await dead.removeLeft();
  return { census, removed };
}

/** Waits until reads that have their places already have ended. */
async function quiet({ vault, sleep }: Pick<Collection, "vault" | "sleep">): Promise<void> {
  const ended = new AbortController();
  await Promise.race([vault.store.reads.quiet(), sleep(quietMsMax, ended.signal)]);
  ended.abort();
}

export type Removed = { readonly packs: number; readonly bytes: number; readonly waiting: number };

/**
 * Removes packs that no row names; `waiting` are those that a replica has and no root lists yet. One with a copy that was reported meanwhile stays, too.
 * @throws HoldfastError disk-full, io-error; the signal's reason: the next run goes on
 */
export async function removePacks(collection: Collection, packs: readonly PackRow[]): Promise<Removed> {
  const { vault, pace, tell, report } = collection;
  const { store, needs } = vault;
  if (packs.length === 0) return { packs: 0, bytes: 0, waiting: 0 };
  await quiet(collection);
  const went: PackRow[] = [];
  let waiting = 0;
  for (let at = 0; at < packs.length; at += packsAtOnce) {
    tell("removing", at, packs.length);
    const ordinals = packs.slice(at, at + packsAtOnce).map(({ ordinal }) => ordinal);
    const remove = async (): Promise<PackRow[]> => {
      // A record may have been reported since its pack was looked at: that copy is kept.
      const kept = new Set(needs.kept().flatMap(({ copies }) => copies.map(({ pack }) => pack)));
      const free = ordinals.filter((ordinal) => !kept.has(ordinal));
      const gone = store.removal.takeOut(free, (rows) => {
        needs.forgetPacks(new Set(rows.map(({ ordinal }) => ordinal)));
      });
      waiting += free.length - gone.length;
      await store.removal.unlink();
      await store.forget(gone.map(({ ordinal }) => ordinal));
      return gone;
    };
    const { elsewhere } = store;
    const gone = await (elsewhere === undefined ? remove() : elsewhere.moves.whileStill(ordinals, remove));
    went.push(...gone);
    await pace.turn();
  }
  const bytes = went.reduce((sum, pack) => sum + pack.bytes, 0);
  if (went.length > 0) report("packs-removed", { packs: went.length, bytes });
  return { packs: went.length, bytes, waiting };
}
