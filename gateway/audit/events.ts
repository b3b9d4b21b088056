// Every event of the audit log. docs/security.md says when each is written; a test compares the two.

export const auditEvents = [
  "log.begun",
  "log.recovered",
  "log.lost",
  "log.counted",
  "gateway.started",
  "gateway.stopped",
  "settings.changed",
  "login.accepted",
  "login.refused",
  "login.throttled",
  "token.refused",
  "address.refused",
  "app-password.refused",
  "app-password.new-address",
  "totp.enabled",
  "totp.disabled",
  "totp.recovery-used",
  "access-token.made",
  "access-token.revoked",
  "access-token.new-address",
  "account.added",
  "account.disabled",
  "account.enabled",
  "account.removed",
  "account.password-changed",
  "account.access-changed",
  "account.quota-set",
  "app-password.made",
  "app-password.revoked",
  "invite.made",
  "invite.revoked",
  "invite.claimed",
  "device.enrolled",
  "device.taken-over",
  "device.revoked",
  "device.fleet-set",
  "vault.created",
  "vault.unlocked",
  "vault.locked",
  "vault.keys-rotated",
  "escrow.added",
  "escrow.removed",
  "drive.mounted",
  "content.read",
  "record.quarantined",
  "retention.changed",
  "retention.pruned",
  "snapshot.marked",
  "snapshot.deleted",
  "snapshot.undeleted",
  "item.changed",
  "guard.held",
  "guard.accepted",
  "guard.confirmed",
  "guard.released",
  "guard.changed",
  "packs.evicted",
  "garbage.collected",
  "metrics.token-changed",
  "job.cancelled",
  "report.changed",
  "alert.acknowledged",
  "alert.expectation-changed",
  "index.rebuilt",
  "vault.repaired",
  "replica.added",
  "replica.erased",
  "replica.removed",
  "replica.taken-over",
  "peer.added",
  "peer.token-changed",
  "peer.removed",
  "home.moved",
  "home.undone",
  "box.prepared",
  "box.staged",
  "box.extended",
  "box.sealed",
  "box.reopened",
  "box.promised",
  "box.imported",
  "box.abandoned",
] as const;
export type AuditEvent = (typeof auditEvents)[number];

export const auditOutcomes = ["done", "refused", "failed"] as const;
export type AuditOutcome = (typeof auditOutcomes)[number];

export const actorKinds = [
  "administrator",
  "account",
  "device",
  "app-password",
  "access-token",
  "peer",
  "box",
  "invite",
  "gateway",
  "unknown",
] as const;
export type ActorKind = (typeof actorKinds)[number];

/** Who did it, as far as that was proven. */
export type AuditActor = { readonly kind: ActorKind; readonly [name: string]: string };

/** What it was done to: never a secret, nor a hash of one. */
export type AuditSubject = Readonly<Record<string, string | number | boolean | null | readonly string[]>>;

/** What is noted. */
export type AuditFacts = {
  readonly event: AuditEvent;
  readonly outcome: AuditOutcome;
  /** Of the error, where it was refused or failed. */
  readonly code?: string;
  readonly actor: AuditActor;
  /** Where it came from over the network. */
  readonly address?: string;
  readonly subject: AuditSubject;
};
