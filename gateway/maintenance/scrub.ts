// Scrubs one vault whole: every local pack and snapshot object, what was not looked at for longest first.
//
// Invariant: when a pack was looked at is durable behind it. A scrub that was stopped goes on with the packs that were not looked at since it began,
// by it or by anyone else.

import { PackChecks } from "../index/packChecks.ts";
import { packSlices } from "../index/packSlices.ts";
import { sortedInTurns } from "../index/sortedInTurns.ts";
import type { OpenVault } from "../openVault.ts";
import { ScrubCursor, type ScrubState } from "./scrubCursor.ts";
import { packIsSound, type ScrubPort, snapshotIsSound, stopIfAsked } from "./scrubOne.ts";

export type ScrubProgress = {
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type ScrubOptions = ScrubPort & {
  /** Begin with all packs even where an earlier scrub was stopped. */
  readonly fromStart: boolean;
  readonly onProgress: (progress: ScrubProgress) => void;
};

/** A local pack, when it was looked at last, milliseconds since 1970 (0: never), and whether it was sound then. */
export type CheckedPack = {
  readonly ordinal: number;
  readonly bytes: number;
  readonly atMs: number;
  readonly sound: boolean;
};

/** The local packs of a vault in slices, in order of ordinals. */
export async function* checkedPacks({ store }: OpenVault): AsyncGenerator<CheckedPack[], void, undefined> {
  const checks = new PackChecks(store.environment);
  for await (const rows of packSlices(store.packs)) {
    yield rows.flatMap(({ ordinal, bytes, state }) => {
      if (state !== "closed") return [];
      const { atMs, sound } = checks.get(ordinal) ?? { atMs: 0, sound: true };
      return { ordinal, bytes, atMs, sound };
    });
  }
}

/** The same, what was not looked at for longest first. */
export async function packsByAge(vault: OpenVault): Promise<CheckedPack[]> {
  const packs: CheckedPack[] = [];
  for await (const some of checkedPacks(vault)) packs.push(...some);
  return await sortedInTurns(packs, (a, b) => a.atMs - b.atMs || a.ordinal - b.ordinal);
}

/**
 * Scrubs a vault from where the last scrub stopped to its end.
 * @returns what was looked at, from the beginning on where an earlier scrub was stopped
 * @throws HoldfastError cancelled, io-error
 */
export async function scrubVault(options: ScrubOptions): Promise<ScrubState> {
  const { vault, signal, nowMs } = options;
  const cursor = new ScrubCursor(vault.store.environment);
  const packs = await packsByAge(vault);
  // Behind all that was looked at before, also where the clock was set back.
  const beginsMs = packs.reduce((latest, { atMs }) => Math.max(latest, atMs + 1), nowMs());
  let state = cursor.begin(beginsMs, options.fromStart);
  cursor.advance(state);
  const { startedMs } = state;
  const port = { ...options, nowMs: () => Math.max(startedMs, nowMs()) };
  const bytesTotal = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  let bytes = 0;
  let done = 0;
  for (const { ordinal, bytes: own, atMs } of packs) {
    stopIfAsked(signal);
    bytes += own;
    done++;
    if (atMs >= startedMs) continue;
    const problems = state.problems + ((await packIsSound(port, ordinal)) ? 0 : 1);
    state = cursor.advance({ ...state, packs: state.packs + 1, problems });
    options.onProgress({ packs: done, packsTotal: packs.length, bytes, bytesTotal });
  }
  for (const { id } of vault.catalog.allSnapshots()) {
    stopIfAsked(signal);
    if (!(await snapshotIsSound(port, id))) state = { ...state, problems: state.problems + 1 };
    state = { ...state, snapshots: state.snapshots + 1 };
  }
  cursor.noteSnapshots(port.nowMs());
  cursor.end();
  return state;
}
