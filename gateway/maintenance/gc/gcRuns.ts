// The one garbage collection that a gateway runs at a time: who runs it, how far it is, and how it is stopped.
//
// Invariant: whoever comes second is told `busy` before anything happened.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { GcProgress } from "./collection.ts";

/** Who runs it: an administrator, or the gateway by itself. */
export type GcBy = "administrator" | "schedule";

export type GcNow = {
  readonly by: GcBy;
  readonly dryRun: boolean;
  /** RFC 3339. */
  readonly started: string;
  /** Null while the vaults are opened. */
  readonly progress: Omit<GcProgress, "plan"> | null;
};

export class GcRuns {
  #run: { now: GcNow; readonly asked: AbortController } | undefined;

  /** What runs now; null: nothing. */
  get now(): GcNow | null {
    return this.#run?.now ?? null;
  }

  /**
   * Runs `work` as the one collection of now; its watch is `watch`, and what `stop` asks.
   * @throws HoldfastError busy; what it throws
   */
  async run<T>(
    run: Omit<GcNow, "progress">,
    watch: JobWatch<GcProgress>,
    work: (watch: JobWatch<GcProgress>) => Promise<T>,
  ): Promise<T> {
    if (this.#run !== undefined) {
      const who = this.#run.now.by === "schedule" ? "by schedule" : "by an administrator";
      throw new HoldfastError(ErrorCode.busy, `garbage is being collected already, ${who}`, {
        next: "Wait until that has ended (holdfast gateway status says how far it is), or stop it with `holdfast gateway gc --stop`.",
      });
    }
    const mine = { now: { ...run, progress: null } as GcNow, asked: new AbortController() };
    this.#run = mine;
    try {
      return await work({
        signal: AbortSignal.any([watch.signal, mine.asked.signal]),
        onProgress: (progress) => {
          const { plan: _plan, ...rest } = progress;
          mine.now = { ...mine.now, progress: rest };
          watch.onProgress(progress);
        },
      });
    } finally {
      this.#run = undefined;
    }
  }

  /** Asks what runs to stop: what it did counts, and the next goes on. Answers whether anything ran. */
  stop(): boolean {
    const reason = new HoldfastError(ErrorCode.cancelled, "garbage collection was stopped", {
      next: "The next one goes on.",
    });
    this.#run?.asked.abort(reason);
    return this.#run !== undefined;
  }
}
