// Makes every pack of a vault one whose trailer can be trusted, before an index is built from them: open packs are closed, damaged ones give
// way to packs of what is whole in them. docs/concurrency.md, "Rebuilding an index", has the order.

import { rm } from "node:fs/promises";
import { basename, dirname } from "node:path";
import { toHex } from "../../../vault/bytes.ts";
import { PackKind, Width } from "../../../vault/magic.ts";
import { fileError, syncDirectory } from "../../store/files.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import { moveAside } from "./moveAside.ts";
import { inspectPack, inspectTail, type NamedFile, namedFiles, openPackFiles } from "./packFile.ts";
import { type Salvaged, salvagePack, type WrongOffsets } from "./salvage.ts";

/** A pack that the new index will know. */
export type KnownPack = {
  readonly name: Buffer;
  readonly kind: "data" | "meta";
  readonly nonce: Buffer;
  readonly bytes: number;
  readonly records: number;
  readonly mtimeMs: number;
  /**
   * pack: the file is whole; tail: it is in a replica alone; salvage: what is whole in the file, which was only looked at; copy: what a replica has,
   * which was only looked at.
   */
  readonly from: "pack" | "tail" | "salvage" | "copy";
  readonly path: string;
  /** Of a salvage. */
  readonly wrong?: WrongOffsets;
  /** Of a copy: its bytes, which have the name's hash. */
  readonly load?: () => Promise<Buffer>;
};

/** What was found and done about a pack's file that was not whole. */
export type PackDamage = {
  /** File, as it was called. */
  readonly path: string;
  readonly why: string;
  /** Records that are whole in it. */
  readonly records: number;
  readonly lostBytes: number;
  /** Name of the new pack, hex; null where no record is whole. */
  readonly pack: string | null;
};

/** A file that the new index does without, once it counts. */
export type Superseded = {
  readonly path: string;
  /** All of it is in a new pack: it may be removed. What is damaged goes aside. */
  readonly whole: boolean;
};

export type SettlePort = {
  /** The vault's directory. */
  readonly directory: string;
  /** Why closed packs are not whole, by path, where all of them were read already; else metadata packs alone are compared with their names. */
  readonly unsound: ReadonlyMap<string, string> | undefined;
  /** Packs that replicas have, and that would be here but for a dry run. */
  readonly copies: readonly KnownPack[];
  readonly dryRun: boolean;
  /** Records that readers had found wrong, by the name of the file. */
  readonly wrong: ReadonlyMap<string, ReadonlySet<number>>;
  readonly signal: AbortSignal;
  /** Told of each file that was looked at. */
  readonly looked: (bytes: number) => void;
  readonly onDamage: (damage: PackDamage) => void;
};

/** Bytes of all files that `settlePacks` will look at, and how many they are. @throws HoldfastError io-error */
export function packsToSettle(directory: string): { readonly packs: number; readonly bytes: number } {
  const files = [...openPackFiles(directory), ...namedFiles(directory, "packs")];
  return { packs: files.length, bytes: files.reduce((sum, { bytes }) => sum + bytes, 0) };
}

/**
 * Takes no file's name away: whoever reads by an old index still can.
 * @returns all packs, the oldest first, and the files that go when the new index counts
 * @throws HoldfastError disk-full, io-error; the signal's reason
 */
export async function settlePacks(
  port: SettlePort,
): Promise<{ packs: KnownPack[]; superseded: Superseded[] }> {
  const superseded: Superseded[] = [];
  const known = new Map<string, KnownPack>();
  const add = (pack: KnownPack): void => {
    const name = toHex(pack.name);
    if (!known.has(name)) known.set(name, pack);
  };
  for (const copy of port.copies) add(copy);
  for (const file of openPackFiles(port.directory)) {
    port.signal.throwIfAborted();
    const pack = await closeOpen(port, file, superseded);
    if (pack !== undefined) add(pack);
    port.looked(file.bytes);
  }
  for (const file of namedFiles(port.directory, "packs")) {
    port.signal.throwIfAborted();
    const pack = known.has(toHex(file.name)) ? undefined : await settleClosed(port, file, superseded);
    if (pack !== undefined) add(pack);
    port.looked(file.bytes);
  }
  for (const file of namedFiles(port.directory, "tails")) {
    const tail = known.has(toHex(file.name)) ? undefined : await inspectTail(file);
    // Metadata is never evicted: what reads so is a left-over.
    if (tail === undefined || tail.kind === PackKind.metadata) continue;
    const { nonce, rows, bytes } = tail;
    add({ ...file, kind: "data", nonce, bytes, records: rows.length, from: "tail" });
  }
  const packs = [...known.values()].sort((a, b) => a.mtimeMs - b.mtimeMs || a.name.compare(b.name));
  return { packs, superseded };
}

/** Takes away the names of files that the index which counts now does without. @throws HoldfastError disk-full, io-error */
export async function removeSuperseded(directory: string, superseded: readonly Superseded[]): Promise<void> {
  for (const { path, whole } of superseded) {
    if (whole) await removeDurably(path);
    else await moveAside(directory, path);
  }
}

async function settleClosed(
  port: SettlePort,
  file: NamedFile,
  superseded: Superseded[],
): Promise<KnownPack | undefined> {
  const known = port.unsound?.get(file.path);
  const state =
    known === undefined ? await inspectPack(file, false) : ({ sound: false, why: known } as const);
  if (!state.sound) {
    superseded.push({ path: file.path, whole: false });
    return giveWay(port, file, state.why, await salvage(port, file));
  }
  const { kind, nonce, rows } = state;
  // Rows are views of the whole file.
  return { ...file, kind: kindOf(kind), nonce: Buffer.from(nonce), records: rows.length, from: "pack" };
}

type AnyFile = Omit<NamedFile, "name">;

function salvage(
  { directory, dryRun, wrong }: SettlePort,
  { path, mtimeMs }: AnyFile,
): Promise<Salvaged | undefined> {
  return salvagePack(path, mtimeMs, wrong.get(basename(path)), dryRun ? undefined : directory);
}

/** What is whole in a damaged file counts in its place. */
function giveWay(
  port: SettlePort,
  file: AnyFile,
  why: string,
  made: Salvaged | undefined,
): KnownPack | undefined {
  port.onDamage({
    path: file.path,
    why,
    records: made?.records ?? 0,
    lostBytes: made?.lostBytes ?? 0,
    pack: made === undefined ? null : toHex(made.name),
  });
  return made && salvagedPack(port, file, made);
}

function salvagedPack(
  { directory, dryRun, wrong }: SettlePort,
  { path, mtimeMs }: AnyFile,
  made: Salvaged,
): KnownPack {
  const pack = { ...made, kind: kindOf(made.kind), mtimeMs };
  if (dryRun) return { ...pack, from: "salvage", path, wrong: wrong.get(basename(path)) };
  return { ...pack, from: "pack", path: closedPackPath(directory, made.name) };
}

/** An open pack becomes a closed one, with all that is whole in it. */
async function closeOpen(
  port: SettlePort,
  file: AnyFile,
  superseded: Superseded[],
): Promise<KnownPack | undefined> {
  const made = await salvage(port, file);
  const whole = made === undefined ? file.bytes <= Width.packHeader : made.lostBytes === 0;
  superseded.push({ path: file.path, whole });
  if (!whole) return giveWay(port, file, "an open pack with bytes that are no whole record", made);
  return made && salvagedPack(port, file, made);
}

async function removeDurably(path: string): Promise<void> {
  try {
    await rm(path);
    await syncDirectory(dirname(path));
  } catch (error) {
    throw fileError(error, path);
  }
}

function kindOf(kind: PackKind): "data" | "meta" {
  return kind === PackKind.data ? "data" : "meta";
}
