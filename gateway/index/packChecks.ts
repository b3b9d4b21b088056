// When the bytes of each local pack were last compared with their hash, and by what: in the vault's index environment, by pack ordinal. A pack without
// a row was not looked at since it was written, which read its end back. Copies in replicas are in packPlaces.ts.

import type { IndexEnvironment } from "./environment.ts";
import { type Codec, openTable, type Table } from "./table.ts";

/** scrub, check: read here; fetched: hashed while it came from a replica. */
export type PackCheckBy = "scrub" | "check" | "fetched";
export type PackCheckRow = {
  readonly by: PackCheckBy;
  /** Milliseconds since 1970. */
  readonly atMs: number;
  /** Whether its bytes were what its name says. */
  readonly sound: boolean;
};

const bys: readonly PackCheckBy[] = ["scrub", "check", "fetched"];

/** by u8, sound u8, 6 x 0, at f64 */
const codec: Codec<PackCheckRow> = {
  encode: ({ by, atMs, sound }) => {
    const bytes = Buffer.alloc(16);
    bytes[0] = bys.indexOf(by);
    bytes[1] = sound ? 1 : 0;
    bytes.writeDoubleLE(atMs, 8);
    return bytes;
  },
  decode: (bytes) => {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const by = bys[view.getUint8(0)];
    if (bytes.length !== 16 || by === undefined) throw new Error("pack checks: a row is malformed");
    return { by, sound: view.getUint8(1) === 1, atMs: view.getFloat64(8, true) };
  },
};

export class PackChecks {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<PackCheckRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "pack-checks", codec);
  }

  get(pack: number): PackCheckRow | undefined {
    return this.#rows.get(keyOf(pack));
  }

  /** Part of the open transaction, or one of its own. */
  put(pack: number, row: PackCheckRow): void {
    this.#environment.write(() => this.#rows.put(keyOf(pack), row));
  }

  /** Inside a write transaction: the pack is no more. */
  remove(pack: number): void {
    this.#rows.remove(keyOf(pack));
  }
}

function keyOf(pack: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(pack);
  return key;
}
