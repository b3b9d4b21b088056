// The records that a box for a restore is to hold, and where they are: the closure of what was chosen, less the data that the target
// still has.
//
// Memory: a bit for each record of the vault, and 40 bytes for each that is chosen.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { RecordType, Width } from "../../../vault/magic.ts";
import { OrdinalSet } from "../../index/ordinalSet.ts";
import type { ChunkRow } from "../../index/row.ts";
import { isHere } from "../../index/row.ts";
import { walkBelow } from "../../index/walkBelow.ts";
import type { OpenVault } from "../../openVault.ts";
import type { PrefixSet } from "./prefixSet.ts";

export type ChosenRecord = Pick<ChunkRow, "ordinal" | "pack" | "offset" | "length" | "type" | "writer"> & {
  readonly group: number;
};

export type Selection = {
  /** Data records in the order of packs, so that they are read front to back. */
  readonly data: readonly ChosenRecord[];
  /** Other records in the order of their numbers: children before parents. */
  readonly metadata: readonly ChosenRecord[];
  /** First 8 bytes (hex, sorted, each once) of ids that chosen records name and that are left out, by group. */
  readonly leftOut: ReadonlyMap<number, readonly string[]>;
  /** Records that are chosen and not here: on their way with a box, or needed. */
  readonly lacking: number;
  readonly bytes: number;
};

export type SelectionRoots = {
  readonly group: number;
  /** Ids, 32 bytes each. */
  readonly roots: readonly Uint8Array[];
  readonly pages: readonly Uint8Array[];
};

const bucketsAtOnce = 256;

/** `need`: data records that are wanted; all of them where it is left out. @throws HoldfastError chunk-missing where a root is not here */
export async function selectRecords(
  vault: OpenVault,
  chosen: readonly SelectionRoots[],
  need: PrefixSet | undefined,
): Promise<Selection> {
  const { store } = vault;
  await store.flush(() => undefined);
  const wanted = new OrdinalSet();
  const ordinalOf = (group: number, id: Uint8Array): number => {
    const row = store.overlay.lookup(group, id);
    if (row !== undefined) return row.ordinal;
    throw new HoldfastError(ErrorCode.chunkMissing, `record ${toHex(id)} is not here`);
  };
  for (const { group, roots } of chosen) {
    for (const id of roots) await walkBelow(store.index, ordinalOf(group, id), () => "on", wanted);
  }
  // Behind the walks, which pass over what they find there.
  const beside = new OrdinalSet();
  for (const { group, pages } of chosen) {
    for (const ordinal of pages.map((id) => ordinalOf(group, id))) {
      wanted.add(ordinal);
      for (const ref of store.index.refsOf(ordinal)) beside.add(ref);
    }
  }
  const data: ChosenRecord[] = [];
  const metadata: ChosenRecord[] = [];
  const leftOut = new Map<number, string[]>();
  let [lacking, bytes] = [0, 0];
  const leaveOut = (group: number, prefix: Uint8Array): void => {
    const out = leftOut.get(group) ?? [];
    leftOut.set(group, out);
    out.push(Buffer.from(prefix.subarray(0, 8)).toString("hex"));
  };
  let cursor: Parameters<typeof store.index.scan>[0];
  do {
    cursor = store.index.scan(cursor, bucketsAtOnce, (group, prefix, row) => {
      if (!wanted.has(row.ordinal)) {
        if (beside.has(row.ordinal)) leaveOut(group, prefix);
        return;
      }
      if (!isHere(row)) {
        lacking++;
        return;
      }
      if (row.type === RecordType.data && need !== undefined && !need.has(group, prefix)) {
        leaveOut(group, prefix);
        return;
      }
      const { ordinal, pack, offset, length, type, writer } = row;
      (type === RecordType.data ? data : metadata).push({
        group,
        ordinal,
        pack,
        offset,
        length,
        type,
        writer,
      });
      bytes += length;
    });
    await new Promise((resolve) => setImmediate(resolve));
  } while (cursor !== undefined);
  data.sort((a, b) => a.pack - b.pack || a.offset - b.offset);
  metadata.sort((a, b) => a.ordinal - b.ordinal);
  for (const [group, out] of leftOut) leftOut.set(group, [...new Set(out)].sort());
  return { data, metadata, leftOut, lacking, bytes };
}

/** The root page of a snapshot, as what is chosen. */
export function wholeSnapshot({
  group,
  root,
}: {
  readonly group: number;
  readonly root: string;
}): SelectionRoots {
  return { group, roots: [fromHex(root, Width.id)], pages: [] };
}
