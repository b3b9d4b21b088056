// A gateway that replicates in the background, and what it asks of a replica about packs.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { packKey } from "../../../../gateway/replica/keys.ts";
import type { ReplicatedGateway } from "./replicatedGateway.ts";
import { type WatchedRequest, watchedStore } from "./watchedStore.ts";

export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await new Promise((resolve) => setTimeout(resolve, 5));
}

export class WatchedAhead {
  /** Keys of packs that were put, and that were looked for, in order. */
  puts: string[] = [];
  heads: string[] = [];
  readonly #site: ReplicatedGateway;

  constructor(site: ReplicatedGateway) {
    this.#site = site;
  }

  readonly note = ({ name, key }: WatchedRequest): void => {
    if (!key.includes("/packs/")) return;
    if (name === "put") this.puts.push(key);
    if (name === "head") this.heads.push(key);
  };

  /** Replicates in the background. */
  async start(lingerMs = 60_000): Promise<void> {
    const replication = await this.#site.through((store) => watchedStore(store, this.note), { lingerMs });
    replication.start();
  }

  /** Waits until the vault is there, empty as it is: what comes then are packs alone. */
  async empty(replica: Replica): Promise<void> {
    await until(async () => {
      const { state, generation } = await this.#site.status(replica);
      return state === "idle" && generation === 1;
    });
  }

  /** Packs that are closed here, as keys there. */
  async closedHere(): Promise<string[]> {
    await (await this.#site.vault()).store.settled();
    const names = await this.#site.localPacks();
    return names.map((name) => packKey(this.#site.vaultId, Buffer.from(name, "hex")));
  }

  /** Files of packs in the replica's folder, as keys. */
  filesThere(replica: Replica): string[] {
    const folder = join(this.#site.folder(replica.name), "vaults", this.#site.vaultId, "packs");
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile() && /^[0-9a-f]{64}$/.test(entry.name))
      .map(({ name }) => packKey(this.#site.vaultId, Buffer.from(name, "hex")))
      .sort();
  }

  /** Waits until all packs that are closed here went; answers their keys. */
  async sentAhead(replica: Replica): Promise<string[]> {
    const closed = await this.closedHere();
    await until(async () => (await this.#site.status(replica)).pendingPacks === 0);
    return closed;
  }

  async offsite(replica: Replica, snapshot: string): Promise<void> {
    await until(async () => (await this.#site.receipt(replica, snapshot)) !== undefined);
  }
}
