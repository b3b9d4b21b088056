// Opens records of a gateway's unlocked vaults in its own process, for upkeep: which files are hurt.

import { checkSnapshots } from "../../agent/inspect/checkSnapshots.ts";
import { ProvenChunks } from "../../agent/inspect/provenChunks.ts";
import { openTree, type SnapshotTree } from "../../agent/inspect/snapshotTree.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type {
  Drill,
  DrillWish,
  HurtFile,
  LackingSnapshot,
  VaultContent,
} from "../../gateway/maintenance/vaultContent.ts";
import { LocalRecordSource } from "../../gateway/viewSource.ts";
import { bitmapOf } from "../../ingest/wire/bitmap.ts";
import { toHex } from "../../vault/bytes.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { drillSnapshots } from "./drillSnapshots.ts";

export class GatewayContent implements VaultContent {
  readonly #gateway: Gateway;
  readonly #source: LocalRecordSource;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
    this.#source = new LocalRecordSource(gateway);
  }

  #keys(vault: string): VaultKeys | undefined {
    try {
      return this.#gateway.unlocked.keys(vault);
    } catch (error) {
      if (isHoldfastError(error, "vault-locked")) return undefined;
      throw error;
    }
  }

  /** @throws HoldfastError not-found, chunk-missing, chunk-damaged, seal-invalid, key-wrong, corrupt */
  async #tree(vault: string, id: string, keys: VaultKeys): Promise<SnapshotTree> {
    const open = await this.#gateway.vault(vault);
    const row = open.catalog.snapshot(id);
    if (row === undefined) throw new Error(`snapshot ${id} is gone`);
    const { header, body } = openSnapshot(keys, await open.snapshotObject(row));
    return openTree(this.#source, { keys, header, body });
  }

  async hurtFiles(
    vault: string,
    snapshots: readonly LackingSnapshot[],
    signal: AbortSignal,
  ): Promise<readonly HurtFile[] | undefined> {
    const keys = this.#keys(vault);
    if (keys === undefined) return undefined;
    const open = await this.#gateway.vault(vault);
    const files: HurtFile[] = [];
    // Halves of ids tell them apart as well as the index does.
    const lacking = new Set(snapshots.flatMap(({ ids }) => ids.map((id) => id.slice(0, 32))));
    const isHere = (group: number, id: Uint8Array): boolean => {
      if (!lacking.has(toHex(id.subarray(0, 16)))) return open.store.lookup(group, id) !== undefined;
      // The index may not know of it: the record is to be held against its hash when it is read.
      this.#source.discard(vault, group, id);
      return false;
    };
    for (const { id } of snapshots) {
      signal.throwIfAborted();
      let tree: SnapshotTree;
      try {
        tree = await this.#tree(vault, id, keys);
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        files.push({ snapshot: id, path: "/", why: error.message });
        continue;
      }
      const { problems } = await checkSnapshots({
        source: this.#source,
        port: {
          exists: async (_vault, group, ids) => bitmapOf(ids.map((each) => isHere(group, each))),
          suspect: async () => [],
        },
        ownGroup: -1,
        snapshots: [{ id, opened: tree }],
        readShare: 0,
        proven: ProvenChunks.unkept(0),
        signal,
      });
      for (const { message, hurts } of problems) {
        for (const { path } of hurts) files.push({ snapshot: id, path, why: message });
      }
    }
    return files;
  }

  async drill(
    vault: string,
    wish: DrillWish,
    { onProgress, signal }: Parameters<VaultContent["drill"]>[2],
  ): Promise<Drill | undefined> {
    const keys = this.#keys(vault);
    if (keys === undefined) return undefined;
    const { catalog } = await this.#gateway.vault(vault);
    // What waits for a box or an agent is known to lack something.
    const whole = catalog.snapshots().filter(({ id }) => catalog.waiting.get(id) === undefined);
    const open = (id: string): Promise<SnapshotTree> => this.#tree(vault, id, keys);
    return await drillSnapshots(
      { snapshots: whole.map(({ id }) => id), open, keys, onProgress, signal },
      wish,
    );
  }
}
