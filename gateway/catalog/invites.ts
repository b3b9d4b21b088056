// Invites: each lets one machine enrol without the account's password (docs/security.md, "Invites").
//
// Invariants
// - An invite goes one way: open, claimed by one device, used by it. Each step is one durable transaction that finds the step before it, so of two that
//   race one wins. From any of them it can be revoked, and it runs out.
// - Boxes of E are in a row only while it can still be claimed or used: `settle` and each step that ends it take them out.
// - Replicas have no invites.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** E of one vault for the invite's holder (base64), and the key epoch that it is of. */
export type InviteBox = { readonly epoch: number; readonly box: string };

export type InviteClaim = {
  /** Id of the device to be, which it chose. */
  readonly device: string;
  /** X25519, base64. */
  readonly publicKey: string;
  /** SHA-256 (hex) of what only this device has: it may ask again. */
  readonly hash: string;
  /** RFC 3339. */
  readonly at: string;
};

export type InviteRow = {
  /** 32 hex digits. */
  readonly id: string;
  readonly account: string;
  /** SHA-256 of its token, hex. */
  readonly tokenHash: string;
  /** RFC 3339. */
  readonly created: string;
  readonly expires: string;
  readonly isolated: boolean;
  readonly appendOnly: boolean;
  /** What the device will be called; null: what it says. */
  readonly device: string | null;
  /** Id of the device whose history goes on. Absent for a new device. */
  readonly takeOver?: string;
  /** Fleet that the device will be in. Absent: none. */
  readonly fleet?: string;
  /** By vault id; none once it ended. */
  readonly boxes: Readonly<Record<string, InviteBox>>;
  readonly claim?: InviteClaim;
  /** RFC 3339: when its device was enrolled, or when it was revoked. */
  readonly used?: string;
  readonly revoked?: string;
};

export type InviteState = "open" | "claimed" | "used" | "revoked" | "expired";

/** Open ones of an account at a time. */
export const openInvitesMax = 1000;
/** What ended is listed for so long. */
const keptMs = 90 * 86_400_000;

export function inviteState(row: InviteRow, now: Date): InviteState {
  if (row.used !== undefined) return "used";
  if (row.revoked !== undefined) return "revoked";
  if (Date.parse(row.expires) <= now.getTime()) return "expired";
  return row.claim === undefined ? "open" : "claimed";
}

export class Invites {
  readonly #environment: IndexEnvironment;
  /** By hash of the token. */
  readonly #rows: Table<InviteRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "invites", jsonCodec<InviteRow>());
  }

  byToken(tokenHash: Uint8Array): InviteRow | undefined {
    return this.#rows.get(tokenHash);
  }

  /** Those of an account, or all; the oldest first. */
  list(account?: string): InviteRow[] {
    const rows = this.#rows.entries().map(([, row]) => row);
    return rows
      .filter((row) => account === undefined || row.account === account)
      .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  }

  /** Adds invites of one account, all or none. @throws HoldfastError limit-exceeded, exists */
  add(account: string, rows: readonly InviteRow[], now: Date): void {
    this.#environment.write(() => {
      this.settle(now);
      const open = this.list(account).filter((row) => isOpen(row, now)).length;
      if (open + rows.length > openInvitesMax) {
        throw new HoldfastError(
          ErrorCode.limitExceeded,
          `an account has at most ${openInvitesMax} open invites; there are ${open}`,
          { next: "Revoke those that are not needed." },
        );
      }
      for (const row of rows) {
        if (this.#rows.has(key(row)))
          throw new HoldfastError(ErrorCode.exists, "there is such an invite already");
        this.#rows.put(key(row), row);
      }
    });
  }

  /** Puts a row in the place of what it was. Inside a write transaction that looked at it. */
  put(row: InviteRow): void {
    this.#environment.assertWriting("changing an invite");
    this.#rows.put(key(row), row);
  }

  /** Takes the boxes out of what ran out, and rows that ended long ago. */
  settle(now: Date): void {
    const over = this.list().filter(
      (row) => !isOpen(row, now) && (Object.keys(row.boxes).length > 0 || isForgotten(row, now)),
    );
    if (over.length === 0) return;
    this.#environment.write(() => {
      for (const row of over) {
        if (isForgotten(row, now)) this.#rows.remove(key(row));
        else this.#rows.put(key(row), { ...row, boxes: {} });
      }
    });
  }

  /** Removes all of an account. Inside a write transaction. */
  removeOf(account: string): void {
    for (const row of this.list(account)) this.#rows.remove(key(row));
  }
}

function isOpen(row: InviteRow, now: Date): boolean {
  const state = inviteState(row, now);
  return state === "open" || state === "claimed";
}

function isForgotten({ used, revoked, expires }: InviteRow, now: Date): boolean {
  return Date.parse(used ?? revoked ?? expires) + keptMs <= now.getTime();
}

function key({ tokenHash }: InviteRow): Uint8Array {
  return fromHex(tokenHash, 32);
}
