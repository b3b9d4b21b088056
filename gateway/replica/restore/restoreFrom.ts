// A whole gateway from a replica and its recovery key: `gateway restore-from`.
//
// Invariants (docs/concurrency.md, "Restoring a gateway")
// - The replica is only read. The new data directory has a writer's id of its own, so that it does not write there either until it is
//   told to take over, and the old box, if it comes back, is told from it.
// - restore.json first, gateway.json last: a directory is empty, a half-done restore that goes on from the same roots, or whole.
// - Nothing is written before the recovery key has opened the state and every root has been proven.

import { join } from "node:path";
import type { Proxies } from "../../../ingest/line/proxies.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { VaultRoot } from "../../../vault/replica/root.ts";
import { unknownWriter } from "../../catalog/devices.ts";
import type { ReplicaOptions } from "../../catalog/replicas.ts";
import { type DataLock, lockDirectory } from "../../dataLock.ts";
import { openReplicaStore } from "../openStore.ts";
import { fillDataDir, finishDataDir, noteRestore } from "./dataDirectory.ts";
import {
  openGatewayState,
  type RestoredState,
  type RestoreStores,
  type WantedState,
} from "./gatewayState.ts";
import {
  makeDirectory,
  newWriter,
  type RestoreMark,
  readMark,
  removeMark,
  writeMark,
} from "./restoreMark.ts";
import type { Damage, RestoreProgress } from "./restorePort.ts";
import { type RestoredVault, restoreVault } from "./restoreVault.ts";
import { changedMeanwhile, type ProvenVaultRoot, provenVaultRoots } from "./vaultRoots.ts";

export type RestoreFromOptions = {
  /** Where the replica is, and how it is reached. */
  readonly url: string;
  readonly options: ReplicaOptions;
  /** Private half of the gateway's recovery key, 32 bytes. */
  readonly recoveryKey: Uint8Array;
  /** The new data directory. */
  readonly data: string;
  /** HOST:PORT instead of that of the old gateway. */
  readonly listen: string | undefined;
  readonly wanted: WantedState;
  /** Data packs stay in the replica; else the gateway brings them in the background when it runs. */
  readonly keepRemote: boolean;
  /** Go on without what is damaged. */
  readonly allowDamaged: boolean;
  /** Look and tell, write nothing. */
  readonly dryRun: boolean;
  readonly now: () => Date;
  /** The ways to the replica; undefined: straight. */
  readonly proxies?: Proxies | undefined;
  readonly signal: AbortSignal;
  /** Told what will be restored, before anything is written. */
  readonly onPlan: (plan: RestorePlan) => void;
  readonly onProgress: (progress: RestoreProgress) => void;
};

export type RestorePlan = {
  /** 32 hex digits. */
  readonly gateway: string;
  readonly name: string;
  /** Of the gateway's chain; `newest` is the last one there. */
  readonly generation: number;
  readonly newest: number;
  /** When that state was written, RFC 3339. */
  readonly time: string;
  readonly accounts: number;
  readonly devices: number;
  readonly vaults: readonly {
    readonly vault: string;
    readonly account: string;
    readonly name: string;
    readonly generation: number;
    readonly time: string;
    readonly snapshots: number;
    readonly packs: number;
    readonly packBytes: number;
  }[];
  /** A restore that was stopped goes on. */
  readonly resumed: boolean;
};

export type RestoreReport = {
  readonly plan: RestorePlan;
  /** Empty for a dry run. */
  readonly vaults: readonly RestoredVault[];
  readonly damage: readonly Damage[];
  /** What the replica is called in the new catalog. */
  readonly replica: string;
};

/** Objects that are fetched at a time. */
const parallel = 8;

/**
 * Restores a gateway, or goes on with it.
 * @throws HoldfastError exists, data-dir-locked for the directory; key-wrong; not-found where there is no gateway's state;
 * replica-damaged, rollback-detected; cancelled; unsupported; disk-full, io-error; as openReplicaStore and ReplicaStore's
 */
export async function restoreFrom(options: RestoreFromOptions): Promise<RestoreReport> {
  const { url, data, dryRun } = options;
  let mark = await readMark(data, url);
  const address = { url, options: options.options, conditionalPuts: false };
  const store = await openReplicaStore(address, options);
  let roots = store;
  let lock: DataLock | undefined;
  try {
    const { rootUrl } = options.options;
    if (rootUrl !== undefined) roots = await openReplicaStore({ ...address, url: rootUrl }, options);
    if (!dryRun) {
      await makeDirectory(data);
      lock = await lockDirectory(data);
      mark = await readMark(data, url);
    }
    return await new Restore(options, { store, roots }, mark).run();
  } catch (error) {
    throw options.signal.aborted ? stopped() : error;
  } finally {
    await store.close();
    if (roots !== store) await roots.close();
    lock?.release();
  }
}

class Restore {
  readonly #options: RestoreFromOptions;
  readonly #stores: RestoreStores;
  readonly #mark: RestoreMark | undefined;
  readonly #damage: Damage[] = [];
  #progress: RestoreProgress = { objects: 0, bytes: 0, totalObjects: 0, totalBytes: 0 };

  constructor(options: RestoreFromOptions, stores: RestoreStores, mark: RestoreMark | undefined) {
    this.#options = options;
    this.#stores = stores;
    this.#mark = mark;
  }

  async run(): Promise<RestoreReport> {
    const { data, dryRun, onPlan, now, listen } = this.#options;
    const started = now().toISOString();
    const state = await this.#state();
    const { signal } = this.#options;
    const roots = await provenVaultRoots(state, {
      roots: this.#stores.roots,
      pinned: this.#mark?.vaults,
      signal,
      tolerate: (error) => this.#tolerate(error),
    });
    const plan = this.#plan(state, roots);
    onPlan(plan);
    if (dryRun) return { plan, vaults: [], damage: this.#damage, replica: "" };
    const mark = this.#mark ?? newMark(this.#options.url, state, roots);
    if (this.#mark === undefined) await writeMark(data, mark);
    const source = { url: this.#options.url, options: this.#options.options };
    const replica = await fillDataDir(data, { state, roots, mark, source, listen, now });
    const vaults: RestoredVault[] = [];
    for (const { root } of roots) vaults.push(await this.#vault(state, root, replica.id));
    const { objects, bytes } = this.#progress;
    const damaged = this.#damage.length;
    const result = damaged > 0 ? "warnings" : "done";
    const figures = { vaults: vaults.length, objects, bytes, damaged };
    await noteRestore(data, { subject: replica.name, started, result, figures }, now());
    await finishDataDir(data, state);
    await removeMark(data);
    return { plan, vaults, damage: this.#damage, replica: replica.name };
  }

  async #state(): Promise<RestoredState> {
    const { recoveryKey, wanted, signal } = this.#options;
    const mark = this.#mark;
    const pinned = mark === undefined ? wanted : { generation: mark.state.generation };
    const state = await openGatewayState(this.#stores, recoveryKey, pinned, signal);
    if (mark !== undefined && mark.state.root !== state.rootHash) throw changedMeanwhile();
    return state;
  }

  #plan(state: RestoredState, roots: readonly ProvenVaultRoot[]): RestorePlan {
    const { part, root, sealed, newest } = state;
    const names = new Map(part.accounts.map(({ id, name }) => [id, name]));
    const byId = new Map(roots.map((proven) => [proven.root.id, proven.root]));
    return {
      gateway: sealed.gateway,
      name: sealed.settings.name,
      generation: root.generation,
      newest,
      time: root.time,
      accounts: part.accounts.length,
      devices: part.devices.filter(({ revoked }) => !revoked).length,
      vaults: part.vaults.flatMap(({ id, account, name }) => {
        const vault = byId.get(id);
        if (vault === undefined) return [];
        const { generation, time, snapshots, packs, packBytes } = vault;
        return [
          {
            vault: id,
            account: names.get(account) ?? account,
            name,
            generation,
            time,
            snapshots,
            packs,
            packBytes,
          },
        ];
      }),
      resumed: this.#mark !== undefined,
    };
  }

  #vault(state: RestoredState, root: VaultRoot, replica: string): Promise<RestoredVault> {
    const ordinals = new Map(state.part.devices.map(({ id, ordinal }) => [id, ordinal]));
    const port = {
      store: this.#stores.store,
      vault: root.id,
      directory: join(this.#options.data, "vaults", root.id),
      signal: this.#options.signal,
      parallel,
      expect: (objects: number, bytes: number) => this.#step({ totalObjects: objects, totalBytes: bytes }),
      arrived: (objects: number, bytes: number) => this.#step({ objects, bytes }),
      tolerate: (error: HoldfastError) => this.#tolerate(error),
    };
    return restoreVault(port, {
      root,
      metadataKey: Buffer.from(state.sealed.metadataKeys[root.id]!, "base64"),
      replica,
      writerOrdinal: (device) => ordinals.get(toHex(device)) ?? unknownWriter,
      keepRemote: this.#options.keepRemote,
    });
  }

  #step(more: Partial<RestoreProgress>): void {
    const { objects, bytes, totalObjects, totalBytes } = this.#progress;
    this.#progress = {
      objects: objects + (more.objects ?? 0),
      bytes: bytes + (more.bytes ?? 0),
      totalObjects: totalObjects + (more.totalObjects ?? 0),
      totalBytes: totalBytes + (more.totalBytes ?? 0),
    };
    this.#options.onProgress(this.#progress);
  }

  #tolerate(error: HoldfastError): void {
    if (!this.#options.allowDamaged) throw error;
    this.#damage.push({ object: String(error.detail.object ?? ""), message: error.message });
  }
}

function newMark(source: string, state: RestoredState, roots: readonly ProvenVaultRoot[]): RestoreMark {
  return {
    source,
    gateway: state.sealed.gateway,
    writer: newWriter(),
    state: { generation: state.root.generation, root: state.rootHash },
    vaults: Object.fromEntries(
      roots.map(({ root, hash }) => [root.id, { generation: root.generation, root: hash }]),
    ),
  };
}

function stopped(): HoldfastError {
  return new HoldfastError(ErrorCode.cancelled, "the restore was stopped", {
    next: "Run it again with the same --data: it goes on where it was.",
  });
}
