// The replication of a gateway: a job for each vault in each replica, started by snapshots, by the time of the day and by administrators.
//
// Invariants
// - A committed snapshot, and a closed pack, wake the jobs of their vault; nothing is polled. Where snapshots do not start a replica's jobs, packs do not. Timers exist for retries and for times of a schedule alone.
// - A replica's row is removed after all that vaults know of it: a removal that was interrupted is repeated, not forgotten. No job runs there from its
//   beginning on.
// - After `close` nothing of a run is under way, and vaults may be closed.

import type { Logger } from "pino";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import type { VaultStore } from "../../store/vaultStore.ts";
import type { GatewayReplication } from "../gatewayState/gatewayReplication.ts";
import { lingerMsDefault } from "./ahead.ts";
import { Job, type RunOptions } from "./job.ts";
import { replicateAsJob } from "./jobHistory.ts";
import { JobSession, type OpenStore } from "./jobSession.ts";
import { JobState } from "./jobState.ts";
import { isPending, pendingPacks, statusOf } from "./jobStatus.ts";
import { ReplicaLanes } from "./replicaLane.ts";
import { replicate } from "./replicate.ts";
import type {
  GatewayStateStatus,
  JobProgress,
  ReplicaStatus,
  ReplicationOperations,
  RunReport,
  RunRequest,
} from "./replicationStatus.ts";
import { type RetryPauses, retryPausesDefault } from "./retryPauses.ts";
import { parseSchedule, type Schedule } from "./schedule.ts";
import { ScheduleTimers } from "./scheduleTimers.ts";

export type ReplicationOptions = {
  readonly gateway: Pick<
    Gateway,
    | "catalog"
    | "changes"
    | "closedPacks"
    | "dataDir"
    | "elsewhere"
    | "jobs"
    | "logger"
    | "now"
    | "vault"
    | "vaultDirectory"
  >;
  readonly openStore: OpenStore;
  readonly monotonicMs: () => number;
  /** The gateway's own state, which is written behind the roots of vaults, and which receipts wait for. */
  readonly ownState?: Pick<GatewayReplication, "run" | "stateThere" | "status">;
  /** For tests. */
  readonly pauses?: RetryPauses;
  /** For so long a run that sends packs ahead of snapshots waits for another one; for tests. */
  readonly lingerMs?: number;
};

const nothingToTell: GatewayStateStatus = { state: "idle", failure: null, nextTry: null };

export class Replication implements ReplicationOperations {
  readonly #options: ReplicationOptions;
  readonly #logger: Logger;
  readonly #lanes: ReplicaLanes;
  /** By replica, then vault. */
  readonly #jobs = new Map<string, Map<string, Job>>();
  readonly #timers: ScheduleTimers;
  /** Replicas that are being removed: nothing begins there. */
  readonly #leaving = new Set<string>();
  #stopListening: (() => void) | undefined;
  #closed = false;

  constructor(options: ReplicationOptions) {
    this.#options = options;
    this.#logger = options.gateway.logger;
    this.#timers = new ScheduleTimers(options.gateway.now);
    this.#lanes = new ReplicaLanes(options.gateway.now, options.monotonicMs);
  }

  /** Begins to work in the background: goes on with what is pending, then with each snapshot. */
  start(): void {
    const { changes, closedPacks, catalog } = this.#options.gateway;
    const continuous = (): Replica[] => catalog.replicas.list().filter((one) => scheduleOf(one).continuous);
    const ends = [
      changes.onChanged((account) => {
        const vaults = catalog.vaults.list(account).map(({ id }) => id);
        for (const replica of continuous()) this.#wake(replica, vaults);
      }),
      closedPacks.onChanged((vault) => {
        for (const replica of continuous()) void this.#packClosed(replica, vault);
      }),
    ];
    this.#stopListening = () => {
      for (const end of ends) end();
    };
    for (const { id } of catalog.replicas.list()) this.added(id);
  }

  added(id: string): void {
    if (this.#stopListening === undefined || this.#closed) return;
    const replica = this.#replica(id);
    const schedule = scheduleOf(replica);
    if (schedule.continuous) this.#wake(replica, this.#vaultIds());
    this.#schedule(replica);
  }

  /** Sets the next time of a replica's schedule, and behind it those that follow. */
  #schedule({ id, schedule }: Replica): void {
    const { catalog } = this.#options.gateway;
    this.#timers.set(id, parseSchedule(schedule), () => {
      const row = catalog.replicas.get(id);
      if (row === undefined || this.#closed) return;
      this.#wake(row, this.#vaultIds(), true);
      this.#schedule(row);
    });
  }

  #wake(replica: Replica, vaults: readonly string[], scheduled = false): void {
    void this.#wakeAll(replica, vaults, scheduled);
  }

  /** One vault after the other: each is opened for it. */
  async #wakeAll(replica: Replica, vaults: readonly string[], scheduled: boolean): Promise<void> {
    for (const vault of vaults) {
      if (this.#closed || this.#leaving.has(replica.id)) return;
      try {
        await this.#job(replica.id, vault).wake(scheduled);
      } catch (error) {
        this.#logger.error({ vault, replica: replica.name, err: error }, "replication-not-started");
      }
    }
  }

  async #packClosed(replica: Replica, vault: string): Promise<void> {
    if (this.#closed || this.#leaving.has(replica.id)) return;
    try {
      await this.#job(replica.id, vault).packClosed();
    } catch (error) {
      this.#logger.error({ vault, replica: replica.name, err: error }, "replication-not-started");
    }
  }

  #vaultIds(): string[] {
    return this.#options.gateway.catalog.vaults.list().map(({ id }) => id);
  }

  #replica(id: string): Replica {
    const row = this.#options.gateway.catalog.replicas.get(id);
    if (row === undefined) {
      throw new HoldfastError(ErrorCode.notFound, "no such replica", {
        next: "`holdfast replica status` lists them.",
      });
    }
    return row;
  }

  #job(replica: string, vault: string): Job {
    const jobs = this.#jobs.get(replica) ?? new Map<string, Job>();
    this.#jobs.set(replica, jobs);
    const known = jobs.get(vault);
    if (known !== undefined) return known;
    const { gateway, openStore, monotonicMs, ownState, pauses, lingerMs } = this.#options;
    const session = new JobSession(openStore);
    const job = new Job(vault, {
      memory: async () => new JobState((await gateway.vault(vault)).store.environment, replica),
      pending: async () => isPending(await gateway.vault(vault), replica),
      packsWait: async () => (await pendingPacks(await gateway.vault(vault), replica)).packs > 0,
      replicate: async (run) => {
        const row = this.#replica(replica);
        const asked = {
          ...{ gateway, session, monotonicMs, replica: row, vault },
          lane: this.#lanes.of(row),
          stateThere: async (state: RunOptions) => ownState?.stateThere(replica, state),
        };
        const subject = `${row.name} ${gateway.catalog.vaultTitle(vault)}`;
        const work = (watch: JobWatch<JobProgress>) => replicate({ ...run, ...asked, ...watch });
        const done = await replicateAsJob(gateway.jobs, subject, run, work);
        // Packs may go from the local disk that could not before.
        if (done.packs > 0) await gateway.elsewhere.lookAtRoom(true);
        return done;
      },
      report: (level, event, facts) =>
        this.#logger[level](
          { replica: gateway.catalog.replicas.get(replica)?.name ?? replica, ...facts },
          event,
        ),
      now: gateway.now,
      ended: () => session.close(),
      pauses: pauses ?? retryPausesDefault,
      lingerMs: lingerMs ?? lingerMsDefault,
      background: () => this.#stopListening !== undefined && !this.#closed,
    });
    jobs.set(vault, job);
    return job;
  }

  async status(id?: string): Promise<ReplicaStatus[]> {
    const { gateway, ownState } = this.#options;
    const replicas = id === undefined ? gateway.catalog.replicas.list() : [this.#replica(id)];
    const status: ReplicaStatus[] = [];
    for (const replica of replicas) {
      const vaults: ReplicaStatus["vaults"][number][] = [];
      for (const vault of this.#vaultIds()) {
        const job = this.#job(replica.id, vault);
        vaults.push(await statusOf(await gateway.vault(vault), replica, job, gateway.now()));
      }
      const gatewayState = (await ownState?.status(replica.id)) ?? nothingToTell;
      status.push({ replica, vaults, gatewayState });
    }
    return status;
  }

  async run({ replica, vault, takeOver = false, signal, onProgress }: RunRequest): Promise<RunReport[]> {
    this.#refuseLeaving(replica);
    if (vault !== undefined && this.#options.gateway.catalog.vaults.get(vault) === undefined) {
      throw new HoldfastError(ErrorCode.notFound, "no such vault");
    }
    const vaults = vault === undefined ? this.#vaultIds() : [vault];
    const stop = signal ?? new AbortController().signal;
    const reports = await Promise.all(
      vaults.map((id) =>
        this.#job(replica, id).runNow({
          takeOver,
          signal: stop,
          onProgress: (progress) => onProgress?.(id, progress),
        }),
      ),
    );
    const { ownState } = this.#options;
    if (vault !== undefined || ownState === undefined) return reports;
    const report = await ownState.run(replica, { takeOver, signal: stop, onProgress: () => undefined });
    // Of no vault, so that it is told only where something is to be done about it.
    return report.outcome === "done" ? reports : [...reports, report];
  }

  async remove(
    id: string,
    { abandon = false, onFetched, signal }: Parameters<ReplicationOperations["remove"]>[1] = {},
  ): Promise<void> {
    this.#refuseLeaving(id);
    const { catalog, vault } = this.#options.gateway;
    this.#leaving.add(id);
    try {
      await this.#stopJobs(id);
      const stores: VaultStore[] = [];
      for (const each of this.#vaultIds()) stores.push((await vault.call(this.#options.gateway, each)).store);
      let fetched = 0;
      const count = (): void => onFetched?.(++fetched);
      const needed = (): boolean =>
        !abandon && stores.some(({ elsewhere }) => elsewhere?.moves.isNeeded(id) === true);
      while (needed()) {
        for (const { elsewhere } of stores) await elsewhere?.moves.fetchOnlyIn(id, count, signal);
      }
      // In one turn of the event loop with the last look: nothing is evicted on the strength of this replica from here on.
      for (const { environment } of stores) {
        environment.write(() => {
          new PackPlaces(environment).clear(id);
          new JobState(environment, id).forget();
        });
      }
      catalog.replicas.remove(id);
      this.#jobs.delete(id);
    } finally {
      this.#leaving.delete(id);
      if (catalog.replicas.get(id) !== undefined) this.added(id);
    }
  }

  /** @throws HoldfastError not-found; busy */
  #refuseLeaving(id: string): void {
    const { name } = this.#replica(id);
    if (!this.#leaving.has(id)) return;
    throw new HoldfastError(ErrorCode.busy, `replica ${name} is being removed`);
  }

  async #stopJobs(replica: string): Promise<void> {
    this.#timers.clear(replica);
    const jobs = [...(this.#jobs.get(replica)?.values() ?? [])];
    await Promise.all(jobs.map((job) => job.close()));
    this.#jobs.delete(replica);
    this.#lanes.forget(replica);
  }

  /** Stops all runs and timers. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening?.();
    this.#timers.clearAll();
    await Promise.all([...this.#jobs.keys()].map((replica) => this.#stopJobs(replica)));
  }
}

/** A replica's schedule, which was checked when it was added. */
function scheduleOf(replica: Replica): Schedule {
  return parseSchedule(replica.schedule);
}
