// The bytes of one vault's evicted packs: from the block cache, else from copies in replicas.
//
// Invariants
// - What is handed out was accepted by the caller, who proves it against the pack's own trailer.
// - Bytes that are not accepted leave the cache; each copy is then read by itself, so that the wrong one is known and reported.

import { asBuffer, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { readTailOf } from "../store/packTails.ts";
import type { RemotePacks } from "../store/remotePacks.ts";
import type { BlockReader, BlockSource } from "./blockReader.ts";
import { isWrongCopy, type PackCopies } from "./packCopies.ts";

/** Ordinals that are looked at for the next evicted pack. */
const nextPackLooks = 8;

export class RemotePackReader implements RemotePacks {
  readonly #blocks: () => Promise<BlockReader>;
  readonly #copies: PackCopies;
  readonly #packs: PackTable;

  constructor(parts: { blocks: () => Promise<BlockReader>; copies: PackCopies; packs: PackTable }) {
    this.#blocks = parts.blocks;
    this.#copies = parts.copies;
    this.#packs = parts.packs;
  }

  async read(pack: PackRow, into: readonly Buffer[], position: number, accept: () => boolean): Promise<void> {
    const length = into.reduce((sum, part) => sum + part.length, 0);
    if (position < 0 || position + length > pack.bytes) {
      throw new HoldfastError(ErrorCode.chunkDamaged, "a record lies outside of its pack");
    }
    const source = this.#source(pack);
    const blocks = await this.#blocks();
    try {
      await blocks.read(source, into, position);
      if (accept()) return;
      await blocks.drop(source, position, length);
    } catch (error) {
      // A copy that ends within a block may still have what is wanted of it.
      if (!isWrongCopy(error)) throw error;
    }
    await this.#copies.first(pack, async (replica) => {
      const bytes = await this.#copies.read(pack, replica, position, length);
      let at = 0;
      for (const part of into) {
        bytes.copy(part, 0, at);
        at += part.length;
      }
      if (accept()) return;
      throw new HoldfastError(
        ErrorCode.replicaDamaged,
        `bytes ${position} to ${position + length} of pack ${toHex(source.name)} are not what its trailer says`,
      );
    });
  }

  tail(pack: PackRow): Promise<Uint8Array> {
    return this.#copies.first(pack, async (replica) => {
      // A pack is 48 MiB at most; this is rare.
      const bytes = Buffer.alloc(pack.bytes);
      await this.#copies.readWhole(pack, replica, (piece, offset) => void piece.copy(bytes, offset));
      return await readTailOf(pack, async (offset, length) => bytes.subarray(offset, offset + length));
    });
  }

  #source(pack: PackRow): BlockSource {
    if (pack.name === undefined) throw new Error("an open pack is not evicted");
    return {
      name: asBuffer(pack.name),
      bytes: pack.bytes,
      fetch: (offset, length, memory) =>
        this.#copies.first(pack, (replica) =>
          this.#copies.read(pack, replica, offset, length, undefined, memory),
        ),
      next: () => this.#next(pack),
    };
  }

  #next(pack: PackRow): BlockSource | undefined {
    for (let i = 1; i <= nextPackLooks; i++) {
      const next = this.#packs.get(pack.ordinal + i);
      if (next?.kind !== "data") continue;
      return next.state === "evicted" && next.bytes > Width.packHeader ? this.#source(next) : undefined;
    }
    return undefined;
  }
}
