// The snapshots of a vault by their objects alone: which there are, and in which order they were committed.
//
// A snapshot that the database knew keeps its row, also where its object is lost: a good copy may come back.
// An object may be there whose commit was never answered (docs/format.md, section 2). Of several with one number in an item the one counts that
// the database knew; else the one that the next snapshot names as its previous; else the later file.

import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";
import { isZero, toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { parseSnapshotHeader } from "../../../vault/snapshot.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { snapshotRow } from "../../replica/restore/snapshots.ts";
import { readSnapshotObject } from "../../snapshotObject.ts";
import { errnoOf, fileError } from "../../store/files.ts";

export type SnapshotFiles = {
  /** In the order of their commits, as far as that can be told. */
  readonly rows: readonly Snapshot[];
  /** Objects that are whole and have no place in the order. */
  readonly leftOut: readonly string[];
  /** Objects that are lost or not what they are called, and why. */
  readonly damaged: readonly { readonly id: string; readonly why: string }[];
};

type Found = { readonly row: Snapshot; readonly previous: string | null; readonly mtimeMs: number };

/** Reads all snapshot objects of a vault. `known`: rows that the database had. @throws HoldfastError io-error */
export async function readSnapshotFiles(
  directory: string,
  vault: string,
  known: ReadonlyMap<string, Snapshot>,
): Promise<SnapshotFiles> {
  const folder = join(directory, "snapshots");
  const damaged: { id: string; why: string }[] = [];
  const items = new Map<string, Found[]>();
  const lost = new Map(known);
  const add = (found: Found): void => {
    const { item } = found.row;
    items.set(item, [...(items.get(item) ?? []), found]);
  };
  for (const id of await namesOf(folder)) {
    const found = await readOne(join(folder, id), id, vault, known);
    if (typeof found === "string") damaged.push({ id, why: found });
    else add(found);
    lost.delete(id);
    const row = known.get(id);
    if (typeof found === "string" && row !== undefined) add({ row, previous: null, mtimeMs: 0 });
  }
  for (const row of lost.values()) {
    damaged.push({ id: row.id, why: "its file is not there" });
    add({ row, previous: null, mtimeMs: 0 });
  }
  const leftOut: string[] = [];
  const chains = [...items.values()].map((all) => {
    const chain = inOrder(all, known);
    const kept = new Set(chain.map(({ row }) => row.id));
    leftOut.push(...all.map(({ row }) => row.id).filter((id) => !kept.has(id)));
    return chain.map(({ row }) => row);
  });
  return { rows: merge(chains), leftOut, damaged };
}

async function namesOf(folder: string): Promise<string[]> {
  try {
    return (await readdir(folder)).filter((name) => /^[0-9a-f]{64}$/.test(name)).sort();
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, folder);
  }
}

/** A snapshot, or why the file is none. */
async function readOne(
  path: string,
  id: string,
  vault: string,
  known: ReadonlyMap<string, Snapshot>,
): Promise<Found | string> {
  try {
    const { size, mtimeMs } = await stat(path);
    if (size > limits.snapshotBytesMax) return "it is longer than a snapshot can be";
    const object = await readSnapshotObject(path, id);
    const header = parseSnapshotHeader(object);
    if (toHex(header.vaultId) !== vault) return "it is of another vault";
    const time = known.get(id)?.received ?? new Date(mtimeMs).toISOString();
    const previous = isZero(header.previous) ? null : toHex(header.previous);
    return { row: snapshotRow(id, object.length, header, time), previous, mtimeMs };
  } catch (error) {
    if (!isHoldfastError(error) && errnoOf(error) === undefined) throw error;
    return (error as Error).message;
  }
}

/** One snapshot for each number, ascending. */
function inOrder(all: readonly Found[], known: ReadonlyMap<string, Snapshot>): Found[] {
  const numbers = Map.groupBy(all, ({ row }) => row.sequence);
  const chain: Found[] = [];
  let wanted: string | null = null;
  for (const sequence of [...numbers.keys()].sort((a, b) => b - a)) {
    const candidates = numbers.get(sequence) as Found[];
    const best =
      candidates.find(({ row }) => known.has(row.id)) ??
      candidates.find(({ row }) => row.id === wanted) ??
      candidates.toSorted((a, b) => b.mtimeMs - a.mtimeMs)[0];
    chain.push(best as Found);
    wanted = (best as Found).previous;
  }
  return chain.reverse();
}

/** All snapshots by the time they were received; those of an item stay in their order whatever their times say. */
function merge(chains: readonly Snapshot[][]): Snapshot[] {
  const timed = chains.flatMap((chain) => {
    let latest = "";
    return chain.map((row) => {
      if (row.received > latest) latest = row.received;
      return { at: latest, row };
    });
  });
  return timed
    .sort((a, b) => compare(a.at, b.at) || compare(a.row.item, b.row.item) || a.row.sequence - b.row.sequence)
    .map(({ row }) => row);
}

function compare(one: string, other: string): number {
  if (one === other) return 0;
  return one < other ? -1 : 1;
}
