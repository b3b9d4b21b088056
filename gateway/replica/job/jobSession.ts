// What a job keeps open from run to run: its stores, and the manifest of its newest root, so that a small run does not read all pages again.
//
// Invariants
// - Stores are of the replica's row as it is. After a failure everything is opened and read anew.
// - The manifest is that of `root`, and nobody else writes it.

import type { Replica } from "../../catalog/replicas.ts";
import { Manifest } from "../chain/manifest.ts";
import type { FoundRoot } from "../chain/rootChain.ts";
import type { ReplicaAddress } from "../openStore.ts";
import type { ReplicaStore, StoreUsage } from "../replicaStore.ts";
import { addUsage } from "./storeUsage.ts";

export type OpenStore = (replica: ReplicaAddress) => Promise<ReplicaStore>;

export class HeldManifest {
  manifest: Manifest | undefined;
  #root: string | undefined;

  /** The manifest of a root; an empty one where there is none yet. @throws HoldfastError as Manifest.load */
  async get(
    store: ReplicaStore,
    vault: string,
    found: FoundRoot<"vault"> | undefined,
    signal: AbortSignal,
  ): Promise<Manifest> {
    if (this.manifest !== undefined && this.#root === found?.hash) return this.manifest;
    this.manifest = undefined;
    const manifest = await Manifest.load(store, vault, found?.root, signal);
    this.keep(found?.hash, manifest);
    return manifest;
  }

  /** `root`: hash of the root that names it. */
  keep(root: string | undefined, manifest: Manifest): void {
    this.#root = root;
    this.manifest = manifest;
  }
}

export type OpenedSession = {
  readonly store: ReplicaStore;
  /** Where roots are: the same store unless the replica says otherwise. */
  readonly roots: ReplicaStore;
  readonly held: HeldManifest;
};

export class JobSession {
  readonly #openStore: OpenStore;
  #row = "";
  #opened: OpenedSession | undefined;

  constructor(openStore: OpenStore) {
    this.#openStore = openStore;
  }

  /** @throws HoldfastError what opening the stores throws */
  async open(replica: Replica): Promise<OpenedSession> {
    const { url, options, conditionalPuts, comparesSha256 } = replica;
    const row = JSON.stringify([url, options, conditionalPuts, comparesSha256]);
    if (this.#opened !== undefined && row === this.#row) return this.#opened;
    await this.close();
    const store = await this.#openStore(replica);
    const { rootUrl } = options;
    let roots = store;
    try {
      if (rootUrl !== undefined) roots = await this.#openStore({ ...replica, url: rootUrl });
    } catch (error) {
      await store.close();
      throw error;
    }
    this.#row = row;
    this.#opened = { store, roots, held: new HeldManifest() };
    return this.#opened;
  }

  async close(): Promise<void> {
    const opened = this.#opened;
    this.#opened = undefined;
    await opened?.store.close();
    if (opened !== undefined && opened.roots !== opened.store) await opened.roots.close();
  }
}

/** What was asked of a session's stores since they were opened. */
export function usageOf({ store, roots }: OpenedSession): StoreUsage {
  return roots === store ? store.usage() : addUsage(store.usage(), roots.usage());
}
