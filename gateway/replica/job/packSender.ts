// The packs of a run on their way: which are left, what became of each, and how far it is.

import { forgetLost } from "./forgetLost.ts";
import { openPack } from "./openPack.ts";
import { countPending, type PendingPack, PendingPacks } from "./pendingPacks.ts";
import type { JobProgress, UnsentPack } from "./replicationStatus.ts";
import type { RunContext } from "./runContext.ts";
import { RunProgress } from "./runProgress.ts";
import { uploadPacks } from "./uploadPacks.ts";

/** Progress is told so often at most. */
const tellEveryMs = 250;

export class PackSender {
  /** Packs that are damaged or missing here, by ordinal. */
  readonly unsent = new Map<number, UnsentPack>();
  /** Packs that left the vault before they were sent, by ordinal. */
  readonly left = new Set<number>();
  readonly #context: RunContext;
  readonly #progress: RunProgress;
  readonly #monotonicMs: () => number;
  readonly #tell: (progress: JobProgress) => void;
  #toldMs = 0;
  #looked = false;

  constructor(context: RunContext, monotonicMs: () => number, tell: (progress: JobProgress) => void) {
    this.#context = context;
    this.#progress = new RunProgress(monotonicMs);
    this.#monotonicMs = monotonicMs;
    this.#tell = tell;
  }

  /** What went so far. */
  get sent(): { readonly packs: number; readonly bytes: number } {
    const { packsDone, bytesDone } = this.#progress.now;
    return { packs: packsDone, bytes: bytesDone };
  }

  /** What no root lists as far as is noted. */
  pending(): PendingPacks {
    const { vault, places, replica, job } = this.#context;
    return new PendingPacks(vault.store.packs, places, replica.id, job.row);
  }

  /** Once in a run: forgets packs that an earlier run put and that are not there now. Answers whether this was the time. */
  async look(): Promise<boolean> {
    if (this.#looked) return false;
    this.#looked = true;
    const { vault, replica, store, places, fresh, signal } = this.#context;
    const { parallel, id } = replica;
    await forgetLost(this.pending(), {
      vault: vault.id,
      replica: id,
      store,
      places,
      fresh,
      parallel,
      signal,
    });
    return true;
  }

  /** Counts all that is left as still to go. */
  async countAll(): Promise<void> {
    const { packs, bytes } = await countPending(this.pending());
    this.#progress.found(packs, bytes);
    this.tell();
  }

  /** Counts these as still to go. */
  count(packs: readonly PendingPack[]): void {
    this.#progress.found(
      packs.length,
      packs.reduce((sum, { row }) => sum + row.bytes, 0),
    );
    this.tell();
  }

  /**
   * Sends what of these is not `put`; what is damaged or missing here is in `unsent` afterwards.
   * @throws HoldfastError as uploadPacks
   */
  async send(packs: readonly PendingPack[]): Promise<void> {
    const { vault, job, store, replica, places, lane, fresh, signal, directory, gateway } = this.#context;
    for (const { ordinal } of packs) this.unsent.delete(ordinal);
    const unsent = await uploadPacks(packs, {
      vault: vault.id,
      replica: replica.id,
      store,
      job,
      places,
      parallel: replica.parallel,
      slots: lane.uploads,
      open: (pack) => openPack(vault, directory, pack),
      now: gateway.now,
      signal,
      throttle: async (pack, bytes) => {
        await lane.throttle.take(bytes, signal);
        this.#progress.sent(pack.ordinal, bytes);
        this.tell(tellEveryMs);
      },
      ended: (pack, there) => {
        if (there) fresh.add(pack.ordinal);
        this.#progress.ended(pack.ordinal, pack.row.bytes, there);
        this.tell(tellEveryMs);
      },
    });
    for (const [pack, facts] of unsent) {
      if (vault.store.packs.get(pack.ordinal) === undefined) {
        this.left.add(pack.ordinal);
        continue;
      }
      this.unsent.set(pack.ordinal, facts);
      gateway.logger.error({ vault: vault.id, replica: replica.name, ...facts }, "pack-not-sent");
    }
    this.tell();
  }

  /** Tells how far it is, unless that was told less than so long ago. */
  tell(everyMs = 0): void {
    const now = this.#monotonicMs();
    if (now - this.#toldMs < everyMs) return;
    this.#toldMs = now;
    this.#tell(this.#progress.now);
  }
}
