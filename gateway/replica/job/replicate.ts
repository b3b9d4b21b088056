// One run of a job: opens what it needs, replicates, and counts what it asked for.

import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import type { OpenVault } from "../../openVault.ts";
import { vaultChain } from "../chain/vaultChain.ts";
import type { RunOptions } from "./job.ts";
import { type JobSession, type OpenedSession, usageOf } from "./jobSession.ts";
import { JobState } from "./jobState.ts";
import type { ReplicaLane } from "./replicaLane.ts";
import { Overtaken, ReplicaRun, type RunCounts } from "./replicaRun.ts";
import type { RunReport } from "./replicationStatus.ts";
import type { RunContext } from "./runContext.ts";
import { usageSince } from "./storeUsage.ts";

export type ReplicateOptions = RunOptions & {
  readonly gateway: Pick<Gateway, "catalog" | "dataDir" | "logger" | "now" | "vault" | "vaultDirectory">;
  readonly session: JobSession;
  readonly monotonicMs: () => number;
  readonly replica: Replica;
  /** Id of the vault. */
  readonly vault: string;
  readonly lane: ReplicaLane;
  /** See ReplicationOptions. */
  readonly stateThere?: (run: RunOptions) => Promise<void>;
};

/** Roots of ours whose answers were lost and that come to light one after the other. */
const overtakenMax = 4;

/**
 * Brings a vault's snapshots to a replica.
 * @throws HoldfastError replica-unreachable, replica-refused, replica-full, replica-damaged, replica-fenced, rollback-detected, cancelled, disk-full, io-error
 */
export async function replicate(options: ReplicateOptions): Promise<Omit<RunReport, "outcome" | "failure">> {
  const { gateway, session, replica, monotonicMs } = options;
  const begunMs = monotonicMs();
  const vault = await gateway.vault(options.vault);
  const opened = await session.open(replica);
  const before = usageOf(opened);
  const job = new JobState(vault.store.environment, replica.id);
  try {
    const done = await run(contextOf(options, vault, job, opened), options);
    const seconds = (monotonicMs() - begunMs) / 1000;
    return { vault: vault.id, ...done, usage: usageSince(before, usageOf(opened)), seconds };
  } catch (error) {
    const other = [ErrorCode.replicaFenced, ErrorCode.rollbackDetected].some((code) =>
      isHoldfastError(error, code),
    );
    if (other) new PackPlaces(vault.store.environment).doubt(replica.id);
    await session.close();
    throw error;
  } finally {
    job.addUsage(usageSince(before, usageOf(opened)));
  }
}

async function run(context: RunContext, { monotonicMs, onProgress }: ReplicateOptions): Promise<RunCounts> {
  for (let tries = 1; ; tries++) {
    try {
      return await new ReplicaRun(context, monotonicMs, onProgress).run();
    } catch (error) {
      if (!(error instanceof Overtaken)) throw error;
      if (tries === overtakenMax) {
        throw new HoldfastError(ErrorCode.replicaUnreachable, `answers of ${context.roots.url} are lost`, {
          cause: error,
        });
      }
    }
  }
}

function contextOf(
  { gateway, replica, lane, takeOver, ahead, signal, stateThere }: ReplicateOptions,
  vault: OpenVault,
  job: JobState,
  { store, roots, held }: OpenedSession,
): RunContext {
  const { chain, metadataKey } = vaultChain(gateway, replica, roots, vault.id);
  return {
    gateway,
    replica,
    vault,
    directory: gateway.vaultDirectory(vault.id),
    metadataKey,
    store,
    roots,
    held,
    fresh: new Set(),
    chain,
    job,
    places: new PackPlaces(vault.store.environment),
    lane,
    stateThere: async () => stateThere?.({ takeOver, signal, onProgress: () => undefined }),
    takeOver,
    ahead,
    signal,
    putOptions: { signal, throttle: (bytes) => lane.throttle.take(bytes, signal) },
  };
}
