// Records that a reader found wrong.

import type { SuspectAnswer } from "../ingest/wire/messages.ts";
import type { OpenVault } from "./openVault.ts";

export type QuarantinePort = {
  /** Id of the device that reports them. */
  readonly reporter: string;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/**
 * Quarantines records: they answer "no" until an honest copy comes. Agents forget what they believe to be here. Answers how many were here and
 * not quarantined before, and, in the order of `ids`, who wrote each.
 */
export async function quarantineRecords(
  vault: OpenVault,
  group: number,
  ids: readonly Uint8Array[],
  { reporter, report }: QuarantinePort,
): Promise<SuspectAnswer> {
  return await vault.store.flush(() => {
    let quarantined = 0;
    const writers = ids.map((id) => {
      const about = vault.about(group, id);
      if (vault.needs.open(group, id, reporter) !== undefined) {
        quarantined++;
        report("quarantined", { vault: vault.id, group, ...about, reporter });
      }
      return about.writerName === null ? null : { device: about.writerName };
    });
    if (quarantined > 0) vault.catalog.renewCacheToken();
    return { quarantined, writers };
  });
}
