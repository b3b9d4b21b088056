// Where else packs are: one row for each pack and replica that holds it, in the vault's index environment, so that evicting a
// pack and what is known of its other copies change in one transaction.
//
// Invariants
// - `put`: the replica acknowledged the pack. `listed`: a committed root there lists it. Only then it counts as kept elsewhere.
// - `proof` never falls, except that `clear` takes the row away when a check finds the copy missing or wrong.
// - A listed copy that is missing or wrong is in `wrong` until it is proven again: replication puts it there anew, and signs nothing until then. It is
//   listed again with that proof.
// - A pack may lose its local file only while some replica has it listed, with the proof that evicting asks for.

import { fromHex, toHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "./environment.ts";
import { bytesCodec, type Codec, openTable, type Table } from "./table.ts";

/** How well a copy is proven: acknowledged only; the store's own checksum compared; all bytes read back or hashed at the far end. */
export type PlaceProof = "none" | "checksum" | "hashed";

export type PackPlace = {
  readonly listed: boolean;
  readonly proof: PlaceProof;
  /** When it was last proven, milliseconds since 1970; 0: never, or before something happened there. */
  readonly provenMs: number;
};

const proofs: readonly PlaceProof[] = ["none", "checksum", "hashed"];

/** listed u8, proof u8, 6 x 0, proven f64 */
const codec: Codec<PackPlace> = {
  encode: ({ listed, proof, provenMs }) => {
    const bytes = Buffer.alloc(16);
    bytes[0] = listed ? 1 : 0;
    bytes[1] = proofs.indexOf(proof);
    bytes.writeDoubleLE(provenMs, 8);
    return bytes;
  },
  decode: (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const proof = proofs[view.getUint8(1)];
    if (bytes.length !== 16 || proof === undefined) throw new Error("pack places: a row is malformed");
    return { listed: view.getUint8(0) === 1, proof, provenMs: view.getFloat64(8, true) };
  },
};

export class PackPlaces {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<PackPlace>;
  /** By replica and pack: what `wrong` lists. */
  readonly #wrong: Table<Uint8Array>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "pack-places", codec);
    this.#wrong = openTable(environment, "pack-places-wrong", bytesCodec);
  }

  /** Runs changes of places and of packs of the same vault in one durable transaction. */
  write<T>(change: () => T): T {
    return this.#environment.write(change);
  }

  /** What is known of a pack (by ordinal) in a replica (32 hex digits). */
  get(pack: number, replica: string): PackPlace | undefined {
    return this.#rows.get(placeKey(pack, replica));
  }

  /** All replicas that acknowledged a pack. */
  of(pack: number): { readonly replica: string; readonly place: PackPlace }[] {
    const start = placeKey(pack, "00".repeat(16));
    const end = placeKey(pack + 1, "00".repeat(16));
    return this.#rows
      .entries({ start, end })
      .map(([key, place]) => ({ replica: toHex(key.subarray(4)), place }));
  }

  /** Notes what is known now; a proof that is weaker than the known one leaves that. Part of the open transaction, or one of its own. */
  put(pack: number, replica: string, place: PackPlace): void {
    this.#environment.write(() => {
      const known = this.get(pack, replica);
      const stronger = known !== undefined && proofs.indexOf(known.proof) > proofs.indexOf(place.proof);
      const { proof, provenMs } = stronger ? known : place;
      const mended = place.proof !== "none" && this.#wrong.remove(wrongKey(replica, pack));
      const listed = place.listed || known?.listed === true || mended;
      this.#rows.put(placeKey(pack, replica), { listed, proof, provenMs });
    });
  }

  /** Notes that all bytes of a copy were hashed. A copy that is not counted any more (found wrong meanwhile, or its replica removed) stays so. */
  hashed(pack: number, replica: string, provenMs: number): void {
    this.#environment.write(() => {
      if (this.get(pack, replica) !== undefined)
        this.put(pack, replica, { listed: false, proof: "hashed", provenMs });
    });
  }

  /** Somebody else wrote to a replica, or put an old state of it back: all copies there must be proven anew before anyone relies on them. */
  doubt(replica: string): void {
    const id = fromHex(replica, 16);
    this.#environment.write(() => {
      for (const [key, place] of this.#rows.entries()) {
        if (Buffer.from(key.subarray(4)).equals(id)) this.#rows.put(key, { ...place, provenMs: 0 });
      }
    });
  }

  /** Packs (ordinals) that a root of a replica lists, and whose copy there was found missing or wrong. */
  wrong(replica: string): number[] {
    const start = wrongKey(replica, 0);
    const id = start.subarray(0, 16);
    return this.#wrong
      .entries({ start, end: wrongKey(replica, 0xffff_ffff) })
      .filter(([key]) => id.equals(key.subarray(0, 16)))
      .map(([key]) => Buffer.from(key).readUInt32BE(16));
  }

  /** Replicas (32 hex digits) whose root lists a pack and whose copy was found missing or wrong. */
  wrongIn(pack: number): string[] {
    return this.#wrong
      .entries()
      .filter(([key]) => Buffer.from(key).readUInt32BE(16) === pack)
      .map(([key]) => toHex(key.subarray(0, 16)));
  }

  /** Inside a write transaction: the pack is no more. */
  forgetPack(pack: number): void {
    for (const { replica } of this.of(pack)) this.#rows.remove(placeKey(pack, replica));
    for (const replica of this.wrongIn(pack)) this.#wrong.remove(wrongKey(replica, pack));
  }

  /** Forgets a copy that is missing or wrong, or all of a replica's when `pack` is undefined. */
  clear(replica: string, pack?: number): void {
    this.#environment.write(() => {
      if (pack !== undefined) {
        if (this.get(pack, replica)?.listed === true) this.#wrong.put(wrongKey(replica, pack), Buffer.of(1));
        this.#rows.remove(placeKey(pack, replica));
        return;
      }
      for (const ordinal of this.wrong(replica)) this.#wrong.remove(wrongKey(replica, ordinal));
      const id = fromHex(replica, 16);
      for (const [key] of this.#rows.entries()) {
        if (Buffer.from(key.subarray(4)).equals(id)) this.#rows.remove(key);
      }
    });
  }
}

function wrongKey(replica: string, pack: number): Buffer {
  const key = Buffer.alloc(20);
  fromHex(replica, 16).copy(key, 0);
  key.writeUInt32BE(pack, 16);
  return key;
}

function placeKey(pack: number, replica: string): Buffer {
  const key = Buffer.alloc(20);
  key.writeUInt32BE(pack, 0);
  fromHex(replica, 16).copy(key, 4);
  return key;
}
