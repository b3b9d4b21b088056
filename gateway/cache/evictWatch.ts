// Evicts by itself while a gateway runs: when its disk is fuller than the upper mark, until the lower one is reached.
//
// Invariants
// - One run at a time. After a run that could not free anything there is a rest, so that copies are not proven over and over.
// - It looks when somebody tells it to (an upload that asked for room, the end of replication, the start): an idle gateway does nothing.

import type { EvictProgress } from "../admin/evictOperations.ts";
import type { Gateway } from "../gateway.ts";
import { evictableVaults } from "./evictGateway.ts";
import { evictOldest } from "./evictOldest.ts";

/** Bytes of the disk that can be used, and of it all. */
export type DiskRoom = { readonly freeBytes: number; readonly totalBytes: number };

const restMs = 600_000;

/** Bytes that should go now by the marks, in percent of the disk; 0 when none need to. */
export function bytesOver(room: DiskRoom, abovePercent: number, toPercent: number): number {
  const { freeBytes, totalBytes } = room;
  const usedBytes = totalBytes - freeBytes;
  if (abovePercent === 0 || usedBytes * 100 <= totalBytes * abovePercent) return 0;
  return Math.ceil(usedBytes - (totalBytes * toPercent) / 100);
}

export class EvictWatch {
  readonly #gateway: Gateway;
  readonly #monotonicMs: () => number;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #restUntilMs = Number.NEGATIVE_INFINITY;

  constructor(gateway: Gateway, monotonicMs: () => number = () => performance.now()) {
    this.#gateway = gateway;
    this.#monotonicMs = monotonicMs;
    gateway.elsewhere.onRoom((room) => this.#look(room));
  }

  #look(room: DiskRoom): void {
    const { evictAbovePercent, evictToPercent } = this.#gateway.dataDir.settings;
    const goingBytes = bytesOver(room, evictAbovePercent, evictToPercent);
    if (goingBytes === 0 || this.#running !== undefined || this.#stopping.signal.aborted) return;
    if (this.#monotonicMs() < this.#restUntilMs) return;
    this.#running = this.#run(goingBytes).finally(() => {
      this.#running = undefined;
    });
  }

  async #run(goingBytes: number): Promise<void> {
    const { logger } = this.#gateway;
    const watch = { onProgress: (_: EvictProgress) => undefined, signal: this.#stopping.signal };
    const wish = { goingBytes: () => goingBytes, insist: true, dryRun: false };
    try {
      const vaults = await evictableVaults(this.#gateway);
      const result = await evictOldest(vaults, wish, watch);
      if (result.evictedBytes < goingBytes) this.#restUntilMs = this.#monotonicMs() + restMs;
      const facts = { goingBytes, ...result };
      if (result.evictedBytes >= goingBytes) logger.info(facts, "the disk was full: packs were evicted");
      else logger.warn(facts, "the disk is full, and fewer packs could be evicted than should be");
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#restUntilMs = this.#monotonicMs() + restMs;
      logger.error({ err: error }, "packs could not be evicted");
    }
  }

  /** Resolves when no run is under way. */
  async settled(): Promise<void> {
    await this.#running;
  }

  /** Stops a run; packs that are gone are safe. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}
