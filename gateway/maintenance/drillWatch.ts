// Restore drills by themselves, of vaults that are unlocked: each once in `drill-every-days`.
//
// Invariant: when a vault was drilled last is its newest report, which survives restarts. A vault that is locked waits until it is unlocked.

import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { drillGateway, newSeed } from "./drill.ts";
import { DrillRows } from "./drillRows.ts";

const dayMs = 86_400_000;

export type DrillWatchOptions = {
  /** How long after the start it looks first. Default: ten minutes. */
  readonly firstMs?: number;
  /** How long it rests then. Default: an hour. */
  readonly restMs?: number;
};

/** What a drill by itself draws of a vault. */
const drawn = { files: 20, bytes: 256 * 2 ** 20 };

export class DrillWatch {
  readonly #gateway: Gateway;
  readonly #options: Required<DrillWatchOptions>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;

  constructor(gateway: Gateway, options: DrillWatchOptions = {}) {
    this.#gateway = gateway;
    this.#options = { firstMs: options.firstMs ?? 600_000, restMs: options.restMs ?? 3_600_000 };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  async #run(): Promise<void> {
    const { signal } = this.#stopping;
    await this.#rest(this.#options.firstMs);
    while (!signal.aborted) {
      for (const { vault } of this.#gateway.unlocked.list()) {
        try {
          if (await this.#isDue(vault)) {
            await drillGateway(
              this.#gateway,
              { vault, ...drawn, seed: newSeed() },
              { onProgress: () => undefined, signal },
            );
          }
        } catch (error) {
          if (signal.aborted) return;
          if (isHoldfastError(error, ErrorCode.cancelled)) continue;
          this.#gateway.logger.error({ vault, err: error }, "a restore drill could not be done");
        }
      }
      await this.#rest(this.#options.restMs);
    }
  }

  async #isDue(id: string): Promise<boolean> {
    const everyMs = this.#gateway.dataDir.settings.drillEveryDays * dayMs;
    if (everyMs === 0) return false;
    const { store, catalog } = await this.#gateway.vault(id);
    const [last] = new DrillRows(store.environment).list();
    if (catalog.snapshots().length === 0) return false;
    return last === undefined || this.#gateway.now().getTime() - Date.parse(last.at) >= everyMs;
  }

  async #rest(milliseconds: number): Promise<void> {
    await pause(milliseconds, undefined, { signal: this.#stopping.signal, ref: false }).catch(
      () => undefined,
    );
  }

  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}
