// holdfast replica status

import type {
  GatewayStateStatus,
  ReplicaStatus,
  VaultReplicaStatus,
} from "../../gateway/replica/job/replicationStatus.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount, formatDuration } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";
import { formatCost, type ReplicaFigures, replicaFigures } from "../replicaFigures.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operands[0];
  const replicas = await withAdmin(context, (operations) => operations.replicas.status(name));
  for (const status of replicas) output.event(jsonOf(status));
  if (replicas.length === 0) output.line("There are no replicas yet; `holdfast help replica add`.");
  else if (name === undefined) output.line(tableOf(replicas));
  else for (const status of replicas) for (const line of detailsOf(status)) output.line(line);
}

function jsonOf(status: ReplicaStatus): Record<string, unknown> {
  const { replica, vaults } = status;
  const figures = replicaFigures(status);
  return {
    name: replica.name,
    url: replica.url,
    pending_packs: figures.pendingPacks,
    pending_bytes: figures.pendingBytes,
    snapshots: Object.fromEntries(vaults.flatMap((vault) => Object.entries(vault.snapshots))),
    pending_snapshots: figures.pendingSnapshots,
    lag_hours: figures.lagHours,
    state: figures.state,
    bytes_per_second: figures.bytesPerSecond,
    eta_seconds: figures.etaSeconds,
    requests: figures.requests,
    requests_cost_usd: figures.costUsd,
    requests_per_snapshot: perSnapshot(figures),
    sent_bytes: figures.sentBytes,
    received_bytes: figures.receivedBytes,
    conditional_puts: replica.conditionalPuts,
    notes: replica.notes,
    bandwidth: replica.bandwidth,
    schedule: replica.schedule,
    parallel: replica.parallel,
    created: replica.created,
    gateway_state: {
      state: status.gatewayState.state,
      failure: status.gatewayState.failure,
      next_try: status.gatewayState.nextTry,
    },
    vaults: vaults.map((vault) => ({
      vault: vault.vault,
      state: vault.state,
      failure: vault.failure,
      next_try: vault.nextTry,
      generation: vault.generation,
      pending_packs: vault.pendingPacks,
      pending_bytes: vault.pendingBytes,
      unproven_packs: vault.unprovenPacks,
      pending_snapshots: vault.pendingSnapshots,
      lag_hours: vault.lagHours,
      unsent: vault.unsent,
      requests: vault.usage.requests,
      retries: vault.usage.retries,
      runs: vault.usage.runs,
    })),
  };
}

function perSnapshot({ requests, broughtSnapshots }: ReplicaFigures): number | null {
  return broughtSnapshots === 0 ? null : Math.round((requests / broughtSnapshots) * 10) / 10;
}

function tableOf(replicas: readonly ReplicaStatus[]): string {
  const rows = replicas.map((status) => {
    const figures = replicaFigures(status);
    return [
      status.replica.name,
      status.replica.url,
      figures.state,
      `${figures.offsite} of ${figures.known}`,
      behind(figures),
      rate(figures),
    ];
  });
  return formatTable(["REPLICA", "PLACE", "STATE", "OFFSITE", "BEHIND", "RATE"], rows);
}

/** "2 snapshots, 1.20 GiB, 3.5 h", or a dash. */
function behind({ pendingSnapshots, pendingBytes, lagHours }: ReplicaFigures): string {
  if (pendingSnapshots === 0 && pendingBytes === 0) return "-";
  const hours = lagHours === null ? [] : [`${lagHours.toFixed(1)} h`];
  return [formatCount(pendingSnapshots, "snapshot"), formatBytes(pendingBytes), ...hours].join(", ");
}

function rate({ bytesPerSecond, etaSeconds }: ReplicaFigures): string {
  if (bytesPerSecond === 0) return "-";
  const left = etaSeconds === null ? "" : `, ${formatDuration(etaSeconds)} left`;
  return `${formatBytes(Math.round(bytesPerSecond))}/s${left}`;
}

function detailsOf(status: ReplicaStatus): string[] {
  const { replica, vaults, gatewayState } = status;
  const figures = replicaFigures(status);
  const cost = figures.costUsd === null ? "" : `, ${formatCost(figures.costUsd)} at list prices`;
  const each = perSnapshot(figures);
  return [
    `Replica ${replica.name}: ${figures.state}`,
    `Place: ${replica.url}`,
    `Offsite: ${figures.offsite} of ${formatCount(figures.known, "snapshot")}`,
    `Behind: ${behind(figures)}`,
    `Rate: ${rate(figures)}`,
    `Requests: ${formatCount(figures.requests, "request")}${cost}${each === null ? "" : `, ${each} a snapshot`}`,
    `Bytes: ${formatBytes(figures.sentBytes)} sent, ${formatBytes(figures.receivedBytes)} read`,
    ...replica.notes.map((note) => `Note: ${note}`),
    ...failureOf("The gateway's own state", gatewayState),
    ...vaults.flatMap((vault) => troubleOf(vault, replica.name)),
  ];
}

function failureOf(what: string, { failure, nextTry }: GatewayStateStatus): string[] {
  if (failure === null) return [];
  const next = nextTry === null ? "" : ` Tried again at ${nextTry}.`;
  return [`${what}: ${failure.message}. ${failure.next ?? ""}${next}`];
}

function troubleOf(status: VaultReplicaStatus, replica: string): string[] {
  const { vault, unsent, unprovenPacks } = status;
  return [
    ...failureOf(`Vault ${vault}`, status),
    ...(unprovenPacks === 0
      ? []
      : [
          `Vault ${vault}: receipts wait until ${formatCount(unprovenPacks, "pack")} there were read back. \`holdfast replica verify ${replica} --share 100% --heal\` does that; fetching packs back to this disk does too.`,
        ]),
    ...unsent.map(({ pack, message }) => `Pack ${pack} cannot be sent: ${message}`),
  ];
}
