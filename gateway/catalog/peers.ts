// Peers: gateways that keep their replicas here. Who they are, which objects of theirs are here, and which are on their way.
//
// Invariants
// - Names are unique; an id is never used again. Of a token only its SHA-256 is here.
// - An object's row means: all bytes of its file were hashed after they were on disk, and had this SHA-256. The file is the truth of
//   what is there: a row without a file is damage, a file without a row has not been acknowledged yet.
// - `usage` is the sum over a peer's object rows: both change in one transaction.

import { fromHex, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type PeerRow = {
  /** 32 hex digits; names its folder. */
  readonly id: string;
  readonly name: string;
  /** SHA-256 of the token, hex. */
  readonly tokenHash: string;
  /** null: as much as the disk holds. */
  readonly quotaBytes: number | null;
  /** What a root has listed cannot be deleted for so long after the root that no longer does. */
  readonly holdSeconds: number;
  /** RFC 3339. */
  readonly created: string;
};

export type PeerObject = {
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  /** When it was hashed here, milliseconds since 1970. */
  readonly arrivedMs: number;
};

export type PeerUpload = {
  readonly key: string;
  readonly bytes: number;
  readonly sha256: string;
  readonly heal: boolean;
  /** Bytes that are durable in its file. */
  readonly offset: number;
  /** When the last part came, milliseconds since 1970. */
  readonly touchedMs: number;
};

export type PeerTotals = { readonly bytes: number; readonly objects: number };

/** Rows are removed in portions, so that a million of them is never in memory. */
const rowsAtATime = 10_000;

export class PeerRows {
  readonly #environment: IndexEnvironment;
  readonly #peers: Table<PeerRow>;
  /** Ids by the SHA-256 of tokens. */
  readonly #tokens: Table<string>;
  readonly #objects: Table<PeerObject>;
  readonly #uploads: Table<PeerUpload>;
  readonly #totals: Table<PeerTotals>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#peers = openTable(environment, "peers", jsonCodec<PeerRow>());
    this.#tokens = openTable(environment, "peer-tokens", jsonCodec<string>());
    this.#objects = openTable(environment, "peer-objects", jsonCodec<PeerObject>());
    this.#uploads = openTable(environment, "peer-uploads", jsonCodec<PeerUpload>());
    this.#totals = openTable(environment, "peer-totals", jsonCodec<PeerTotals>());
  }

  get(id: string): PeerRow | undefined {
    return this.#peers.get(fromHex(id, 16));
  }

  /** All peers, by name. */
  list(): PeerRow[] {
    const rows = this.#peers.entries().map(([, row]) => row);
    return rows.sort((a, b) => (a.name < b.name ? -1 : 1));
  }

  byName(name: string): PeerRow | undefined {
    return this.list().find((row) => row.name === name);
  }

  /** The peer whose token has this SHA-256. */
  byToken(hash: Uint8Array): PeerRow | undefined {
    const id = this.#tokens.get(hash);
    return id === undefined ? undefined : this.get(id);
  }

  /** @throws HoldfastError exists */
  add(row: PeerRow): void {
    this.#environment.write(() => {
      if (this.byName(row.name) !== undefined) throw peerTaken(row.name);
      this.#peers.put(fromHex(row.id, 16), row);
      this.#tokens.put(fromHex(row.tokenHash, 32), row.id);
    });
  }

  /** Gives a peer another token; the one before is worth nothing from now on. `tokenHash`: hex. */
  setToken(id: string, tokenHash: string): void {
    this.#environment.write(() => {
      const row = this.#present(id);
      this.#tokens.remove(fromHex(row.tokenHash, 32));
      this.#tokens.put(fromHex(tokenHash, 32), id);
      this.#peers.put(fromHex(id, 16), { ...row, tokenHash });
    });
  }

  /** Forgets a peer and all that is known of its objects. */
  remove(id: string): void {
    this.#environment.write(() => {
      const key = fromHex(id, 16);
      this.#tokens.remove(fromHex(this.#present(id).tokenHash, 32));
      this.#peers.remove(key);
      this.#totals.remove(key);
      for (const table of [this.#objects, this.#uploads]) {
        for (;;) {
          const rows = table.entries({ ...rangeOf(key), limit: rowsAtATime });
          for (const [row] of rows) table.remove(row);
          if (rows.length < rowsAtATime) break;
        }
      }
    });
  }

  totals(id: string): PeerTotals {
    return this.#totals.get(fromHex(id, 16)) ?? { bytes: 0, objects: 0 };
  }

  object(id: string, key: string): PeerObject | undefined {
    return this.#objects.get(objectKey(id, key));
  }

  /** Notes an object, instead of what was noted of this key. @throws HoldfastError cancelled when the peer was removed meanwhile */
  putObject(id: string, key: string, object: PeerObject): void {
    this.#environment.write(() => {
      this.#present(id);
      this.#count(id, key, object);
      this.#objects.put(objectKey(id, key), object);
    });
  }

  removeObject(id: string, key: string): void {
    this.#environment.write(() => {
      this.#count(id, key, undefined);
      this.#objects.remove(objectKey(id, key));
    });
  }

  #count(id: string, key: string, now: PeerObject | undefined): void {
    const before = this.object(id, key);
    const { bytes, objects } = this.totals(id);
    this.#totals.put(fromHex(id, 16), {
      bytes: bytes - (before?.bytes ?? 0) + (now?.bytes ?? 0),
      objects: objects - (before === undefined ? 0 : 1) + (now === undefined ? 0 : 1),
    });
  }

  upload(id: string, upload: string): PeerUpload | undefined {
    return this.#uploads.get(Buffer.concat([fromHex(id, 16), fromHex(upload, 16)]));
  }

  /** A peer's uploads by their id (32 hex digits). */
  uploads(id: string): Map<string, PeerUpload> {
    const rows = this.#uploads.entries(rangeOf(fromHex(id, 16)));
    return new Map(rows.map(([key, row]) => [toHex(key.subarray(16)), row]));
  }

  /** @throws HoldfastError cancelled when the peer was removed meanwhile */
  putUpload(id: string, upload: string, row: PeerUpload): void {
    this.#environment.write(() => {
      this.#present(id);
      this.#uploads.put(Buffer.concat([fromHex(id, 16), fromHex(upload, 16)]), row);
    });
  }

  removeUpload(id: string, upload: string): void {
    this.#environment.write(() =>
      this.#uploads.remove(Buffer.concat([fromHex(id, 16), fromHex(upload, 16)])),
    );
  }

  #present(id: string): PeerRow {
    const row = this.get(id);
    if (row === undefined) throw new HoldfastError(ErrorCode.cancelled, "this peer was removed");
    return row;
  }
}

export function peerTaken(name: string): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `there is a peer ${name} already`, {
    next: "Choose another name; `holdfast peer list` shows those there are.",
  });
}

function objectKey(id: string, key: string): Buffer {
  return Buffer.concat([fromHex(id, 16), Buffer.from(key)]);
}

/** All rows whose key begins with a peer's id and goes on. */
function rangeOf(id: Buffer): { start: Buffer; end: Buffer } {
  return { start: id, end: Buffer.concat([id, Buffer.alloc(17, 0xff)]) };
}
