// How fast packs of this gateway can be read and hashed: a few of them are, so that a dry run can say how long all of them take.

import type { Gateway } from "../gateway.ts";
import type { PackRow } from "../index/packTable.ts";
import { whyNotSound } from "./seal/verifiedPacks.ts";

export type ReadSample = { readonly packs: number; readonly bytes: number; readonly seconds: number };

const packsMax = 8;
const bytesMax = 256 * 2 ** 20;
/** As sealing reads: one is read while another is hashed. */
const readersMax = 2;

/** Reads some packs that are on this gateway's disk, spread over all of them. Null where there are none. @throws the system's errors */
export async function sampleReads(gateway: Gateway): Promise<ReadSample | null> {
  const all: { readonly directory: string; readonly row: PackRow }[] = [];
  for (const { id } of gateway.catalog.vaults.list()) {
    const vault = await gateway.vault(id);
    const directory = gateway.vaultDirectory(id);
    for (const row of vault.store.packs.all()) if (row.state === "closed") all.push({ directory, row });
  }
  if (all.length === 0) return null;
  const step = Math.max(1, Math.floor(all.length / packsMax));
  const chosen = all.filter((_, at) => at % step === 0).slice(0, packsMax);
  const rest = chosen.values();
  let [packs, bytes] = [0, 0];
  const read = async (): Promise<void> => {
    for (const { directory, row } of rest) {
      if (bytes >= bytesMax) return;
      packs++;
      bytes += row.bytes;
      // What is damaged is told by who reads all of them.
      await whyNotSound(directory, row);
    }
  };
  const startedMs = performance.now();
  await Promise.all(Array.from({ length: readersMax }, read));
  return { packs, bytes, seconds: (performance.now() - startedMs) / 1000 };
}
