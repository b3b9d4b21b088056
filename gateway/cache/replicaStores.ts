// The stores of a gateway's replicas, each opened once for all vaults, and which of them do not answer now.
//
// Invariants
// - A store that failed as a whole is not asked again for a moment: what waits for it fails at once with the same error.
// - A replica whose row changed or went is never spoken to through a store that was opened before.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { Replica } from "../catalog/replicas.ts";
import type { ReplicaStore } from "../replica/replicaStore.ts";

export type ReplicaStoresOptions = {
  /** The row of a replica (32 hex digits) as it is now. */
  readonly replica: (id: string) => Replica | undefined;
  readonly open: (replica: Replica) => Promise<ReplicaStore>;
  readonly monotonicMs: () => number;
  /** Told when a replica stops answering, and when it answers again. */
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

type Opened = { readonly row: string; readonly store: Promise<ReplicaStore> };

/** How long a replica that did not answer is left alone. */
const restMs = 2000;

/** Whether a failure is the replica's as a whole, and says nothing of one object. */
export function isOutage(error: unknown): error is HoldfastError {
  return (
    isHoldfastError(error, ErrorCode.replicaUnreachable) || isHoldfastError(error, ErrorCode.replicaRefused)
  );
}

export class ReplicaStores {
  readonly #options: ReplicaStoresOptions;
  readonly #opened = new Map<string, Opened>();
  /** Replicas that failed and have not answered since. */
  readonly #away = new Set<string>();
  #closed = false;
  readonly #resting = new Map<string, { readonly untilMs: number; readonly error: HoldfastError }>();

  constructor(options: ReplicaStoresOptions) {
    this.#options = options;
  }

  /** Whether there is such a replica. */
  isKnown(id: string): boolean {
    return this.#options.replica(id) !== undefined;
  }

  /** What people call a replica. */
  nameOf(id: string): string {
    return this.#options.replica(id)?.name ?? id;
  }

  /**
   * Works with a replica's store.
   * @throws HoldfastError replica-unreachable (also for one that was removed), replica-refused, and what `work` throws
   */
  async use<T>(id: string, work: (store: ReplicaStore) => Promise<T>): Promise<T> {
    if (this.#closed) throw new HoldfastError(ErrorCode.cancelled, "the gateway is stopping");
    const resting = this.#resting.get(id);
    if (resting !== undefined) {
      if (this.#options.monotonicMs() < resting.untilMs) throw resting.error;
      this.#resting.delete(id);
    }
    try {
      const result = await work(await this.#store(id));
      if (this.#away.delete(id)) this.#options.report("replica-back", { replica: this.nameOf(id) });
      return result;
    } catch (error) {
      if (isOutage(error)) {
        this.#tellAway(id, error);
        this.#resting.set(id, { untilMs: this.#options.monotonicMs() + restMs, error });
        // Credentials and certificates are read again.
        if (isHoldfastError(error, ErrorCode.replicaRefused)) this.#forget(id);
      }
      throw error;
    }
  }

  #tellAway(id: string, { code, message }: HoldfastError): void {
    if (this.#away.has(id)) return;
    this.#away.add(id);
    this.#options.report("replica-away", { replica: this.nameOf(id), code, why: message });
  }

  #store(id: string): Promise<ReplicaStore> {
    const replica = this.#options.replica(id);
    if (replica === undefined) {
      this.#forget(id);
      throw new HoldfastError(ErrorCode.replicaUnreachable, "the replica was removed from this gateway", {
        detail: { replica: id },
      });
    }
    const row = JSON.stringify([replica.url, replica.options]);
    const known = this.#opened.get(id);
    if (known?.row === row) return known.store;
    this.#forget(id);
    const store = this.#options.open(replica);
    this.#opened.set(id, { row, store });
    store.catch(() => {
      if (this.#opened.get(id)?.store === store) this.#opened.delete(id);
    });
    return store;
  }

  #forget(id: string): void {
    const opened = this.#opened.get(id);
    this.#opened.delete(id);
    opened?.store.then((store) => store.close()).catch(() => undefined);
  }

  /** Ends all connections; what runs is cancelled. */
  async close(): Promise<void> {
    this.#closed = true;
    const all = [...this.#opened.values()];
    this.#opened.clear();
    for (const { store } of all) {
      const opened = await store.catch(() => undefined);
      await opened?.close();
    }
  }
}
