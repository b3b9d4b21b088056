// Sends packs while a backup runs: each as it is closed, before any snapshot needs it.
//
// Invariants
// - Nothing is written there but packs, which no root names yet; and whole groups of them with a root, as in any run: so what no root lists is bounded.
// - Whoever wrote there meanwhile is met within `lookEveryMs`.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Ahead } from "./ahead.ts";
import type { PackSender } from "./packSender.ts";
import type { PackGroup } from "./pendingPacks.ts";

export type AheadPort = {
  readonly sender: PackSender;
  /** Packs of one group. */
  readonly atOnce: number;
  readonly monotonicMs: () => number;
  readonly signal: AbortSignal;
  /** Looks for the newest root again. @throws HoldfastError replica-fenced, rollback-detected */
  readonly findNewest: () => Promise<void>;
  /** Lists a whole group, all of which was sent. `earlier`: ordinals that were left out before and not looked at. */
  readonly list: (group: PackGroup, earlier: readonly number[]) => Promise<void>;
};

/** The newest root is looked for again when the last look was so long ago. */
const lookEveryMs = 300_000;

/**
 * Sends what is closed until what is there is to be listed; false: nothing more came for a while.
 * @throws HoldfastError as PackSender.send; replica-fenced, rollback-detected; cancelled
 */
export async function sendAhead(ahead: Ahead, port: AheadPort): Promise<boolean> {
  const { sender, monotonicMs, signal } = port;
  let lookedMs = monotonicMs();
  let any = false;
  while (!ahead.lists) {
    ahead.looked();
    const pending = sender.pending();
    const group = pending.next(port.atOnce);
    // What an earlier run put is looked at before a root lists it.
    if (!group.last && (await sender.look())) continue;
    // What is damaged or missing here is left to the end of the run.
    const sound = group.packs.filter(({ ordinal }) => !sender.unsent.has(ordinal));
    const packs = sound.filter(({ put }) => !put);
    if (packs.length > 0) {
      any = true;
      if (monotonicMs() - lookedMs > lookEveryMs) {
        await port.findNewest();
        lookedMs = monotonicMs();
      }
      sender.count(packs);
      await sender.send(packs);
    }
    if (!group.last && sound.length > 0) await port.list(group, pending.earlier);
    else if (packs.length === 0) {
      const more = any && (await ahead.next(signal));
      if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "stopped");
      if (!more) return false;
    }
  }
  return true;
}
