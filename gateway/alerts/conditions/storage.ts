// Replicas that are behind or stopped, the disk, damage, vaults that cannot be opened or written, the certificate.

import { X509Certificate } from "node:crypto";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import type { Gateway } from "../../gateway.ts";
import type { DiskForecast } from "../../health/diskForecast.ts";
import { replicaLag } from "../../health/replicaLag.ts";
import type { JobRow } from "../../jobs/jobRows.ts";
import type { RaisedAlert } from "../alertLog.ts";
import type { Condition } from "./condition.ts";

const dayMs = 86_400_000;

export function replicasCondition(gateway: Gateway): Condition {
  const find = async (): Promise<RaisedAlert[]> => {
    const { catalog, dataDir, now } = gateway;
    const { alertLagHours } = dataDir.settings;
    const found: RaisedAlert[] = [];
    for (const replica of catalog.replicas.list()) {
      for (const { id } of catalog.vaults.list()) {
        const lag = replicaLag(await gateway.vault(id), replica.id, now());
        const subject = `${replica.name} ${catalog.vaultTitle(id)}`;
        const lagHours = Math.floor(lag.seconds / 3600);
        const code = lag.failure?.code ?? null;
        const figures = { lag_hours: lagHours, snapshots: lag.snapshots, code };
        const next = `\`holdfast replica status ${replica.name}\` says why.`;
        if (alertLagHours > 0 && lagHours >= alertLagHours) {
          const severity = lagHours >= 4 * alertLagHours ? "critical" : "warning";
          const message = `snapshots wait for this replica for longer than ${alertLagHours} hours. ${next}`;
          found.push({ kind: "replica-behind", severity, subject, message, figures });
        }
        const { state } = lag.failure ?? {};
        if (state === "fenced" || state === "stopped") {
          const message = `replication has stopped and does not go on by itself: ${lag.failure?.message}. ${next}`;
          found.push({ kind: "replica-stopped", severity: "critical", subject, message, figures });
        }
      }
    }
    return found;
  };
  return { kinds: ["replica-behind", "replica-stopped"], find };
}

export function diskCondition(gateway: Pick<Gateway, "dataDir">, forecast: DiskForecast): Condition {
  const find = async (): Promise<RaisedAlert[]> => {
    const { alertDiskDays } = gateway.dataDir.settings;
    const { freeBytes, reserveBytes, bytesPerDay, daysLeft } = await forecast.state();
    if (daysLeft === null || (daysLeft > 0 && daysLeft >= alertDiskDays)) return [];
    const message =
      daysLeft === 0
        ? "only the reserve is free: uploads are refused. Make room, or evict packs to a replica."
        : "the disk will soon be down to its reserve, at the rate of the last week. Make room, prune, or evict packs to a replica.";
    return [
      {
        kind: "disk-filling",
        severity: daysLeft < 1 ? "critical" : "warning",
        subject: "the gateway's disk",
        message,
        figures: {
          free_bytes: freeBytes,
          reserve_bytes: reserveBytes,
          bytes_per_day: bytesPerDay === null ? null : Math.round(bytesPerDay),
          days_left: Math.floor(daysLeft * 10) / 10,
        },
      },
    ];
  };
  return { kinds: ["disk-filling"], find };
}

/** What the newest scrub, and the newest verification of each replica, could not heal. */
export function damageCondition({ jobs, catalog }: Pick<Gateway, "catalog" | "jobs">): Condition {
  const newest = new Map<string, JobRow>();
  const note = (row: JobRow): void => {
    if (row.result === "done" || row.result === "warnings") newest.set(`${row.kind} ${row.subject}`, row);
  };
  for (const kind of ["scrub", "replica-verify"] as const) {
    for (const row of jobs.list({ kind, failed: false, limit: 1000 }).reverse()) note(row);
  }
  jobs.onEnded((row) => {
    if (row.kind === "scrub" || row.kind === "replica-verify") note(row);
  });
  const find = async (): Promise<RaisedAlert[]> =>
    [...newest.values()].flatMap(({ id, kind, subject, figures, ended }) => {
      const damaged = figures.damaged ?? 0;
      const isGone = kind === "replica-verify" && catalog.replicas.byName(subject) === undefined;
      if (damaged === 0 || isGone) return [];
      const where = kind === "scrub" ? "the gateway's disk" : `replica ${subject}`;
      return {
        kind: "damage-found",
        severity: "critical" as const,
        subject: where,
        message: `damage was found there and could not be healed. \`holdfast job show ${id}\` and the log say more; it ends with a run that finds none.`,
        figures: { damaged, job: id, found: ended },
      };
    });
  return { kinds: ["damage-found"], find };
}

export function vaultsCondition(gateway: Pick<Gateway, "catalog" | "vault">): Condition {
  const find = async (): Promise<RaisedAlert[]> => {
    const found: RaisedAlert[] = [];
    for (const { id } of gateway.catalog.vaults.list()) {
      const subject = gateway.catalog.vaultTitle(id);
      try {
        const { failure } = (await gateway.vault(id)).store;
        if (failure === undefined || failure.code === ErrorCode.cancelled) continue;
        const message = `backups are refused: ${failure.message}. ${failure.next}`;
        const figures = { code: failure.code };
        found.push({ kind: "vault-not-writable", severity: "critical", subject, message, figures });
      } catch (error) {
        if (isHoldfastError(error, ErrorCode.cancelled)) continue;
        const message = `the vault cannot be opened: ${error instanceof Error ? error.message : String(error)}. The log says more.`;
        const figures = { code: isHoldfastError(error) ? error.code : null };
        found.push({ kind: "vault-not-open", severity: "critical", subject, message, figures });
      }
    }
    return found;
  };
  return { kinds: ["vault-not-open", "vault-not-writable"], find };
}

export function certificateCondition(gateway: Pick<Gateway, "dataDir" | "now">): Condition {
  const find = async (): Promise<RaisedAlert[]> => {
    const { tls, settings } = gateway.dataDir;
    const { validTo } = new X509Certificate(tls.certificate);
    const daysLeft = Math.floor((Date.parse(validTo) - gateway.now().getTime()) / dayMs);
    if (settings.alertCertificateDays === 0 || daysLeft >= settings.alertCertificateDays) return [];
    return [
      {
        kind: "certificate-ends",
        severity: daysLeft < 2 ? "critical" : "warning",
        subject: "the gateway's TLS certificate",
        message:
          daysLeft < 0
            ? "it has ended. Renew it with the same key, and reload."
            : "it ends soon. Renew it with the same key, and reload: agents that pinned the key go on.",
        figures: { days_left: daysLeft, ends: new Date(validTo).toISOString() },
      },
    ];
  };
  return { kinds: ["certificate-ends"], find };
}
