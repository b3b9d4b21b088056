// The token that Prometheus shows: one, of which the catalog keeps the SHA-256.

import { timingSafeEqual } from "node:crypto";
import { issueToken, tokenHash } from "../auth/tokens.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { bytesCodec, openTable, type Table } from "../index/table.ts";

const key = Buffer.from("sha256");

export class MetricsToken {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Uint8Array>;

  /** `environment`: the catalog's. */
  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "metrics-token", bytesCodec);
  }

  /** A new one; the one before is worth nothing from now on. */
  issue(): string {
    const { token, hash } = issueToken("metrics");
    this.#environment.write(() => this.#rows.put(key, hash));
    return token;
  }

  /** Whether there was one. */
  remove(): boolean {
    return this.#environment.write(() => this.#rows.remove(key));
  }

  fits(token: string): boolean {
    const hash = this.#rows.get(key);
    return hash !== undefined && timingSafeEqual(hash, tokenHash(token));
  }
}
