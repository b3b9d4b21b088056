// The lists of a vault on a sealed box (docs/format.md, section 12.3), each whole and durable under its name before the manifest names it.

import { createHash, type Hash } from "node:crypto";
import { createReadStream } from "node:fs";
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { PackKind, SeedListType } from "../../../vault/magic.ts";
import { sealCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import { encodeChunkList } from "../../../vault/seed/chunkList.ts";
import { encodeListHeader } from "../../../vault/seed/listHeader.ts";
import type { SeedList, SeedListName, SeedVault } from "../../../vault/seed/manifest.ts";
import { encodePackRow } from "../../../vault/seed/packList.ts";
import { encodeSnapshotRow } from "../../../vault/seed/snapshotList.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { Vault } from "../../catalog/vaults.ts";
import type { PackRow } from "../../index/packTable.ts";
import { isHere } from "../../index/row.ts";
import type { OpenVault } from "../../openVault.ts";
import { exportVaultPart } from "../../replica/gatewayState/vaultPart.ts";
import { fillFileDurably, makeFolderDurably } from "../../store/files.ts";
import { listPath } from "../listFiles.ts";
import { ChunkPrefixes } from "./chunkPrefixes.ts";

export type ListsOptions = {
  readonly vault: OpenVault;
  readonly row: Vault;
  /** The box's data directory. */
  readonly path: string;
  /** Ordinals of packs that stay off the manifest. */
  readonly without: ReadonlySet<number>;
  /** Rows of devices that were enrolled at the box. */
  readonly devices: readonly object[];
  readonly signal: AbortSignal;
};

export type WrittenLists = {
  readonly row: SeedVault;
  /** Snapshots whose file is damaged or missing: they are left off. */
  readonly lostSnapshots: readonly Snapshot[];
};

const snapshotsAtOnce = 1000;

/** Writes all lists of a vault. Its index is flushed and does not change meanwhile. @throws HoldfastError disk-full, io-error; the signal's reason */
export async function writeLists(options: ListsOptions): Promise<WrittenLists> {
  const { vault, row, path } = options;
  const folder = join(path, "seed", row.id);
  await makeFolderDurably(join(path, "seed"));
  await makeFolderDurably(folder);
  const file = (list: SeedListName): string => listPath(join(path, "seed"), row.id, list);
  const packs = packsOnBoard(options);
  const { snapshots, lost } = await readableSnapshots(options);
  const { chunks, list } = await writeChunks(options, folder, file("chunks"));
  const keys = Buffer.from(`${JSON.stringify(vault.keys, null, 1)}\n`);
  const lists = {
    packs: await writeList(file("packs"), packPieces(packs)),
    snapshots: await writeList(file("snapshots"), snapshotPieces(vault, snapshots)),
    chunks: list,
    catalog: await writeList(file("catalog"), [sealedPart(options)]),
    keys: await writeList(file("keys"), [keys]),
  };
  const packBytes = packs.reduce((sum, { bytes }) => sum + bytes, 0);
  const counts = { packs: packs.length, packBytes, snapshots: snapshots.length, chunks };
  return { row: { id: row.id, account: row.account, ...counts, lists }, lostSnapshots: lost };
}

/** Data packs, then metadata packs, each in the order in which they were begun. */
function packsOnBoard({ vault, without }: ListsOptions): PackRow[] {
  const rows = [...vault.store.packs.all()].filter(
    (row) => row.state !== "open" && row.records > 0 && !without.has(row.ordinal),
  );
  return rows.sort((a, b) => (a.kind === b.kind ? a.ordinal - b.ordinal : a.kind === "data" ? -1 : 1));
}

function* packPieces(packs: readonly PackRow[]): Generator<Buffer> {
  yield encodeListHeader(SeedListType.packs, packs.length);
  for (const { name, bytes, kind, records } of packs) {
    yield encodePackRow({
      name: name!,
      bytes,
      kind: kind === "data" ? PackKind.data : PackKind.metadata,
      records,
    });
  }
}

/** All snapshots in the order of their commits, without those whose object is not as it should be. */
async function readableSnapshots({ vault, signal }: ListsOptions) {
  const snapshots: Snapshot[] = [];
  const lost: Snapshot[] = [];
  for (let order = 0; ; ) {
    const page = vault.catalog.committedAfter(order, snapshotsAtOnce);
    if (page.length === 0) return { snapshots, lost };
    for (const row of page) {
      signal.throwIfAborted();
      order = row.order;
      try {
        await vault.snapshotObject(row.snapshot);
        snapshots.push(row.snapshot);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        lost.push(row.snapshot);
      }
    }
  }
}

async function* snapshotPieces(vault: OpenVault, snapshots: readonly Snapshot[]): AsyncGenerator<Buffer> {
  yield encodeListHeader(SeedListType.snapshots, snapshots.length);
  for (const snapshot of snapshots) {
    const object = await vault.snapshotObject(snapshot);
    yield encodeSnapshotRow({ receivedMs: Date.parse(snapshot.received), object });
  }
}

/** By a file of runs between: how many distinct prefixes a group has is known only when all are sorted, and stands before them. */
async function writeChunks(
  { vault, without }: ListsOptions,
  folder: string,
  path: string,
): Promise<{ chunks: number; list: SeedList }> {
  const { index, packs } = vault.store;
  const onBoard = new Set<number>();
  for (const { ordinal, state } of packs.all()) {
    if (state !== "open" && !without.has(ordinal)) onBoard.add(ordinal);
  }
  const prefixes = new ChunkPrefixes(index, (row) => isHere(row) && onBoard.has(row.pack));
  const between = join(folder, "chunks-sorted");
  const groups: { group: number; count: number; start: number }[] = [];
  let written = 0;
  try {
    await fillFileDurably(between, async (file) => {
      for (const group of await prefixes.groups()) {
        const start = written;
        for await (const run of prefixes.runs(group)) {
          await file.appendFile(run);
          written += run.length;
        }
        groups.push({ group: group.group, count: (written - start) / 8, start });
      }
    });
    const pieces = encodeChunkList(
      groups.map(({ group, count, start }) => ({
        group,
        count,
        prefixes: rangeOf(between, start, start + count * 8),
      })),
    );
    return { chunks: written / 8, list: await writeList(path, pieces) };
  } finally {
    await rm(between, { force: true });
  }
}

/** A range of a file in pieces of whole prefixes. */
async function* rangeOf(path: string, start: number, end: number): AsyncGenerator<Buffer> {
  yield* createReadStream(path, { start, end: end - 1, highWaterMark: 2 ** 20 });
}

/** What packs and snapshots do not say, sealed under the vault's metadata key. */
function sealedPart({ vault, row, devices, without }: ListsOptions): Buffer {
  const part = JSON.parse(exportVaultPart(vault).toString()) as {
    items: { id: string }[];
    needs: { pack: string | null }[];
  };
  const lost = new Set(
    [...vault.store.packs.all()].flatMap(({ ordinal, name }) =>
      name !== undefined && without.has(ordinal) ? [toHex(name)] : [],
    ),
  );
  const items = vault.catalog.items();
  const text = JSON.stringify({
    ...part,
    items,
    needs: part.needs.filter(({ pack }) => pack === null || !lost.has(pack)),
    devices,
  });
  const key = vaultCatalogKey(Buffer.from(row.metadataKey, "base64"), fromHex(row.id, 16));
  return sealCatalog(Buffer.from(text), key);
}

/** Writes pieces under a name, durably, and says what they are. */
async function writeList(
  path: string,
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): Promise<SeedList> {
  const hash: Hash = createHash("sha256");
  let bytes = 0;
  await fillFileDurably(path, async (file) => {
    for await (const piece of pieces) {
      hash.update(piece);
      bytes += piece.length;
      await file.appendFile(piece);
    }
  });
  return { bytes, sha256: hash.digest("hex") };
}
