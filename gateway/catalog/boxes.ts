// Boxes that this datacentre prepared (docs/seeding.md). Rows stay for ever: a number is never used again.
//
// Invariants
// - `seal` is the newest manifest that was accepted whole; its number only grows.
// - Of a box's token only the SHA-256 is here.

import { fromHex, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { BoxKind } from "../../vault/seed/boxDocument.ts";
import { boxNumberMax } from "../../vault/seed/boxDocument.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export const boxStates = ["preparing", "prepared", "sealed", "importing", "imported", "abandoned"] as const;
/** preparing: its directory is being made, or was left half made. The others: docs/seeding.md. */
export type BoxState = (typeof boxStates)[number];

export type BoxSeal = {
  /** How often the box was sealed. */
  readonly seal: number;
  /** SHA-256 of the manifest, hex. */
  readonly manifest: string;
  /** When it was sealed, RFC 3339. */
  readonly time: string;
};

export type BoxRow = {
  readonly number: number;
  /** Gateway id of the box, 32 hex digits. */
  readonly id: string;
  readonly kind: BoxKind;
  readonly name: string;
  readonly state: BoxState;
  /** Accounts that it was made for; `devices` null for all of the account. */
  readonly accounts: readonly { readonly account: string; readonly devices: readonly string[] | null }[];
  /** Ed25519 key that signs its manifests, 64 hex digits. */
  readonly signer: string;
  /** SHA-256 of its token here, hex. */
  readonly tokenHash: string;
  /** Of its TLS key: SHA256:<64 hex digits>. */
  readonly fingerprint: string;
  readonly urls: readonly string[];
  /** RFC 3339. */
  readonly created: string;
  readonly seal: BoxSeal | null;
};

const counterKey = Buffer.from("boxes");

export class Boxes {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<BoxRow>;
  /** Numbers by the SHA-256 of tokens. */
  readonly #tokens: Table<number>;
  readonly #counters: Table<number>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "boxes", jsonCodec<BoxRow>());
    this.#tokens = openTable(environment, "box-tokens", jsonCodec<number>());
    this.#counters = openTable(environment, "counters", jsonCodec<number>());
  }

  get(number: number): BoxRow | undefined {
    return this.#rows.get(numberKey(number));
  }

  /** The box of this gateway id. */
  byId(id: string): BoxRow | undefined {
    return this.list().find((row) => row.id === id);
  }

  /** The box whose token has this SHA-256. */
  byToken(hash: Uint8Array): BoxRow | undefined {
    const number = this.#tokens.get(hash);
    const row = number === undefined ? undefined : this.get(number);
    // A box that was begun anew has another token than at first.
    return row?.tokenHash === toHex(hash) ? row : undefined;
  }

  /** All boxes, in order of their numbers. */
  list(): BoxRow[] {
    return this.#rows.entries().map(([, row]) => row);
  }

  /** A box that has an account on board and is still to come back; `kind`: of this kind alone. */
  outWith(account: string, kind?: BoxKind): BoxRow | undefined {
    return this.list().find(
      (row) =>
        row.state !== "imported" &&
        row.state !== "abandoned" &&
        (kind === undefined || row.kind === kind) &&
        row.accounts.some((each) => each.account === account),
    );
  }

  /** A number that no box had or will have. @throws HoldfastError limit-exceeded */
  nextNumber(): number {
    return this.#environment.write(() => {
      const number = (this.#counters.get(counterKey) ?? 0) + 1;
      if (number > boxNumberMax) {
        throw new HoldfastError(ErrorCode.limitExceeded, "there are no more box numbers");
      }
      this.#counters.put(counterKey, number);
      return number;
    });
  }

  /** Enters a box. */
  add(row: BoxRow): BoxRow {
    return this.#environment.write(() => this.#put(row));
  }

  /**
   * Enters boxes of a catalog that comes back from a replica, with the numbers that they had. What they promised did not come with it: their
   * manifests are to be taken in again.
   */
  restore(rows: readonly BoxRow[]): void {
    this.#environment.write(() => {
      for (const row of rows) {
        const open = row.state === "sealed" || row.state === "importing";
        this.#put(open ? { ...row, state: "prepared", seal: null } : row);
      }
      this.#counters.put(counterKey, Math.max(0, ...rows.map(({ number }) => number)));
    });
  }

  /** Changes a row in one transaction. @throws HoldfastError not-found */
  update(number: number, change: (row: BoxRow) => BoxRow): BoxRow {
    return this.#environment.write(() => {
      const row = this.get(number);
      if (row === undefined) throw noSuchBox(number);
      return this.#put(change(row));
    });
  }

  #put(row: BoxRow): BoxRow {
    this.#rows.put(numberKey(row.number), row);
    this.#tokens.put(fromHex(row.tokenHash, 32), row.number);
    return row;
  }
}

/** What is said of a number that no box has. */
export function noSuchBox(number: number): HoldfastError {
  return new HoldfastError(ErrorCode.notFound, `there is no box ${number}`, {
    next: "`holdfast seed status --data DIR` lists the boxes.",
  });
}

function numberKey(number: number): Buffer {
  const key = Buffer.alloc(4);
  key.writeUInt32BE(number);
  return key;
}
