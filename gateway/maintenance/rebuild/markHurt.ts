// Snapshots that are not whole, marked for all who list them: they wait for an agent, or a box, that brings what they lack.

import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import { walkBelow } from "../../index/walkBelow.ts";
import { rootOf } from "../../replica/restore/snapshots.ts";
import type { VaultTables } from "../../replica/restore/vaultTables.ts";

/** A snapshot that reaches records of which there is no sound copy here, nor, as far as is known, elsewhere. */
export type HurtSnapshot = {
  /** 64 hex digits. */
  readonly id: string;
  readonly item: string;
  readonly received: string;
  /** Records that are lacking, and the ids (hex; of some that a check finds, the first half) of the first of them. */
  readonly lacking: number;
  readonly ids: readonly string[];
};

/** Ids that are told of one snapshot. */
export const hurtIdsMax = 1000;

/** Marks the snapshots that reach a record without a sound copy: they wait for agents. */
export async function markHurt(
  tables: Pick<VaultTables, "catalog" | "environment" | "index" | "needs">,
  snapshots: readonly Snapshot[],
  signal: AbortSignal,
): Promise<HurtSnapshot[]> {
  const { catalog, environment, index, needs } = tables;
  const unmet = needs.unmet();
  if (unmet.size === 0) return [];
  const hurt: HurtSnapshot[] = [];
  const whole = new OrdinalSet();
  for (const snapshot of snapshots) {
    signal.throwIfAborted();
    const root = index.lookup(snapshot.group, rootOf(snapshot));
    if (root === undefined) throw new Error(`the root of snapshot ${snapshot.id} has no row`);
    const seen = new OrdinalSet();
    const ids: string[] = [];
    let lacking = 0;
    let witness = -1;
    const visit = (ordinal: number): "on" => {
      const need = unmet.get(ordinal);
      if (need === undefined) return "on";
      lacking++;
      witness = ordinal;
      if (ids.length < hurtIdsMax) ids.push(need.id);
      return "on";
    };
    await walkBelow(index, root.ordinal, visit, seen, whole);
    if (lacking === 0) whole.addAll(seen);
    else {
      const { id, item, received } = snapshot;
      hurt.push({ id, item, received, lacking, ids });
      environment.write(() => catalog.waiting.put(id, [{ box: 0, ordinal: witness }]));
    }
  }
  return hurt;
}
