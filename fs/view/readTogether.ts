// All results of one read, for who has no use for them one by one.

import type { RecordResult, RecordSource } from "./ports.ts";

/** One result per id, in the order asked. @throws as `RecordSource.readEach` */
export async function readTogether(
  source: RecordSource,
  vaultId: string,
  group: number,
  ids: readonly Uint8Array[],
  signal?: AbortSignal,
): Promise<readonly RecordResult[]> {
  if (source.read !== undefined) return await source.read(vaultId, group, ids, signal);
  const results: RecordResult[] = [];
  const take = (index: number, result: RecordResult): void => {
    results[index] = result;
  };
  await source.readEach(vaultId, group, ids, take, signal);
  return results;
}
