// Puts good copies from replicas in the place of a vault's files that are damaged or missing, and says which are neither whole nor to be had.
// In a dry run nothing is written: copies are told as packs that would be here.

import { statfs } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { PackKind } from "../../../vault/magic.ts";
import { makeFolderDurably, writeFileDurably } from "../../store/files.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import { packContents } from "../../store/packRecords.ts";
import { tailPath } from "../../store/packTails.ts";
import type { KnownRows } from "../rebuild/knownRows.ts";
import { inspectPack, inspectTail, type NamedFile, namedFiles, parseTail } from "../rebuild/packFile.ts";
import type { KnownPack } from "../rebuild/settlePacks.ts";
import { readSnapshotFiles } from "../rebuild/snapshotFiles.ts";
import type { ReplicaCopies } from "./replicaCopies.ts";

/** A file that was damaged or missing. */
export type Found = {
  readonly kind: "pack" | "snapshot" | "document";
  /** Name in hex, or of the document. */
  readonly name: string;
  readonly why: string;
  /** Name of the replica that a good copy came from, or would; null where there is none. */
  readonly from: string | null;
  readonly notHealed: string | null;
};

export type HealPort = {
  readonly vault: string;
  readonly directory: string;
  readonly dryRun: boolean;
  readonly copies: ReplicaCopies;
  readonly known: KnownRows;
  /** Bytes that stay free on the disk. */
  readonly reserveBytes: number;
  readonly signal: AbortSignal;
  readonly onFound: (found: Found) => void;
  readonly looked: (bytes: number) => void;
};

export type HealedPacks = {
  /** Why closed packs that are here are not whole, by path. */
  readonly unsound: ReadonlyMap<string, string>;
  /** Packs that would be here but for a dry run. */
  readonly copies: readonly KnownPack[];
  /** How many were put in place, or would be. */
  readonly healed: number;
  /** Packs that are neither here nor in a replica. */
  readonly gone: number;
};

/** Reads every closed pack, and heals what can be healed. `all`: also packs that only replicas know of. @throws HoldfastError disk-full, io-error */
export async function healPacks(port: HealPort, all: boolean): Promise<HealedPacks> {
  const unsound = new Map<string, string>();
  const copies: KnownPack[] = [];
  const here = new Set<string>();
  let healed = 0;
  let gone = 0;
  for (const file of namedFiles(port.directory, "packs")) {
    port.signal.throwIfAborted();
    const name = toHex(file.name);
    here.add(name);
    const state = await inspectPack(file, true);
    port.looked(file.bytes);
    if (state.sound) continue;
    const copy = await bring(port, name, state.why, file);
    if (copy === undefined) unsound.set(file.path, state.why);
    else healed++;
    if (copy !== undefined && copy !== "here") copies.push(copy);
  }
  for (const file of namedFiles(port.directory, "tails")) {
    const isKept =
      port.known.packs.get(toHex(file.name)) !== "closed" && (await inspectTail(file)) !== undefined;
    if (isKept) here.add(toHex(file.name));
  }
  const wanted = all
    ? [...port.known.packs.keys(), ...port.copies.packs().map(({ name }) => name)]
    : port.known.packs.keys();
  for (const name of new Set(wanted)) {
    if (here.has(name)) continue;
    port.signal.throwIfAborted();
    const copy = await bring(port, name, "its file is not there", undefined);
    if (copy === undefined) gone++;
    else healed++;
    if (copy !== undefined && copy !== "here") copies.push(copy);
  }
  return { unsound, copies, healed, gone };
}

/** A pack from a replica: it is here now, or what it is that would be. Undefined where no good copy is to be had. */
async function bring(
  port: HealPort,
  name: string,
  why: string,
  file: NamedFile | undefined,
): Promise<KnownPack | "here" | undefined> {
  const told = (outcome: { from: string } | { none: string }): void =>
    port.onFound({
      kind: "pack",
      name,
      why,
      from: "from" in outcome ? outcome.from : null,
      notHealed: "none" in outcome ? outcome.none : null,
    });
  const path = closedPackPath(port.directory, fromHex(name, 32));
  if (port.dryRun) {
    const bytes = await port.copies.packBytes(name);
    told(bytes === undefined ? { none: "no replica has it" } : { from: port.copies.namesOf(name) });
    if (bytes === undefined) return undefined;
    const { kind, nonce, rows } = packContents(bytes);
    return {
      name: fromHex(name, 32),
      kind: kind === PackKind.data ? "data" : "meta",
      nonce: Buffer.from(nonce),
      bytes: bytes.length,
      records: rows.length,
      mtimeMs: file?.mtimeMs ?? 0,
      from: "copy",
      path,
      // Asked for again when its records are taken in: all of them would be much to hold.
      load: () => port.copies.requirePack(name),
    };
  }
  if (!port.copies.hasPack(name)) {
    told({ none: "no replica has it" });
    return undefined;
  }
  await makeFolderDurably(join(port.directory, "packs"));
  await makeFolderDurably(dirname(path));
  const isElsewhere = port.known.packs.get(name) === "evicted" || !(await hasRoom(port, name));
  if (file === undefined && isElsewhere) return bringTail(port, name, told);
  const outcome = await port.copies.packTo(name, path);
  told(outcome);
  return "from" in outcome ? "here" : undefined;
}

async function hasRoom({ directory, copies, reserveBytes }: HealPort, name: string): Promise<boolean> {
  const { bavail, bsize } = await statfs(directory);
  return bavail * bsize >= copies.bytesOf(name) + reserveBytes;
}

/** A data pack that was evicted, or for which there is no room: its content is read from the replica. */
async function bringTail(
  { directory, copies }: HealPort,
  name: string,
  told: (outcome: { from: string } | { none: string }) => void,
): Promise<"here" | undefined> {
  const tail = await copies.packTail(name);
  if (tail === undefined || parseTail(tail).kind !== PackKind.data) {
    told({ none: "it cannot be read, or there is no room for it on the disk" });
    return undefined;
  }
  const path = tailPath(directory, fromHex(name, 32));
  await makeFolderDurably(join(directory, "tails"));
  await makeFolderDurably(dirname(path));
  await writeFileDurably(path, tail);
  told({ from: copies.namesOf(name) });
  return "here";
}

/** The same for snapshot objects. @throws HoldfastError disk-full, io-error */
export async function healSnapshots(port: HealPort): Promise<void> {
  const { directory, vault, known, copies, dryRun } = port;
  const found = await readSnapshotFiles(directory, vault, known.snapshots);
  const here = new Set(found.rows.map(({ id }) => id));
  const bad = new Map(found.damaged.map(({ id, why }) => [id, why]));
  // Where the database does not say which there were, what replicas list counts.
  for (const { id } of known.fromOld ? [] : copies.snapshots()) {
    if (!here.has(id) && !bad.has(id) && !found.leftOut.includes(id)) bad.set(id, "its file is not there");
  }
  for (const [id, why] of bad) {
    port.signal.throwIfAborted();
    const copy = await copies.snapshot(id);
    const isHealed = "bytes" in copy;
    if (isHealed && !dryRun) {
      await makeFolderDurably(join(directory, "snapshots"));
      await writeFileDurably(join(directory, "snapshots", id), copy.bytes);
    }
    const from = isHealed ? copy.from : null;
    port.onFound({ kind: "snapshot", name: id, why, from, notHealed: isHealed ? null : copy.none });
  }
}
