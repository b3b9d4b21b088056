// Lists of chunks for tests: of given ids, and of everything that a gateway has in a vault.

import type { OpenVault } from "../../../gateway/openVault.ts";
import { encodeChunkList } from "../../../vault/seed/chunkList.ts";

/** The list of these ids; each group once, ascending. */
export function chunkListOf(
  groups: readonly { readonly group: number; readonly ids: readonly Uint8Array[] }[],
): AsyncGenerator<Buffer> {
  return encodeChunkList(
    groups.map(({ group, ids }) => {
      const prefixes = ids.map((id) => Buffer.from(id.subarray(0, 8))).sort(Buffer.compare);
      const distinct = prefixes.filter((prefix, i) => i === 0 || !prefix.equals(prefixes[i - 1]!));
      return { group, count: distinct.length, prefixes: [Buffer.concat(distinct)] };
    }),
  );
}

/** First 16 bytes of the ids of all records of a vault, by group. */
export async function recordsOf(vault: OpenVault): Promise<{ group: number; ids: Buffer[] }[]> {
  await vault.store.flush(() => undefined);
  const groups = new Map<number, Buffer[]>();
  vault.store.index.scan(undefined, Number.POSITIVE_INFINITY, (group, idPrefix) => {
    const ids = groups.get(group) ?? [];
    groups.set(group, ids);
    ids.push(Buffer.from(idPrefix));
  });
  return [...groups].map(([group, ids]) => ({ group, ids })).sort((a, b) => a.group - b.group);
}
