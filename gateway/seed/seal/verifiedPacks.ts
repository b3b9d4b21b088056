// Reads every closed pack of a vault, wherever it is, and compares it with its name, as fast as the disk gives, before a box is sealed.
//
// Invariants
// - A pack counts as verified for one seal, from the transaction on that says so: a seal that was stopped goes on behind it.
// - What was found wrong is not remembered: it is looked at again by the next seal.
// Memory: `readersMax` packs.

import { createHash } from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import type { PackRow } from "../../index/packTable.ts";
import { jsonCodec, openTable, type Table } from "../../index/table.ts";
import { errnoOf } from "../../store/files.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import type { VaultStore } from "../../store/vaultStore.ts";

/** A pack that is read while another one is hashed; more only make a disk seek. */
const readersMax = 2;
/** Packs that are noted in one transaction. */
const notedAtOnce = 32;

export type DamagedPack = {
  readonly vault: string;
  /** SHA-256, hex. */
  readonly pack: string;
  readonly ordinal: number;
  readonly why: string;
};

export type PacksVerification = {
  readonly vault: string;
  readonly directory: string;
  readonly seal: number;
  readonly signal: AbortSignal;
  /** Bytes of a pack that was looked at now, or was known. */
  readonly onPack: (bytes: number) => void;
};

export class VerifiedPacks {
  readonly #store: VaultStore;
  /** Seal for which a pack was verified last. */
  readonly #rows: Table<number>;

  constructor(store: VaultStore) {
    this.#store = store;
    this.#rows = openTable(store.environment, "seal-verified", jsonCodec<number>());
  }

  /**
   * Reads what was not verified for this seal. Answers what is not sound. Throws the signal's reason when it fires; what was read then counts.
   */
  async verify(options: PacksVerification): Promise<DamagedPack[]> {
    const { vault, seal, signal, onPack } = options;
    const damaged: DamagedPack[] = [];
    let sound: number[] = [];
    const note = (): void => {
      const done = sound;
      sound = [];
      if (done.length === 0) return;
      this.#store.environment.write(() => {
        for (const ordinal of done) this.#rows.put(keyOf(ordinal), seal);
      });
    };
    const rows = this.#toRead(seal, onPack);
    const read = async (): Promise<void> => {
      for (const row of rows) {
        signal.throwIfAborted();
        const why = await this.#whyNotSound(options.directory, row);
        if (why === undefined) sound.push(row.ordinal);
        else damaged.push({ vault, pack: toHex(row.name!), ordinal: row.ordinal, why });
        if (sound.length >= notedAtOnce) note();
        onPack(row.bytes);
      }
    };
    try {
      const readers = await Promise.allSettled(Array.from({ length: readersMax }, read));
      for (const reader of readers) if (reader.status === "rejected") throw reader.reason;
    } finally {
      note();
    }
    return damaged.sort((a, b) => a.ordinal - b.ordinal);
  }

  /** Bytes that sealing under this number would still read; what open packs hold is among them. */
  leftBytes(seal: number): number {
    let left = 0;
    for (const row of this.#store.packs.all()) {
      if (row.state === "open") left += row.coveredBytes;
      else if (this.#rows.get(keyOf(row.ordinal)) !== seal) left += row.bytes;
    }
    return left;
  }

  /** Wherever the pack is: it may leave for the second disk while it is looked at. */
  async #whyNotSound(directory: string, row: PackRow): Promise<string | undefined> {
    const here = row.state === "closed" ? await whyNotSound(directory, row) : undefined;
    if (row.state === "closed" && here === undefined) return undefined;
    const now = this.#store.packs.get(row.ordinal);
    return now?.state === "evicted" ? await whyNotSoundElsewhere(this.#store, now) : here;
  }

  /** One generator for all readers: each pack goes to one of them. */
  *#toRead(seal: number, onPack: (bytes: number) => void): Generator<PackRow> {
    for (const row of this.#store.packs.all()) {
      if (row.state === "open") continue;
      if (this.#rows.get(keyOf(row.ordinal)) === seal) onPack(row.bytes);
      else yield row;
    }
  }
}

/** In words why a pack's file is not what its name says; undefined when it is. @throws the system's error only for what is no damage */
export async function whyNotSound(directory: string, pack: PackRow): Promise<string | undefined> {
  const path = closedPackPath(directory, pack.name!);
  try {
    const { size } = await stat(path);
    if (size !== pack.bytes || size > limits.packBytesMax) {
      return `its file has ${size} bytes and not ${pack.bytes}`;
    }
    // Hashed in a thread of the pool, so that requests are answered meanwhile.
    const digest = await crypto.subtle.digest("SHA-256", await readFile(path));
    return asBuffer(new Uint8Array(digest)).equals(pack.name!)
      ? undefined
      : "its bytes have another hash than its name";
  } catch (error) {
    const errno = errnoOf(error);
    if (errno === "ENOENT") return "its file is not there";
    if (errno === "EIO") return "its file cannot be read";
    throw error;
  }
}

/** The same of a pack that is on a second disk alone. */
async function whyNotSoundElsewhere(store: VaultStore, pack: PackRow): Promise<string | undefined> {
  const hash = createHash("sha256");
  try {
    for await (const piece of store.readEvictedPack(pack, 0, pack.bytes - 1)) hash.update(piece);
  } catch (error) {
    if (isHoldfastError(error)) return `it cannot be read on the second disk: ${error.message}`;
    throw error;
  }
  return hash.digest().equals(pack.name!) ? undefined : "its bytes on the second disk have another hash";
}

function keyOf(ordinal: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(ordinal);
  return key;
}
