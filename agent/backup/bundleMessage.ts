// The files of a bundle and what became of them, packed into a few arrays. One object per file would cost more to clone
// from thread to thread than reading the file costs, and a view of Node's buffer pool would take the whole pool along.

import { Width } from "../../vault/magic.ts";
import { CHANGE_MARK_WORDS } from "../platform/statTable.ts";
import type { FileOutcome, FileToOpen } from "./messages.ts";

/** Files to read; element i of each array belongs to file i. */
export type PackedFiles = {
  readonly count: number;
  readonly directories: Int32Array<ArrayBuffer>;
  readonly sizes: Float64Array<ArrayBuffer>;
  /** CHANGE_MARK_WORDS words each. */
  readonly marks: Uint32Array<ArrayBuffer>;
  readonly names: Uint8Array<ArrayBuffer>;
  readonly nameEnds: Uint32Array<ArrayBuffer>;
  /** 32 bytes each, all zero where there is no previous content. */
  readonly previousHashes: Uint8Array<ArrayBuffer>;
};

/** Outcomes; files that are unlike most (failed, changed, with attributes) stand in `special` by their index. */
export type PackedOutcomes = {
  readonly sizes: Float64Array<ArrayBuffer>;
  readonly offsets: Int32Array<ArrayBuffer>;
  readonly hashes: Uint8Array<ArrayBuffer>;
  readonly special: ReadonlyMap<number, FileOutcome>;
};

export function packFiles(files: readonly FileToOpen[]): PackedFiles {
  const count = files.length;
  const packed: PackedFiles = {
    count,
    directories: new Int32Array(count),
    sizes: new Float64Array(count),
    marks: new Uint32Array(count * CHANGE_MARK_WORDS),
    names: new Uint8Array(files.reduce((sum, file) => sum + file.name.length, 0)),
    nameEnds: new Uint32Array(count),
    previousHashes: new Uint8Array(count * Width.id),
  };
  let end = 0;
  for (const [i, file] of files.entries()) {
    packed.directories[i] = file.directory;
    packed.sizes[i] = file.size;
    packed.marks.set(file.mark, i * CHANGE_MARK_WORDS);
    packed.names.set(file.name, end);
    end += file.name.length;
    packed.nameEnds[i] = end;
    if (file.previousHash !== undefined) packed.previousHashes.set(file.previousHash, i * Width.id);
  }
  return packed;
}

/** What may be handed over without copying. */
export function transferOf(packed: PackedFiles): ArrayBuffer[] {
  const { directories, sizes, marks, names, nameEnds, previousHashes } = packed;
  return [directories, sizes, marks, names, nameEnds, previousHashes].map((array) => array.buffer);
}

/** Name of file i, a view. */
export function packedName(files: PackedFiles, i: number): Uint8Array {
  return files.names.subarray(i === 0 ? 0 : files.nameEnds[i - 1], files.nameEnds[i]);
}

/** Takes outcomes one by one. */
export class OutcomePacker {
  readonly #sizes: Float64Array<ArrayBuffer>;
  readonly #offsets: Int32Array<ArrayBuffer>;
  readonly #hashes: Uint8Array<ArrayBuffer>;
  readonly #special = new Map<number, FileOutcome>();

  constructor(count: number) {
    this.#sizes = new Float64Array(count);
    this.#offsets = new Int32Array(count);
    this.#hashes = new Uint8Array(count * Width.id);
  }

  /** A file that was read at `offset` of the bundle and did not change since the walk saw it. */
  addPlain(i: number, size: number, offset: number, fileHash: Uint8Array): void {
    this.#sizes[i] = size;
    this.#offsets[i] = offset;
    this.#hashes.set(fileHash, i * Width.id);
  }

  addSpecial(i: number, outcome: FileOutcome): void {
    this.#special.set(i, outcome);
  }

  finish(): PackedOutcomes {
    return { sizes: this.#sizes, offsets: this.#offsets, hashes: this.#hashes, special: this.#special };
  }
}

/** Outcome of file i. */
export function outcomeOf(packed: PackedOutcomes, i: number): FileOutcome {
  return (
    packed.special.get(i) ?? {
      failed: undefined,
      changed: undefined,
      row: undefined,
      xattrs: [],
      xattrsFailed: undefined,
      size: packed.sizes[i] as number,
      fileHash: packed.hashes.subarray(i * Width.id, (i + 1) * Width.id),
      offset: packed.offsets[i] as number,
      sameContent: false,
      apart: false,
    }
  );
}
