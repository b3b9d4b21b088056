// Opens records of a gateway's unlocked vaults in its own process, for upkeep: which files are hurt.

import { checkSnapshots } from "../../agent/inspect/checkSnapshots.ts";
import { ProvenChunks } from "../../agent/inspect/provenChunks.ts";
import { openTree, type SnapshotTree } from "../../agent/inspect/snapshotTree.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { HurtFile, VaultContent } from "../../gateway/maintenance/vaultContent.ts";
import { LocalRecordSource } from "../../gateway/viewSource.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { openSnapshot } from "../../vault/snapshot.ts";

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
    snapshots: readonly string[],
    signal: AbortSignal,
  ): Promise<readonly HurtFile[] | undefined> {
    const keys = this.#keys(vault);
    if (keys === undefined) return undefined;
    const open = await this.#gateway.vault(vault);
    const files: HurtFile[] = [];
    for (const id of snapshots) {
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
          exists: async (_vault, group, ids) => open.present(group, Buffer.concat(ids)),
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
}
