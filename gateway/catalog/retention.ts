// Policies, pins, tags and the trash of one vault (docs/retention.md). In the vault's index environment, so that what goes to the trash is
// decided in the transaction that moves it.
//
// Invariants: a snapshot in the trash keeps its row, object and records; an item's head is never there.

import { fromHex, toHex } from "../../vault/bytes.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";
import type { RetentionPolicy } from "../maintenance/retention/policy.ts";
import { type GuardPart, GuardRows } from "./guardRows.ts";

export type SnapshotMarks = {
  /** Why it is pinned; null for one that is not. */
  readonly pin: { readonly reason: string; readonly at: string } | null;
  readonly tags: readonly string[];
};

export type TrashRow = {
  /** When it was moved, RFC 3339. */
  readonly at: string;
  /** Until when it is kept at least. */
  readonly until: string;
  readonly by: "policy" | "administrator";
  readonly reason: string;
};

/** All of it, for the vault's part of a sealed catalog. `item` null: the vault's own policy. */
export type RetentionRows = {
  readonly policies: readonly { readonly item: string | null; readonly policy: RetentionPolicy }[];
  readonly marks: readonly ({ readonly snapshot: string } & SnapshotMarks)[];
  readonly trash: readonly ({ readonly snapshot: string } & TrashRow)[];
  readonly guard: GuardPart;
};

const noMarks: SnapshotMarks = { pin: null, tags: [] };
const vaultKey = Buffer.from("vault");

export class Retention {
  readonly #policies: Table<RetentionPolicy>;
  readonly #marks: Table<SnapshotMarks>;
  readonly #trash: Table<TrashRow>;
  /** Which items are held, and what is usual for them. */
  readonly guard: GuardRows;

  constructor(environment: IndexEnvironment) {
    this.#policies = openTable(environment, "retention", jsonCodec<RetentionPolicy>());
    this.#marks = openTable(environment, "snapshot-marks", jsonCodec<SnapshotMarks>());
    this.#trash = openTable(environment, "snapshot-trash", jsonCodec<TrashRow>());
    this.guard = new GuardRows(environment);
  }

  /** Of an item (32 hex digits), or null: the vault's own. */
  policy(item: string | null): RetentionPolicy | undefined {
    return this.#policies.get(policyKey(item));
  }

  /** Inside a write transaction. undefined removes it; returns whether there was one. */
  setPolicy(item: string | null, policy: RetentionPolicy | undefined): boolean {
    const key = policyKey(item);
    const known = this.#policies.has(key);
    if (policy === undefined) this.#policies.remove(key);
    else this.#policies.put(key, policy);
    return known;
  }

  marks(snapshot: string): SnapshotMarks {
    return this.#marks.get(fromHex(snapshot, 32)) ?? noMarks;
  }

  /** Inside a write transaction. */
  setMarks(snapshot: string, marks: SnapshotMarks): void {
    const key = fromHex(snapshot, 32);
    if (marks.pin === null && marks.tags.length === 0) this.#marks.remove(key);
    else this.#marks.put(key, marks);
  }

  isInTrash(snapshot: string): boolean {
    return this.#trash.has(fromHex(snapshot, 32));
  }

  /** Snapshots in the trash. */
  trashRows(): number {
    return this.#trash.count();
  }

  /** Undefined for a snapshot that is not in the trash. */
  trashRow(snapshot: string): TrashRow | undefined {
    return this.#trash.get(fromHex(snapshot, 32));
  }

  /** Inside a write transaction. */
  putInTrash(snapshot: string, row: TrashRow): void {
    this.#trash.put(fromHex(snapshot, 32), row);
  }

  /** Inside a write transaction. Returns whether it was there. */
  takeFromTrash(snapshot: string): boolean {
    return this.#trash.remove(fromHex(snapshot, 32));
  }

  /** Inside a write transaction: the snapshot is no more. */
  forget(snapshot: string): void {
    this.#marks.remove(fromHex(snapshot, 32));
    this.takeFromTrash(snapshot);
  }

  rows(): RetentionRows {
    return {
      policies: this.#policies.entries().map(([key, policy]) => ({ item: itemOf(key), policy })),
      marks: this.#marks.entries().map(([id, marks]) => ({ snapshot: toHex(id), ...marks })),
      trash: this.#trash.entries().map(([id, row]) => ({ snapshot: toHex(id), ...row })),
      guard: this.guard.part(),
    };
  }

  /** Inside a write transaction: fills what is empty. */
  restore({ policies, marks, trash, guard }: RetentionRows): void {
    for (const { item, policy } of policies) this.setPolicy(item, policy);
    for (const { snapshot, ...row } of marks) this.setMarks(snapshot, row);
    for (const { snapshot, ...row } of trash) this.putInTrash(snapshot, row);
    this.guard.restore(guard);
  }
}

function policyKey(item: string | null): Uint8Array {
  return item === null ? vaultKey : fromHex(item, 16);
}

function itemOf(key: Uint8Array): string | null {
  return key.length === 16 ? toHex(key) : null;
}
