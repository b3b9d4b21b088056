// Access tokens: what operators and auditors show. A revoked one is removed, an expired one stays until it is revoked, so that lists can tell why it fails.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export const tokenRoles = ["auditor", "operator"] as const;
export type TokenRole = (typeof tokenRoles)[number];

/** What a token may be held to; each route under /v1/admin/ is of one of them. */
export const tokenScopes = [
  "status",
  "accounts",
  "devices",
  "vaults",
  "snapshots",
  "retention",
  "alerts",
  "jobs",
  "replicas",
  "peers",
  "audit",
  "prune",
  "undelete",
  "scrub",
  "evict",
  "gc",
  "check",
  "drill",
] as const;
export type TokenScope = (typeof tokenScopes)[number];

export type AccessTokenRow = {
  /** 16 hex digits. */
  readonly id: string;
  /** Unique. */
  readonly label: string;
  readonly role: TokenRole;
  /** null: all of its role. */
  readonly scopes: readonly TokenScope[] | null;
  /** SHA-256 of the token, hex. */
  readonly hash: string;
  /** RFC 3339. */
  readonly created: string;
  readonly expires: string;
};

export const accessTokensMax = 1000;

export class AccessTokens {
  readonly #environment: IndexEnvironment;
  /** By hash. */
  readonly #rows: Table<AccessTokenRow>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "access-tokens", jsonCodec<AccessTokenRow>());
  }

  byHash(hash: Uint8Array): AccessTokenRow | undefined {
    return this.#rows.get(hash);
  }

  /** The oldest first. */
  list(): AccessTokenRow[] {
    const rows = this.#rows.entries().map(([, row]) => row);
    return rows.sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : 0));
  }

  /** @throws HoldfastError exists for its label, limit-exceeded */
  add(row: AccessTokenRow): void {
    this.#environment.write(() => {
      const rows = this.list();
      if (rows.some(({ label }) => label === row.label)) {
        throw new HoldfastError(
          ErrorCode.exists,
          `there is an access token ${JSON.stringify(row.label)} already`,
          {
            next: "Choose another --label, or revoke the old one.",
          },
        );
      }
      if (rows.length >= accessTokensMax) {
        throw new HoldfastError(
          ErrorCode.limitExceeded,
          `there are at most ${accessTokensMax} access tokens`,
          {
            next: "Revoke some that are no longer used.",
          },
        );
      }
      this.#rows.put(fromHex(row.hash, 32), row);
    });
  }

  /** By id or label. @throws HoldfastError not-found */
  remove(which: string): AccessTokenRow {
    return this.#environment.write(() => {
      const row = this.list().find(({ id, label }) => id === which || label === which);
      if (row === undefined) {
        throw new HoldfastError(ErrorCode.notFound, "there is no such access token", {
          next: "`holdfast token list` shows which there are.",
        });
      }
      this.#rows.remove(fromHex(row.hash, 32));
      return row;
    });
  }
}
