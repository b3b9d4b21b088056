// Prunes by itself while a gateway runs: every `prune-every-hours` (docs/retention.md).
//
// Invariants
// - A prune is due when the gateway was up for the interval since the last one, over restarts, or when the wall clock says so. So neither a
//   clock that was set back nor one that stands still keeps it from coming; one that jumps ahead makes it come early, which takes nothing
//   that the next would not have taken: policies look at when snapshots were received, not at what time it is.
// - One at a time. What is held (guard, box) stays, as with a prune by hand: it is the same operation.
// - Time that the gateway was up is noted every `noteMs` at most, so a kill costs that much of it.

import type { PruneResult } from "../../admin/retentionOperations.ts";
import { byGateway } from "../../audit/audit.ts";
import type { Catalog } from "../../catalog/catalog.ts";
import type { PruneRun } from "../../catalog/pruneRuns.ts";
import type { Gateway } from "../../gateway.ts";

const hourMs = 3_600_000;
const lookMs = 60_000;
const noteMs = 15 * 60_000;
const failedAlert = "prune-failed";

export type PruneSchedulePort = {
  readonly gateway: Pick<Gateway, "alerts" | "audit" | "dataDir" | "logger" | "now"> & {
    readonly catalog: Pick<Catalog, "pruneRuns">;
  };
  readonly prune: () => Promise<PruneResult>;
  readonly monotonicMs: () => number;
};

export class PruneSchedule {
  readonly #port: PruneSchedulePort;
  /** Up to when the time that the gateway was up is in the row. */
  #notedMs: number;
  #timer: NodeJS.Timeout | undefined;
  #running: Promise<void> | undefined;

  constructor(port: PruneSchedulePort) {
    this.#port = port;
    this.#notedMs = port.monotonicMs();
  }

  start(): void {
    this.#timer = setInterval(() => void this.look(), lookMs);
    this.#timer.unref();
    void this.look();
  }

  /** Prunes where it is due. Never throws. */
  look(): Promise<void> {
    this.#running ??= this.#look()
      .catch((error: unknown) =>
        this.#port.gateway.logger.error({ err: error }, "the prune's time could not be noted"),
      )
      .finally(() => {
        this.#running = undefined;
      });
    return this.#running;
  }

  async #look(): Promise<void> {
    const { gateway, monotonicMs } = this.#port;
    const { pruneEveryHours } = gateway.dataDir.settings;
    if (pruneEveryHours === 0 || gateway.dataDir.box !== undefined) return;
    const last = gateway.catalog.pruneRuns.last();
    const upMs = last.upMs + monotonicMs() - this.#notedMs;
    const sinceMs = last.at === null ? 0 : gateway.now().getTime() - Date.parse(last.at);
    if (Math.max(upMs, sinceMs) >= pruneEveryHours * hourMs) return this.#prune();
    if (upMs - last.upMs < noteMs) return;
    this.#notedMs = monotonicMs();
    gateway.catalog.pruneRuns.note({ ...last, upMs });
  }

  async #prune(): Promise<void> {
    const { gateway, prune, monotonicMs } = this.#port;
    let run: Omit<PruneRun, "at">;
    try {
      const { trashed, kept, held } = await prune();
      run = { trashed, failed: null };
      gateway.logger.info({ trashed, kept, held }, "snapshots pruned by schedule");
      gateway.audit.note(byGateway("retention.pruned", { trashed, kept }));
      gateway.alerts.resolve(failedAlert, "gateway");
    } catch (error) {
      const { message } = error as Error;
      run = { trashed: 0, failed: message };
      gateway.logger.error({ err: error }, "the scheduled prune failed");
      gateway.alerts.raise({
        ...{ kind: failedAlert, severity: "warning", subject: "gateway", figures: {} },
        message: `The scheduled prune failed: ${message}. It is tried again after prune-every-hours.`,
      });
    }
    this.#notedMs = monotonicMs();
    gateway.catalog.pruneRuns.note({ ...run, at: gateway.now().toISOString(), upMs: 0 });
  }

  /** Ends when a prune that runs has ended; notes how long the gateway was up. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    await this.#running;
    const { gateway, monotonicMs } = this.#port;
    const last = gateway.catalog.pruneRuns.last();
    try {
      gateway.catalog.pruneRuns.note({ ...last, upMs: last.upMs + monotonicMs() - this.#notedMs });
    } catch (error) {
      gateway.logger.warn({ err: error }, "the prune's time could not be noted");
    }
  }
}
