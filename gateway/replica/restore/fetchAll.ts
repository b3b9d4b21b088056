// Brings the data packs of a restored gateway back to its own disk, in the background while it runs: one pack at a time, the newest
// first, at most as fast as the replica's bandwidth says.
//
// Invariants
// - Each pack is tried once; how far it is is noted behind each (backfill.ts), so that it goes on after a stop.
// - It ends where the disk is to stay free: what is left stays in the replica, where it can be read as before.
// - An outage is waited for; a pack that is damaged there is reported and passed over.

import { statfs } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { Logger } from "pino";
import { RateLimiter } from "../../../ingest/line/rateLimiter.ts";
import { RateTable } from "../../../ingest/line/rateTable.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import { bytesOver } from "../../cache/evictWatch.ts";
import { isOutage } from "../../cache/replicaStores.ts";
import type { VaultElsewhere } from "../../cache/vaultElsewhere.ts";
import type { Gateway } from "../../gateway.ts";
import { packSlices } from "../../index/packSlices.ts";
import type { ShownProgress } from "../../jobs/shownProgress.ts";
import type { OpenVault } from "../../openVault.ts";
import { pauseAfter, retryPausesDefault } from "../job/retryPauses.ts";
import { Backfill } from "./backfill.ts";

export type FetchAllOptions = {
  readonly gateway: Pick<Gateway, "catalog" | "dataDir" | "jobs" | "vault" | "now"> & {
    readonly logger: Logger;
  };
  readonly monotonicMs: () => number;
  /** Packs of a vault came back, which proved their copies: receipts may have waited for that. */
  readonly proven: () => void;
  /** For tests. */
  readonly pauses?: typeof retryPausesDefault;
};

export class FetchAll {
  readonly #options: FetchAllOptions;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(options: FetchAllOptions) {
    this.#options = options;
  }

  /** Begins, where anything is left to fetch. */
  start(): void {
    if (this.#options.gateway.catalog.replicas.list().length === 0) return;
    this.#running = this.#run().catch((error: unknown) => {
      if (!this.#stopping.signal.aborted) {
        this.#options.gateway.logger.error(
          { err: error },
          "packs are not fetched back any more until the next start",
        );
      }
    });
  }

  async #run(): Promise<void> {
    const { gateway } = this.#options;
    for (const { id } of gateway.catalog.vaults.list()) {
      if (this.#stopping.signal.aborted) return;
      await this.#fetchVault(await gateway.vault(id));
    }
  }

  async #fetchVault(vault: OpenVault): Promise<void> {
    const { environment, elsewhere } = vault.store;
    const backfill = new Backfill(environment);
    if (backfill.end() === 0 || elsewhere === undefined) return;
    const { catalog, jobs } = this.#options.gateway;
    const name = { kind: "fetch", subject: catalog.vaultTitle(vault.id) } as const;
    const work = (watch: JobWatch<{ packs: number; bytes: number }>) =>
      this.#fetchPacks(vault, backfill, elsewhere, watch);
    const { fetchPacks: total, fetchBytes: totalBytes } = await fetchStatus(vault);
    const shown = ({ packs: done, bytes }: { packs: number; bytes: number }): ShownProgress => ({
      ...{ phase: "fetching back", unit: "pack", done, total, bytes, totalBytes },
    });
    await jobs.run(name, { signal: this.#stopping.signal, shown }, work, ({ isFull, ...figures }) => ({
      figures,
      warnings: isFull || figures.damaged > 0,
    }));
  }

  async #fetchPacks(
    vault: OpenVault,
    backfill: Backfill,
    elsewhere: VaultElsewhere,
    { signal, onProgress }: JobWatch<{ packs: number; bytes: number }>,
  ): Promise<{ packs: number; bytes: number; damaged: number; isFull: boolean }> {
    const { logger } = this.#options.gateway;
    const { packs } = vault.store;
    const fetched = { packs: 0, bytes: 0, damaged: 0, isFull: false };
    const limiters = new Map<string, RateLimiter>();
    logger.info({ vault: vault.id, ...(await fetchStatus(vault)) }, "packs are being fetched back");
    for (let ordinal = backfill.end() - 1; ordinal >= 0; ordinal--) {
      const pack = packs.get(ordinal);
      if (pack?.state === "evicted") {
        if (await this.#isFull(pack.bytes)) {
          logger.warn(
            { vault: vault.id, ...(await fetchStatus(vault)) },
            "the disk is full enough: the other packs stay in the replica",
          );
          backfill.setEnd(0);
          return { ...fetched, isFull: true };
        }
        const limiter = this.#limiter(limiters, elsewhere.places.of(ordinal)[0]?.replica);
        onProgress(fetched);
        if (await this.#fetch(vault, ordinal, toHex(pack.name ?? new Uint8Array()), { signal, limiter })) {
          fetched.packs++;
          fetched.bytes += pack.bytes;
        } else fetched.damaged++;
        backfill.setEnd(ordinal);
      }
    }
    backfill.setEnd(0);
    this.#options.proven();
    logger.info({ vault: vault.id }, "all packs are on this disk");
    return fetched;
  }

  /** Fetches a pack, as often as it takes; false where it is damaged there. @throws HoldfastError disk-full, io-error, cancelled */
  async #fetch(
    vault: OpenVault,
    ordinal: number,
    pack: string,
    { signal, limiter }: { readonly signal: AbortSignal; readonly limiter: RateLimiter | undefined },
  ): Promise<boolean> {
    const { gateway, pauses = retryPausesDefault } = this.#options;
    for (let failures = 1; ; failures++) {
      try {
        await vault.store.elsewhere?.moves.fetchBack(ordinal, signal, limiter);
        return true;
      } catch (error) {
        signal.throwIfAborted();
        if (isHoldfastError(error, ErrorCode.replicaDamaged)) {
          gateway.logger.error({ vault: vault.id, pack, err: error }, "a pack cannot be fetched back");
          return false;
        }
        if (!isOutage(error)) throw error;
        if (failures === 1)
          gateway.logger.warn({ vault: vault.id, err: error }, "packs cannot be fetched back now");
        await pause(pauseAfter(failures, pauses), undefined, { signal });
      }
    }
  }

  /** How fast packs of a replica may come: as fast as they may go there. */
  #limiter(limiters: Map<string, RateLimiter>, replica: string | undefined): RateLimiter | undefined {
    const { gateway, monotonicMs } = this.#options;
    const row = replica === undefined ? undefined : gateway.catalog.replicas.get(replica);
    if (row === undefined) return undefined;
    const clock = { wallMs: () => gateway.now().getTime(), monotonicMs };
    const limiter = limiters.get(row.id) ?? new RateLimiter(RateTable.parse(row.bandwidth), clock);
    limiters.set(row.id, limiter);
    return limiter;
  }

  /** Whether so many bytes more would reach what is to stay free, or what evicting would take away again. */
  async #isFull(bytes: number): Promise<boolean> {
    const { path, settings } = this.#options.gateway.dataDir;
    const { bavail, blocks, bsize } = await statfs(path);
    const freeBytes = bavail * bsize - bytes;
    const { evictAbovePercent, evictToPercent, reserveMiB } = settings;
    const over =
      evictAbovePercent === 0
        ? 0
        : bytesOver({ freeBytes, totalBytes: blocks * bsize }, evictToPercent, evictToPercent);
    return over > 0 || freeBytes < reserveMiB * 2 ** 20;
  }

  /** Stops; the next start goes on. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}

/** What of a restored vault's packs is still to be fetched; nothing for any other. */
export async function fetchStatus({ store }: OpenVault): Promise<{
  readonly fetchPacks: number;
  readonly fetchBytes: number;
}> {
  const end = new Backfill(store.environment).end();
  let [fetchPacks, fetchBytes] = [0, 0];
  if (end === 0) return { fetchPacks, fetchBytes };
  for await (const rows of packSlices(store.packs)) {
    for (const pack of rows) {
      if (pack.ordinal >= end) return { fetchPacks, fetchBytes };
      if (pack.state !== "evicted") continue;
      fetchPacks++;
      fetchBytes += pack.bytes;
    }
  }
  return { fetchPacks, fetchBytes };
}
