// The one question that whatever takes snapshots away asks first: of which items nothing may go now.

import type { VaultCatalog } from "../catalog/vaultCatalog.ts";

/** Why an item is held: the guard found something, or has not looked at its newest snapshot yet. */
export type HeldBecause = "found" | "not-looked-at";

/**
 * Items (32 hex digits) of which nothing may go to the trash, and nothing of the trash may be emptied. To be asked in the transaction that
 * would take it.
 */
export function heldItems(catalog: VaultCatalog): ReadonlyMap<string, HeldBecause> {
  const { guard } = catalog.retention;
  const weighed = guard.weighed();
  const waiting = weighed === undefined ? [] : catalog.committedAfter(weighed, Number.MAX_SAFE_INTEGER);
  const held = new Map<string, HeldBecause>(waiting.map(({ snapshot }) => [snapshot.item, "not-looked-at"]));
  for (const { item } of guard.holds()) held.set(item, "found");
  return held;
}
