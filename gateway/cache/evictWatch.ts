// Evicts by itself while a gateway runs: when its disk is fuller than the upper mark, or uploads find no room, until the lower one is reached.
//
// Invariants
// - One run at a time. After a run that could not free what it should there is a rest, so that copies are not proven over and over. Where
//   packs were not replicated yet, and nothing else was in the way, the rest ends when some have been.
// - It looks when somebody tells it to (an upload that asked for room, the end of replication, the start): an idle gateway does nothing.

import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { EvictProgress } from "../admin/evictOperations.ts";
import type { Gateway } from "../gateway.ts";
import { evictAsJob } from "./evictGateway.ts";

/** Bytes of the disk that can be used, and of it all. */
export type DiskRoom = { readonly freeBytes: number; readonly totalBytes: number };

const restMs = 600_000;

/**
 * Bytes that should go now by the marks, in percent of the disk; 0 when none need to, or `abovePercent` is 0. Where less than `reserveBytes`
 * is free, uploads are refused: that is over the mark whatever it is.
 */
export function bytesOver(
  { freeBytes, totalBytes }: DiskRoom,
  abovePercent: number,
  toPercent: number,
  reserveBytes = 0,
): number {
  const usedBytes = totalBytes - freeBytes;
  const lackingBytes = Math.max(0, reserveBytes - freeBytes);
  if (abovePercent === 0 || (usedBytes * 100 <= totalBytes * abovePercent && lackingBytes === 0)) return 0;
  return Math.max(lackingBytes, Math.ceil(usedBytes - (totalBytes * toPercent) / 100));
}

export class EvictWatch {
  readonly #gateway: Gateway;
  readonly #monotonicMs: () => number;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #restUntilMs = Number.NEGATIVE_INFINITY;
  /** How often packs came to where they may go from; and how often that was when a run began that found too few of them. */
  #replicated = 0;
  #tooFewAt: number | undefined;

  constructor(gateway: Gateway, monotonicMs: () => number = () => performance.now()) {
    this.#gateway = gateway;
    this.#monotonicMs = monotonicMs;
    gateway.elsewhere.onRoom((room, replicated) => this.#look(room, replicated));
  }

  #look(room: DiskRoom, replicated: boolean): void {
    if (replicated) this.#replicated++;
    const { evictAbovePercent, evictToPercent, reserveMiB } = this.#gateway.dataDir.settings;
    const goingBytes = bytesOver(room, evictAbovePercent, evictToPercent, reserveMiB * 2 ** 20);
    if (goingBytes === 0 || this.#running !== undefined || this.#stopping.signal.aborted) return;
    const moreMayGo = this.#tooFewAt !== undefined && this.#tooFewAt !== this.#replicated;
    if (!moreMayGo && this.#monotonicMs() < this.#restUntilMs) return;
    this.#tooFewAt = undefined;
    this.#running = this.#run(goingBytes).finally(() => {
      this.#running = undefined;
    });
  }

  async #run(goingBytes: number): Promise<void> {
    const { logger } = this.#gateway;
    const watch = { onProgress: (_: EvictProgress) => undefined, signal: this.#stopping.signal };
    const wish = { goingBytes: () => goingBytes, insist: true, dryRun: false };
    const replicated = this.#replicated;
    try {
      const result = await evictAsJob(this.#gateway, wish, watch);
      if (result.evictedBytes < goingBytes) {
        this.#restUntilMs = this.#monotonicMs() + restMs;
        if (result.stayed.every(({ why }) => why === "not-replicated")) this.#tooFewAt = replicated;
      }
      const facts = { goingBytes, ...result };
      if (result.evictedBytes >= goingBytes) logger.info(facts, "the disk was full: packs were evicted");
      else logger.warn(facts, "the disk is full, and fewer packs could be evicted than should be");
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      this.#restUntilMs = this.#monotonicMs() + restMs;
      if (isHoldfastError(error, ErrorCode.cancelled)) return;
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
