// What is noted of each thing that an administrator does. Subjects are picked field by field: requests hold L, keys, and what somebody may have
// typed in a wrong place.

import type { AlertOperations } from "../admin/alertOperations.ts";
import type { DriveOperations } from "../admin/drives.ts";
import type { GuardOperations } from "../admin/guardOperations.ts";
import type { HomeOperations } from "../admin/homeOperations.ts";
import type { MetricsOperations } from "../admin/metricsOperations.ts";
import type { OfflineUpkeep } from "../admin/offlineUpkeep.ts";
import type { AdminOperations } from "../admin/operations.ts";
import type { PeerOperations } from "../admin/peerOperations.ts";
import type { RemovalOperations } from "../admin/removalOperations.ts";
import type { ReplicaOperations } from "../admin/replicaOperations.ts";
import type { RetentionOperations } from "../admin/retentionOperations.ts";
import type { TokenOperations } from "../admin/tokenOperations.ts";
import type { TotpOperations } from "../admin/totpOperations.ts";
import { audited, type By, type Rules } from "./audited.ts";
import { imports, seed, staging } from "./boxRules.ts";
import { invites } from "./inviteRules.ts";
import { items } from "./itemRules.ts";
import { jobs } from "./jobRules.ts";
import { keys } from "./keysRules.ts";
import { reports } from "./reportRules.ts";
import { listOf, scopeOf } from "./subjects.ts";

const upkeep: Rules<OfflineUpkeep> = {
  hurtFiles: "reads",
  rebuildIndex: (_args, done) => ({
    event: "index.rebuilt",
    subject: { vaults: done?.vaults.length ?? null },
  }),
  repair: ([{ dryRun }], done) =>
    dryRun ? undefined : { event: "vault.repaired", subject: { vaults: done?.vaults.length ?? null } },
};

/** What is done while no gateway runs. */
export function auditedUpkeep(operations: OfflineUpkeep, by: By): OfflineUpkeep {
  return audited(operations, upkeep, by);
}

const core: Rules<AdminOperations> = {
  status: "reads",
  accounts: "reads",
  keysDocuments: "reads",
  appPasswords: "reads",
  devices: "reads",
  vaults: "reads",
  check: "reads",
  scrub: "reads",
  scrubStatus: "reads",
  drill: "reads",
  drills: "reads",
  stopGc: "reads",
  addAccount: ([{ name }], made) => ({
    event: "account.added",
    subject: { account: name, id: made?.id ?? null, vault: made?.vault ?? null },
  }),
  setDisabled: ([account, disabled]) => ({
    event: disabled ? "account.disabled" : "account.enabled",
    subject: { account },
  }),
  setQuota: ([account, { bytes, devices }]) => ({
    event: "account.quota-set",
    subject: { account, bytes, devices },
  }),
  changePassword: ([account, { by = "password" }]) => ({
    event: "account.password-changed",
    subject: { account, by },
  }),
  addAppPassword: ([account, { label, read }], made) => ({
    event: "app-password.made",
    subject: { account, label, read: read ?? null, id: made?.id ?? null, expires: made?.expires ?? null },
  }),
  setAccess: ([account, access]) => ({
    event: "account.access-changed",
    subject: { account, allow: access?.allow ?? null, deny: access?.deny ?? null },
  }),
  // What was typed may be the password itself.
  revokeAppPassword: ([account], gone) => ({
    event: "app-password.revoked",
    subject: { account, id: gone?.id ?? null, label: gone?.label ?? null },
  }),
  revokeDevice: ([account, device]) => ({ event: "device.revoked", subject: { account, device } }),
  createVault: ([account], made) => ({
    event: "vault.created",
    subject: { account, vault: made?.vault ?? null },
  }),
  unlock: ([vault, { forSeconds = null, by = "password" }]) => ({
    event: "vault.unlocked",
    subject: { vault, forSeconds, by },
  }),
  lock: ([vault], wasUnlocked) =>
    wasUnlocked === false ? undefined : { event: "vault.locked", subject: { vault, why: "command" } },
  gc: ([{ dryRun, account = null }], done) =>
    dryRun
      ? undefined
      : {
          event: "garbage.collected",
          subject: {
            account,
            snapshots: done?.vaults.reduce((sum, { plan }) => sum + plan.snapshots, 0) ?? null,
            records: done?.vaults.reduce((sum, { records }) => sum + records, 0) ?? null,
            bytes: done?.vaults.reduce((sum, { freedBytes }) => sum + freedBytes, 0) ?? null,
          },
        },
  evict: ([{ keepBytes, dryRun }], done) =>
    dryRun
      ? undefined
      : {
          event: "packs.evicted",
          subject: { keepBytes, packs: done?.evictedPacks ?? null, bytes: done?.evictedBytes ?? null },
        },
};

const replicas: Rules<ReplicaOperations> = {
  status: "reads",
  verify: "reads",
  // An address that was not taken may have anything in it.
  add: ([{ name }], added) => ({
    event: "replica.added",
    subject: { replica: name, url: added?.url ?? null },
  }),
  run: ([{ name, takeOver }]) =>
    takeOver ? { event: "replica.taken-over", subject: { replica: name } } : undefined,
  remove: ([{ name, abandon }]) => ({ event: "replica.removed", subject: { replica: name, abandon } }),
  erase: ([{ name, dryRun }], done) =>
    dryRun
      ? undefined
      : {
          event: "replica.erased",
          subject: {
            replica: name,
            vaults: done?.vaults.map(({ vault }) => vault) ?? [],
            left: done?.vaults.reduce((sum, { left }) => sum + left, 0) ?? null,
          },
        },
};

const homes: Rules<HomeOperations> = {
  show: "reads",
  plan: "reads",
  move: ([{ account, devices, force }], moved) => ({
    event: "home.moved",
    subject: { account, devices, force, gateway: moved?.home.gateway ?? null },
  }),
  undo: ([account]) => ({ event: "home.undone", subject: { account } }),
};

const retention: Rules<RetentionOperations> = {
  policies: "reads",
  snapshots: "reads",
  setPolicy: ([{ policy, ...scope }]) => ({
    event: "retention.changed",
    subject: { ...scopeOf(scope), policy: policy === null ? null : JSON.stringify(policy) },
  }),
  prune: ([{ dryRun, ...scope }], done) =>
    dryRun
      ? undefined
      : {
          event: "retention.pruned",
          subject: { ...scopeOf(scope), kept: done?.kept ?? null, trashed: done?.trashed ?? null },
        },
  mark: ([{ snapshots, pin, addTags, removeTags }]) => ({
    event: "snapshot.marked",
    subject: {
      ...listOf(snapshots),
      ...(pin !== undefined && { pinned: pin !== null, reason: pin }),
      addTags,
      removeTags,
    },
  }),
  remove: ([snapshots, reason], gone) => ({
    event: "snapshot.deleted",
    subject: { ...listOf(gone?.map(({ id }) => id) ?? snapshots), reason },
  }),
  undelete: ([snapshots], back) => ({
    event: "snapshot.undeleted",
    subject: listOf(back?.map(({ id }) => id) ?? snapshots ?? []),
  }),
};

const guard: Rules<GuardOperations> = {
  status: "reads",
  settle: ([word, scope], items) => ({
    event: ({ accept: "guard.accepted", confirm: "guard.confirmed", release: "guard.released" } as const)[
      word
    ],
    subject: { ...scopeOf(scope), items: items?.map(({ device, item }) => `${device}/${item}`) ?? [] },
  }),
  set: ([{ settings, ...scope }]) => ({
    event: "guard.changed",
    subject: { ...scopeOf(scope), settings: settings === null ? null : JSON.stringify(settings) },
  }),
};

const metrics: Rules<MetricsOperations> = {
  text: "reads",
  issueToken: () => ({ event: "metrics.token-changed", subject: { made: true } }),
  removeToken: () => ({ event: "metrics.token-changed", subject: { made: false } }),
};

const alerts: Rules<AlertOperations> = {
  list: "reads",
  test: "reads",
  acknowledge: ([id, note], alert) => ({
    event: "alert.acknowledged",
    subject: { id, note, kind: alert?.kind ?? null, subject: alert?.subject ?? null },
  }),
  expect: ([{ account, device, item, everySeconds }]) => ({
    event: "alert.expectation-changed",
    subject: { account, device, item, everySeconds },
  }),
};

const peerRules: Rules<PeerOperations> = {
  peers: "reads",
  addPeer: ([{ name }], made) => ({ event: "peer.added", subject: { peer: name, id: made?.id ?? null } }),
  rotatePeer: ([peer]) => ({ event: "peer.token-changed", subject: { peer } }),
  removePeer: ([peer, deleteData]) => ({ event: "peer.removed", subject: { peer, deleteData } }),
};

const tokens: Rules<TokenOperations> = {
  list: "reads",
  create: ([{ role, label, scopes, expiresInSeconds }], made) => ({
    event: "access-token.made",
    subject: { label, role, scopes, expiresInSeconds, id: made?.id ?? null },
  }),
  // What was typed may be the token itself.
  revoke: (_which, gone) => ({
    event: "access-token.revoked",
    subject: { id: gone?.id ?? null, label: gone?.label ?? null },
  }),
};

const totp: Rules<TotpOperations> = {
  status: "reads",
  begin: () => undefined,
  confirm: ([account]) => ({ event: "totp.enabled", subject: { account } }),
  disable: ([account]) => ({ event: "totp.disabled", subject: { account } }),
};

const removals: Rules<RemovalOperations> = {
  plan: "reads",
  list: "reads",
  remove: ([account], done) => ({
    event: "account.removed",
    subject: {
      account,
      id: done?.account ?? null,
      vaults: done?.vaults.map(({ id }) => id) ?? [],
      remains: done?.remains.map(({ replica }) => replica) ?? [],
    },
  }),
};

const driveRules: Rules<DriveOperations> = {
  drives: "reads",
  mount: ([{ mountpoint, allowOther }]) => ({ event: "drive.mounted", subject: { mountpoint, allowOther } }),
};

/** What is done through it is in the audit log before it is answered. */
export function auditedAdministration(operations: AdminOperations, by: By): AdminOperations {
  return audited(operations, core, by, {
    replicas: audited(operations.replicas, replicas, by),
    keys: audited(operations.keys, keys, by),
    homes: audited(operations.homes, homes, by),
    retention: audited(operations.retention, retention, by),
    guard: audited(operations.guard, guard, by),
    invites: audited(operations.invites, invites, by),
    items: audited(operations.items, items, by),
    seed: audited(operations.seed, seed, by),
    imports: audited(operations.imports, imports, by),
    staging: audited(operations.staging, staging, by),
    metrics: audited(operations.metrics, metrics, by),
    tokens: audited(operations.tokens, tokens, by),
    removals: audited(operations.removals, removals, by),
    alerts: audited(operations.alerts, alerts, by),
    jobs: audited(operations.jobs, jobs, by),
    reports: audited(operations.reports, reports, by),
    totp: audited(operations.totp, totp, by),
  });
}

export function auditedPeers(operations: PeerOperations, by: By): PeerOperations {
  return audited(operations, peerRules, by);
}

export function auditedDrives(operations: DriveOperations, by: By): DriveOperations {
  return audited(operations, driveRules, by);
}
