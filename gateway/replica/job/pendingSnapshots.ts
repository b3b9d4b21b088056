// Which snapshots a replica lacks, in parts: what was held back before, and what was committed after the job's cursor and before the run began.

import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import type { OpenVault } from "../../openVault.ts";
import type { JobRow } from "./jobState.ts";

/** Snapshots to look at together, and where the job stands when they are listed or left. */
export type SnapshotPart = {
  readonly rows: readonly { readonly order: number; readonly snapshot: Snapshot }[];
  /** Held back before, and not looked at yet. */
  readonly notYet: readonly number[];
  readonly cursor: number;
};

export class PendingSnapshots {
  readonly #vault: OpenVault;
  /** Those after it wait for the next run: what they reach may be in open packs. */
  readonly #upTo: number;
  /** Above the ordinals of all packs that hold anything of these snapshots, but for what repack moves. */
  readonly packsEnd: number;

  constructor(vault: OpenVault) {
    this.#vault = vault;
    this.#upTo = vault.catalog.newestOrder();
    this.packsEnd = vault.store.packs.ordinalsEnd;
  }

  /** Whether there are any. */
  any(job: Pick<JobRow, "snapshotCursor" | "snapshotsLeft">): boolean {
    return job.snapshotsLeft.length > 0 || job.snapshotCursor < this.#upTo;
  }

  /** All of them, `atOnce` at most in a part; each is to be listed or left before the next is asked for. */
  *parts(job: Pick<JobRow, "snapshotCursor" | "snapshotsLeft">, atOnce: number): Generator<SnapshotPart> {
    const { catalog } = this.#vault;
    const left = new Set(job.snapshotsLeft);
    while (left.size > 0) {
      const orders = [...left].slice(0, atOnce);
      for (const order of orders) left.delete(order);
      const rows = orders.flatMap((order) =>
        catalog.committedAfter(order - 1, 1).filter((row) => row.order === order),
      );
      yield { rows, notYet: [...left], cursor: job.snapshotCursor };
    }
    for (let cursor = job.snapshotCursor; cursor < this.#upTo; ) {
      const rows = catalog.committedAfter(cursor, atOnce).filter(({ order }) => order <= this.#upTo);
      cursor = rows.at(-1)?.order ?? this.#upTo;
      yield { rows, notYet: [], cursor };
    }
  }
}
