// What an administrator says and asks about how long snapshots stay (docs/retention.md).

import type { SnapshotMarks, TrashRow } from "../catalog/retention.ts";
import type { RetentionPolicy } from "../maintenance/retention/policy.ts";
import type { Reason } from "../maintenance/retention/verdicts.ts";

/** By name. Without device and item: a vault itself, or all items below what is named. */
export type RetentionScope = {
  readonly account?: string;
  readonly vault?: string;
  readonly device?: string;
  readonly item?: string;
};

export type ItemName = {
  readonly account: string;
  readonly vault: string;
  readonly device: string;
  readonly item: string;
};

/** `device` and `item` null: the vault's own. */
export type PolicyAnswer = {
  readonly account: string;
  readonly vault: string;
  readonly device: string | null;
  readonly item: string | null;
  readonly policy: RetentionPolicy;
};

export type PolicyRequest = {
  readonly account: string;
  readonly vault: string;
  /** Needed where several devices have an item of this name. */
  readonly device?: string;
  readonly item?: string;
  /** null removes it. */
  readonly policy: RetentionPolicy | null;
};

export type PruneRequest = RetentionScope & { readonly dryRun: boolean };

export type PrunedItem = ItemName & {
  /** Whose policy counts. */
  readonly policy: "item" | "vault";
  /** Newest first; without a reason it goes. */
  readonly snapshots: readonly {
    readonly id: string;
    readonly received: string;
    readonly incomplete: boolean;
    readonly reasons: readonly Reason[];
  }[];
};

export type PruneResult = {
  readonly dryRun: boolean;
  readonly items: readonly PrunedItem[];
  /** Items that no policy speaks of. */
  readonly without: number;
  /** Vaults in which nothing may go now. */
  readonly held: readonly { readonly account: string; readonly vault: string; readonly why: "box-open" }[];
  readonly kept: number;
  readonly trashed: number;
};

export type SnapshotAnswer = ItemName & {
  readonly id: string;
  readonly received: string;
  readonly incomplete: boolean;
} & SnapshotMarks & { readonly trash: TrashRow | null };

export type MarkRequest = {
  /** Ids, or unique beginnings of ids. */
  readonly snapshots: readonly string[];
  /** A reason pins, null unpins, undefined leaves it. */
  readonly pin?: string | null;
  readonly addTags: readonly string[];
  readonly removeTags: readonly string[];
};

export interface RetentionOperations {
  /** @throws HoldfastError not-found */
  policies(scope: RetentionScope): Promise<PolicyAnswer[]>;
  /** @throws HoldfastError not-found; usage; forbidden at a box */
  setPolicy(request: PolicyRequest): Promise<void>;
  /** Moves what no rule keeps to the trash. @throws HoldfastError not-found; forbidden at a box; disk-full */
  prune(request: PruneRequest): Promise<PruneResult>;
  /** Newest first, by account, vault and item; `trash`: those in the trash instead. @throws HoldfastError not-found */
  snapshots(scope: RetentionScope, trash: boolean): Promise<SnapshotAnswer[]>;
  /** Those that were changed, as they are now. @throws HoldfastError not-found, usage; forbidden at a box */
  mark(request: MarkRequest): Promise<SnapshotAnswer[]>;
  /** Moves snapshots to the trash. @throws HoldfastError not-found, usage; forbidden for one that must stay, and at a box */
  remove(snapshots: readonly string[], reason: string): Promise<SnapshotAnswer[]>;
  /** Takes them out of the trash; null: all that are there. @throws HoldfastError not-found, usage */
  undelete(snapshots: readonly string[] | null): Promise<SnapshotAnswer[]>;
}
