// The view's list of snapshots over HTTPS: those of this machine's account.

import { setTimeout as pause } from "node:timers/promises";
import type { CatalogDevice, CatalogSnapshot, Keyring, SnapshotCatalog } from "../../fs/view/ports.ts";
import type { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { parseSnapshotHeader } from "../../vault/snapshot.ts";
import type { AgentConnection } from "./connection.ts";

/** After a failed poll; a gateway that is away is no reason to ask all the time. */
const afterFailureMs = 5000;

export class AccountCatalog implements SnapshotCatalog {
  readonly #connection: AgentConnection;
  readonly #client: GatewayClient;
  readonly #account: string;
  readonly #listeners = new Set<() => void>();
  #polling: AbortController | undefined;

  constructor(connection: AgentConnection) {
    this.#connection = connection;
    this.#client = connection.client;
    this.#account = connection.enrollment.account.name;
  }

  async accounts(): Promise<readonly string[]> {
    return [this.#account];
  }

  async devices(account: string): Promise<readonly CatalogDevice[]> {
    const [devices, items] = await Promise.all([this.#client.devices(), this.#client.items()]);
    // A revoked device and its successor may share a name, and then a folder.
    const byName = new Map<string, Set<string>>(devices.map(({ name }) => [name, new Set()]));
    for (const { device, name } of items) byName.get(device)?.add(name);
    return [...byName].map(([device, names]) => ({ account, device, items: [...names] }));
  }

  async snapshots(account: string, device: string, item: string): Promise<readonly CatalogSnapshot[]> {
    const rows = await this.#client.snapshots({ device, item });
    return rows.map((row) => ({ ...row, account }));
  }

  async object(snapshot: CatalogSnapshot, signal?: AbortSignal): Promise<Uint8Array> {
    const object = await this.#client.snapshotObject(snapshot.id, signal);
    // A drive lives on when keys are rotated.
    await this.#connection.requireEpoch(snapshot.vault, parseSnapshotHeader(object).keyEpoch);
    return object;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    if (this.#polling === undefined) void this.#poll();
    return () => {
      this.#listeners.delete(listener);
      if (this.#listeners.size > 0) return;
      this.#polling?.abort();
      this.#polling = undefined;
    };
  }

  async #poll(): Promise<void> {
    const polling = new AbortController();
    this.#polling = polling;
    const { signal } = polling;
    let since = 0;
    while (!signal.aborted) {
      try {
        const { next, changed } = await this.#client.events(since, signal);
        since = next;
        if (changed) for (const listener of this.#listeners) listener();
      } catch {
        await pause(afterFailureMs, undefined, { signal, ref: false }).catch(() => undefined);
      }
    }
  }
}

/** Keys that stay as long as the process runs; the connection adds newer epochs to them. */
export class FixedKeyring implements Keyring {
  readonly #keys: ReadonlyMap<string, VaultKeys>;

  constructor(keys: ReadonlyMap<string, VaultKeys>) {
    this.#keys = keys;
  }

  keysOf(vaultId: string): VaultKeys | undefined {
    return this.#keys.get(vaultId);
  }

  onChanged(): () => void {
    return () => undefined;
  }
}
