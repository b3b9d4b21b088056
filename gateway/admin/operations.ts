// What can be done to a gateway on its own machine: by the object in this process (administration.ts) or by one that
// runs, over its admin socket (adminClient.ts). The command line does not care which.

import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import type { Alert } from "../alerts/alertLog.ts";
import type { AddressLists } from "../auth/addressLists.ts";
import type { AccountQuota, StoredKdf } from "../catalog/accounts.ts";
import type { GcFigures, PruneFigures, ScheduledRun } from "../catalog/scheduledRuns.ts";
import type { GcNow } from "../maintenance/gc/gcRuns.ts";
import type { AlertOperations } from "./alertOperations.ts";
import type { AuditOperations } from "./auditOperations.ts";
import type { EvictOperations } from "./evictOperations.ts";
import type { GcOperations } from "./gcOperations.ts";
import type { GuardOperations } from "./guardOperations.ts";
import type { HomeOperations } from "./homeOperations.ts";
import type { ImportOperations } from "./importOperations.ts";
import type { InviteOperations } from "./inviteOperations.ts";
import type { ItemOperations } from "./itemOperations.ts";
import type { JobOperations } from "./jobOperations.ts";
import type { KeysOperations, SecretsRequest } from "./keysOperations.ts";
import type { MetricsOperations } from "./metricsOperations.ts";
import type { RemovalOperations } from "./removalOperations.ts";
import type { ReplicaOperations } from "./replicaOperations.ts";
import type { ReportOperations } from "./reportOperations.ts";
import type { RetentionOperations } from "./retentionOperations.ts";
import type { ScrubOperations } from "./scrubOperations.ts";
import type { SeedOperations } from "./seedOperations.ts";
import type { StageOperations } from "./stageOperations.ts";
import type { TokenOperations } from "./tokenOperations.ts";
import type { TotpOperations } from "./totpOperations.ts";
import type { UpkeepOperations } from "./upkeepOperations.ts";

/** A new vault as its owner's client made it. */
export type NewVault = {
  /** vault.json. */
  readonly vaultDocument: unknown;
  /** keys/00000001.json. */
  readonly keysDocument: unknown;
  /** 32 bytes, base64. */
  readonly metadataKey: string;
};

export type NewAccount = NewVault & {
  readonly name: string;
  readonly kdf: StoredKdf;
  /** 24 bytes, base64. */
  readonly l: string;
  /** X25519, base64. */
  readonly recoveryPublic: string;
};

/** A changed password: the new L, and every vault's keys document in its next generation. */
export type NewPassword = {
  readonly kdf: StoredKdf;
  readonly l: string;
  readonly keysDocuments: readonly unknown[];
  /** What opened the old wraps, as the client says: for the audit log. */
  readonly by?: "password" | "recovery" | "escrow";
  /** Of the account's authenticator, where it asks for one. */
  readonly code?: string;
};

export type UnlockRequest = SecretsRequest & {
  /** Until it is locked when not given. */
  readonly forSeconds?: number;
  /** What opened them, as the client says: for the audit log. */
  readonly by?: "password" | "escrow";
};

export type AccountRow = {
  readonly id: string;
  readonly name: string;
  readonly kdf: StoredKdf;
  readonly recoveryPublic: string;
  readonly disabled: boolean;
  readonly access: AddressLists | null;
  readonly created: string;
  readonly vaults: readonly { readonly id: string; readonly name: string }[];
  /** Devices that are not revoked. */
  readonly devices: number;
  /** Of the packs of all its vaults, those in replicas alone too. */
  readonly storedBytes: number;
  readonly quota: AccountQuota;
  /** Who besides the owner and the devices can open its vaults: all escrow keys of any of them. */
  readonly escrows: readonly EscrowHolder[];
};

/** A new app password. */
export type NewAppPassword = {
  /** What people call it; empty for none. */
  readonly label: string;
  /** A path below the account's folder, "/laptop/files", that alone may be read. */
  readonly read?: string;
  /** Archived permissions count as for this user; `gids` begins with the primary group. */
  readonly asUser?: { readonly uid: number; readonly gids: readonly number[] };
  /** Seconds that it is good for. */
  readonly expiresIn?: number;
};

export type AppPasswordAnswer = {
  readonly id: string;
  readonly label: string;
  /** A path below the account's folder; null for all of the account. */
  readonly read: string | null;
  readonly asUser: { readonly uid: number; readonly gids: readonly number[] } | null;
  readonly created: string;
  readonly expires: string | null;
  readonly expired: boolean;
  readonly lastUsed: string | null;
};

export type VaultRow = {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly created: string;
  readonly unlocked: boolean;
  /** Seconds until it locks itself. */
  readonly unlockedForSeconds: number | null;
};

export type AdminDeviceRow = {
  readonly id: string;
  readonly account: string;
  readonly name: string;
  readonly group: number;
  readonly vault: string;
  readonly isolated: boolean;
  readonly revoked: boolean;
  readonly appendOnly: boolean;
  /** Absent: none. */
  readonly fleet?: string;
  readonly enrolled: string;
};

export type GatewayStatus = {
  readonly id: string;
  readonly name: string;
  readonly version: string;
  readonly fingerprint: string;
  /** Address of the HTTPS listener; null when no gateway runs. */
  readonly url: string | null;
  readonly pid: number | null;
  readonly accounts: number;
  readonly devices: number;
  readonly freeBytes: number;
  /** Those that are open, the newest first. */
  readonly alerts: readonly Alert[];
  /** The last prune by schedule; `everyHours` 0: there is none. */
  readonly prune: ScheduledRun<PruneFigures> & { readonly everyHours: number };
  /** The last garbage collection by schedule, and the one that runs, whoever began it. */
  readonly gc: ScheduledRun<GcFigures> & { readonly everyHours: number; readonly now: GcNow | null };
  readonly vaults: readonly {
    readonly id: string;
    readonly account: string;
    readonly name: string;
    readonly unlocked: boolean;
    readonly chunks: number;
    readonly snapshots: number;
    readonly packs: number;
    readonly packBytes: number;
    /** Packs of a restored gateway that are still to be fetched from a replica. */
    readonly fetchPacks: number;
    readonly fetchBytes: number;
  }[];
};

export interface AdminOperations extends EvictOperations, GcOperations, ScrubOperations, UpkeepOperations {
  readonly alerts: AlertOperations;
  readonly guard: GuardOperations;
  readonly invites: InviteOperations;
  readonly items: ItemOperations;
  readonly replicas: ReplicaOperations;
  readonly reports: ReportOperations;
  readonly homes: HomeOperations;
  readonly jobs: JobOperations;
  readonly keys: KeysOperations;
  readonly metrics: MetricsOperations;
  readonly retention: RetentionOperations;
  readonly seed: SeedOperations;
  readonly imports: ImportOperations;
  readonly staging: StageOperations;
  readonly audit: AuditOperations;
  readonly tokens: TokenOperations;
  readonly totp: TotpOperations;
  readonly removals: RemovalOperations;
  status(): Promise<GatewayStatus>;
  accounts(): Promise<AccountRow[]>;
  /** @throws HoldfastError exists, usage, kdf-weak, corrupt, disk-full */
  addAccount(request: NewAccount): Promise<{ id: string; vault: string }>;
  /** @throws HoldfastError not-found */
  setDisabled(account: string, disabled: boolean): Promise<void>;
  /** From where an account may be used; null: from everywhere. @throws HoldfastError not-found, usage */
  setAccess(account: string, access: AddressLists | null): Promise<void>;
  /** @throws HoldfastError not-found */
  setQuota(account: string, quota: AccountQuota): Promise<void>;
  /** Newest keys document of each vault of an account. @throws HoldfastError not-found */
  keysDocuments(account: string): Promise<KeysDocument[]>;
  /**
   * Sets a new password: after a change by its owner, or with the recovery key. Every vault's document must come along.
   * @throws HoldfastError not-found, usage, kdf-weak, code-required, sequence-conflict
   */
  changePassword(account: string, request: NewPassword): Promise<void>;
  /** An account's app passwords, the oldest first. @throws HoldfastError not-found */
  appPasswords(account: string): Promise<AppPasswordAnswer[]>;
  /** Makes one; `password` is stored nowhere. @throws HoldfastError not-found, usage, exists, limit-exceeded */
  addAppPassword(account: string, request: NewAppPassword): Promise<AppPasswordAnswer & { password: string }>;
  /** Ends one. `which`: id or label. @throws HoldfastError not-found, usage when that is two */
  revokeAppPassword(account: string, which: string): Promise<AppPasswordAnswer>;
  /** Devices of one account, or of all. @throws HoldfastError not-found */
  devices(account?: string): Promise<AdminDeviceRow[]>;
  /** Ends a device's token and its uploads, and takes its wraps out of the keys documents. `device`: name or id. @throws HoldfastError not-found */
  revokeDevice(account: string, device: string): Promise<void>;
  /** Vaults of one account, or of all. @throws HoldfastError not-found */
  vaults(account?: string): Promise<VaultRow[]>;
  /** @throws HoldfastError not-found, exists, corrupt, disk-full */
  createVault(account: string, request: NewVault): Promise<{ vault: string }>;
  /** Takes a vault's secrets into memory. @throws HoldfastError not-found, corrupt, key-wrong; sequence-conflict for those of an older epoch */
  unlock(vault: string, request: UnlockRequest): Promise<void>;
  /** Forgets a vault's keys. Answers whether it was unlocked. @throws HoldfastError not-found */
  lock(vault: string): Promise<boolean>;
}
