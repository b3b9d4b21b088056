// The replication of the gateway's own state: a job in each replica, woken by changes of the catalog, among them the notes of new
// roots of vaults, and of sealed.json. It shares retries, pauses and fencing with the jobs of vaults (job/job.ts).
//
// Invariants
// - An idle catalog asks nothing of any replica, and nothing is polled.
// - After `close` nothing is under way, and the catalog may be closed.

import type { Logger } from "pino";
import { HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { Job, type RunOptions } from "../job/job.ts";
import { replicateAsJob } from "../job/jobHistory.ts";
import { JobSession, type OpenStore, usageOf } from "../job/jobSession.ts";
import { JobState } from "../job/jobState.ts";
import type { GatewayStateStatus, JobFailure, RunReport } from "../job/replicationStatus.ts";
import { type RetryPauses, retryPausesDefault } from "../job/retryPauses.ts";
import { parseSchedule } from "../job/schedule.ts";
import { usageSince } from "../job/storeUsage.ts";
import { forgetWritten, gatewayStateChange, replicateGateway } from "./replicateGateway.ts";

export type GatewayReplicationOptions = {
  readonly gateway: Pick<Gateway, "audit" | "catalog" | "dataDir" | "jobs" | "now" | "sealing"> & {
    readonly logger: Logger;
  };
  readonly openStore: OpenStore;
  readonly monotonicMs: () => number;
  /** For tests. */
  readonly pauses?: RetryPauses;
  /** Changes that come so soon after the first make one generation with it. */
  readonly gatherMs?: number;
};

const gatherMsDefault = 3000;
/** Where snapshots go at once, newer roots of vaults and lines of the audit log alone are worth a generation so often. */
const seenEveryMs = 3_600_000;

export class GatewayReplication {
  readonly #options: GatewayReplicationOptions;
  readonly #jobs = new Map<string, Job>();
  #stopListening: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;
  #looking: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: GatewayReplicationOptions) {
    this.#options = options;
  }

  /** Begins to work in the background. */
  start(): void {
    const { environment } = this.#options.gateway.catalog;
    this.#stopListening = environment.onCommit(() => this.changed());
    this.changed();
  }

  /** The catalog or sealed.json changed. */
  changed(): void {
    if (this.#stopListening === undefined || this.#timer !== undefined || this.#closed) return;
    this.#timer = setTimeout(() => {
      this.#timer = undefined;
      this.#looking = this.#looking
        .then(() => this.#look())
        .catch((error: unknown) => {
          this.#options.gateway.logger.error({ err: error }, "replication-not-started");
        });
    }, this.#options.gatherMs ?? gatherMsDefault).unref();
  }

  async #look(): Promise<void> {
    const { catalog, logger } = this.#options.gateway;
    const replicas = catalog.replicas.list();
    for (const [id, job] of this.#jobs) {
      if (replicas.some((replica) => replica.id === id)) continue;
      this.#jobs.delete(id);
      await job.close();
      forgetWritten(this.#options.gateway, id);
      new JobState(catalog.environment, id).forget();
    }
    for (const replica of replicas) {
      const due = await this.#isDue(replica).catch((error: unknown) => {
        logger.error({ replica: replica.name, err: error }, "replication-not-started");
        return false;
      });
      if (due) await this.#job(replica.id).wake();
    }
  }

  /** A replica that is there at times only is written to when roots of vaults just were. */
  async #isDue(replica: Replica): Promise<boolean> {
    const { state, seen, audit, ageMs } = await gatewayStateChange(this.#options.gateway, replica.id);
    const { continuous } = parseSchedule(replica.schedule);
    // A clock that was set back must not hold it up until it is there again.
    return continuous ? state || ((seen || audit) && Math.abs(ageMs) >= seenEveryMs) : seen;
  }

  #job(replica: string): Job {
    const known = this.#jobs.get(replica);
    if (known !== undefined) return known;
    const { gateway, openStore, monotonicMs, pauses = retryPausesDefault } = this.#options;
    const { catalog, dataDir, logger } = gateway;
    const session = new JobSession(openStore);
    const job = new Job(dataDir.identity.id, {
      memory: async () => new JobState(catalog.environment, replica),
      pending: async () => catalog.replicas.get(replica) !== undefined,
      packsWait: async () => false,
      lingerMs: 0,
      replicate: (run) =>
        replicateAsJob(
          gateway.jobs,
          `${catalog.replicas.get(replica)?.name ?? replica} (gateway)`,
          run,
          (watch) => this.#replicate(replica, session, { ...run, ...watch }, monotonicMs),
        ),
      report: (level, event, facts) =>
        logger[level]({ replica: catalog.replicas.get(replica)?.name ?? replica, ...facts }, event),
      now: gateway.now,
      ended: () => session.close(),
      pauses,
      background: () => this.#stopListening !== undefined && !this.#closed,
    });
    this.#jobs.set(replica, job);
    return job;
  }

  async #replicate(
    id: string,
    session: JobSession,
    { takeOver, signal }: RunOptions,
    monotonicMs: () => number,
  ): Promise<Omit<RunReport, "outcome" | "failure">> {
    const { gateway } = this.#options;
    const begunMs = monotonicMs();
    const replica = gateway.catalog.replicas.get(id);
    if (replica === undefined) throw new Error("a job of a replica that is gone");
    const opened = await session.open(replica);
    const before = usageOf(opened);
    const { store, roots } = opened;
    try {
      const { generation } = await replicateGateway({ gateway, replica, store, roots, takeOver, signal });
      const nothing = { packs: 0, bytes: 0, snapshots: 0, unsent: [] };
      const usage = usageSince(before, usageOf(opened));
      return {
        vault: gateway.dataDir.identity.id,
        ...nothing,
        generation,
        usage,
        seconds: (monotonicMs() - begunMs) / 1000,
      };
    } catch (error) {
      if (isHoldfastError(error)) await session.close();
      throw error;
    }
  }

  /** Writes the state to a replica now, behind the roots of vaults. Failures are in the report. @throws HoldfastError cancelled */
  run(replica: string, options: RunOptions): Promise<RunReport> {
    return this.#job(replica).runNow(options);
  }

  /**
   * Writes accounts, devices, vaults and settings to a replica that does not have them as they are now.
   * @throws HoldfastError replica-fenced and what else keeps them from being written; cancelled
   */
  async stateThere(replica: string, options: RunOptions): Promise<void> {
    if (!(await gatewayStateChange(this.#options.gateway, replica)).state) return;
    const { failure } = await this.run(replica, options);
    if (failure === null) return;
    const { code, message, next } = failure;
    throw new HoldfastError(
      code,
      `the gateway's own state is not there: ${message}`,
      next === null ? {} : { next },
    );
  }

  /** How writing the state to a replica is. Asks nothing of it. */
  async status(replica: string): Promise<GatewayStateStatus> {
    const job = this.#job(replica);
    const { failure } = new JobState(this.#options.gateway.catalog.environment, replica).row;
    const { state, ...facts } = failure ?? { state: undefined };
    return {
      state: job.state(state),
      failure: failure === null ? null : (facts as JobFailure),
      nextTry: job.nextTry?.toISOString() ?? null,
    };
  }

  /** Stops all jobs. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#stopListening?.();
    clearTimeout(this.#timer);
    await this.#looking;
    await Promise.all([...this.#jobs.values()].map((job) => job.close()));
  }
}
