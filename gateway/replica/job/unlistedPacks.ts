// Packs that no root of a replica lists, and that something which is listed may need: those that repack copied records into (what lived in packs that have
// left may be in them alone), and those that there were when a run took its snapshots.

import { CopiedPacks } from "../../index/copiedPacks.ts";
import type { VaultStore } from "../../store/vaultStore.ts";
import type { JobRow } from "./jobState.ts";

/**
 * Ordinals of packs that no root lists, up to the newest that repack wrote to, and below `end`. `job`: up to where packs are listed, and which of
 * those before are not.
 */
export function unlistedPacks(
  { environment, packs }: Pick<VaultStore, "environment" | "packs">,
  { packCursor, packsLeft }: Pick<JobRow, "packCursor" | "packsLeft">,
  end = 0,
): number[] {
  const upTo = Math.max(new CopiedPacks(environment).upTo, end - 1);
  const left = packsLeft.filter((ordinal) => ordinal <= upTo && packs.get(ordinal) !== undefined);
  const behind = packs.from(packCursor, Math.max(0, upTo + 1 - packCursor));
  return [...left, ...behind.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal <= upTo)];
}
