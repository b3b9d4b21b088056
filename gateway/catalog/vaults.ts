// Vaults: which there are and whose. What is in a vault is in the vault's own environment (vaultCatalog.ts).

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type Vault = {
  /** 32 hex digits. */
  readonly id: string;
  readonly account: string;
  readonly name: string;
  /** Key for roots and the sealed catalog (HKDF of A, given by the client), base64. */
  readonly metadataKey: string;
  /** Newest generation of the keys document that is known to be on disk. */
  readonly keysGeneration: number;
  /** RFC 3339. */
  readonly created: string;
};

export class Vaults {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Vault>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "vaults", jsonCodec<Vault>());
  }

  get(id: string): Vault | undefined {
    return this.#rows.get(fromHex(id, 16));
  }

  /** All vaults of an account (or of the gateway), oldest first. */
  list(account?: string): Vault[] {
    return this.#rows
      .entries()
      .map(([, vault]) => vault)
      .filter((vault) => account === undefined || vault.account === account)
      .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : a.id < b.id ? -1 : 1));
  }

  byName(account: string, name: string): Vault | undefined {
    return this.list(account).find((vault) => vault.name === name);
  }

  /** @throws HoldfastError exists */
  add(vault: Vault): void {
    this.#environment.write(() => {
      if (this.byName(vault.account, vault.name) !== undefined || this.get(vault.id) !== undefined) {
        throw new HoldfastError(ErrorCode.exists, `this account has a vault ${vault.name} already`);
      }
      this.#rows.put(fromHex(vault.id, 16), vault);
    });
  }

  /** Inside a write transaction; nothing happens where it is gone. */
  remove(id: string): void {
    this.#rows.remove(fromHex(id, 16));
  }

  /** Notes that a generation of the keys document is on disk. Never goes back. */
  setKeysGeneration(id: string, generation: number): void {
    this.#environment.write(() => {
      const vault = this.get(id);
      if (vault === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
      if (generation > vault.keysGeneration) {
        this.#rows.put(fromHex(id, 16), { ...vault, keysGeneration: generation });
      }
    });
  }
}
