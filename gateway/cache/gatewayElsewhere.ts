// What a gateway has in replicas, for all its vaults: their stores, and the block cache, which is opened when something is first read from there.

import { statfs } from "node:fs/promises";
import { join } from "node:path";
import type { Replica, Replicas } from "../catalog/replicas.ts";
import type { ReplicaStore } from "../replica/replicaStore.ts";
import type { GatewaySettings } from "../settings.ts";
import { BlockCache } from "./blockCache.ts";
import type { BlockEngine } from "./blockEngine.ts";
import { type BlockCounts, BlockReader } from "./blockReader.ts";
import type { DiskRoom } from "./evictWatch.ts";
import { ReplicaStores } from "./replicaStores.ts";
import type { ElsewhereOptions } from "./vaultElsewhere.ts";

export type GatewayElsewhereOptions = {
  /** The data directory. */
  readonly path: string;
  readonly settings: () => GatewaySettings;
  readonly replicas: Replicas;
  readonly open: (replica: Replica) => Promise<ReplicaStore>;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
  readonly blocks: BlockEngine | undefined;
};

/** `replicated`: packs may go from now on that could not before. */
type RoomListener = (room: DiskRoom, replicated: boolean) => void;

const dayMs = 86_400_000;

/** Where the block cache is. */
export function cacheFolder(dataDir: string): string {
  return join(dataDir, "cache");
}

export class GatewayElsewhere {
  readonly stores: ReplicaStores;
  readonly blockCounts: BlockCounts = { hits: 0, misses: 0, fetchedBytes: 0 };
  readonly #options: GatewayElsewhereOptions;
  #roomListener: RoomListener | undefined;
  #cache: BlockCache | undefined;
  #blocks: Promise<BlockReader> | undefined;

  constructor(options: GatewayElsewhereOptions) {
    const { replicas, open, monotonicMs, report } = options;
    this.#options = options;
    this.stores = new ReplicaStores({
      replica: (id) => replicas.get(id),
      open,
      monotonicMs,
      report,
    });
  }

  /** For one vault (32 hex digits). */
  of(vault: string): ElsewhereOptions {
    const { settings, now } = this.#options;
    return {
      vault,
      stores: this.stores,
      blocks: () => this.#openBlocks(),
      proofMs: () => settings().evictProofDays * dayMs,
      now,
      tellRoom: (room) => this.tellRoom(room),
    };
  }

  /** `listener` is told how full the disk is, by everybody who looks. */
  onRoom(listener: RoomListener): void {
    this.#roomListener = listener;
  }

  /** Tells how full the disk is. */
  tellRoom(room: DiskRoom, replicated = false): void {
    this.#roomListener?.(room, replicated);
  }

  /** Looks how full the disk is. `replicated`: after replication, when packs may go that could not before. */
  async lookAtRoom(replicated = false): Promise<void> {
    const { bavail, blocks, bsize } = await statfs(this.#options.path);
    this.tellRoom({ freeBytes: bavail * bsize, totalBytes: blocks * bsize }, replicated);
  }

  /** Tried again by the next reader when it fails. */
  #openBlocks(): Promise<BlockReader> {
    this.#blocks ??= this.#open().catch((error: unknown) => {
      this.#blocks = undefined;
      throw error;
    });
    return this.#blocks;
  }

  async #open(): Promise<BlockReader> {
    const { path, settings, report, blocks } = this.#options;
    const { cacheGiB, reserveMiB } = settings();
    this.#cache = await BlockCache.open({
      directory: cacheFolder(path),
      bytesMax: cacheGiB * 2 ** 30,
      reserveBytes: reserveMiB * 2 ** 20,
      engine: blocks,
      report,
    });
    return new BlockReader(this.#cache, this.blockCounts);
  }

  /** Ends connections, then what still waits for them, and closes the cache. */
  async close(): Promise<void> {
    await this.stores.close();
    await (await this.#blocks?.catch(() => undefined))?.settled();
    await this.#cache?.close();
  }
}
