// Packs that repack copied records into and that no root of a replica lists: what lived in packs that have left may be in them alone.

import { CopiedPacks } from "../../index/copiedPacks.ts";
import type { VaultStore } from "../../store/vaultStore.ts";
import type { JobRow } from "./jobState.ts";

/** Their ordinals. `job`: up to where packs are listed, and which of those before are not. */
export function unlistedCopies(
  { environment, packs }: Pick<VaultStore, "environment" | "packs">,
  { packCursor, packsLeft }: Pick<JobRow, "packCursor" | "packsLeft">,
): number[] {
  const { upTo } = new CopiedPacks(environment);
  const left = packsLeft.filter((ordinal) => ordinal <= upTo && packs.get(ordinal) !== undefined);
  const behind = packs.from(packCursor, Math.max(0, upTo + 1 - packCursor));
  return [...left, ...behind.map(({ ordinal }) => ordinal).filter((ordinal) => ordinal <= upTo)];
}
