// A gateway with its listeners: what `gateway run` starts and stops.

import { createHash } from "node:crypto";
import { rm } from "node:fs/promises";
import { setTimeout as pause } from "node:timers/promises";
import type { Server } from "node:tls";
import type { WebFront } from "../fs/view/webPort.ts";
import { ErrorCode, isHoldfastError } from "../vault/errors.ts";
import { adminSocketPath } from "./admin/adminSocket.ts";
import type { DriveOperations } from "./admin/drives.ts";
import { Administration } from "./administration.ts";
import { Alerting } from "./alerts/alerting.ts";
import { Reporting } from "./alerts/reports/reporting.ts";
import { type Listener, listenAdmin } from "./api/adminApp.ts";
import { type Listening, listen, tlsOptions } from "./api/server.ts";
import { byGateway } from "./audit/audit.ts";
import { EvictWatch } from "./cache/evictWatch.ts";
import type { GcFigures, PruneFigures } from "./catalog/scheduledRuns.ts";
import { Gateway, type GatewayOptions } from "./gateway.ts";
import { DiskForecast } from "./health/diskForecast.ts";
import { Upkeep } from "./health/upkeep.ts";
import { DrillWatch } from "./maintenance/drillWatch.ts";
import { collectGateway } from "./maintenance/gc/collectGateway.ts";
import { gcSchedule } from "./maintenance/gc/gcSchedule.ts";
import { pruneSchedule } from "./maintenance/retention/pruneSchedule.ts";
import { ScrubWatch } from "./maintenance/scrubWatch.ts";
import type { Timetable } from "./maintenance/timetable.ts";
import { GatewayMetrics } from "./metrics/gatewayMetrics.ts";
import { FetchAll } from "./replica/restore/fetchAll.ts";
import type { ReadOptions } from "./store/packReader.ts";

/** Drives in the gateway's process, and the same snapshots as WebDAV; `close` unmounts them all. */
export interface Drives extends DriveOperations {
  readonly web: WebFront;
  close(): Promise<void>;
}

export type RunOptions = GatewayOptions & {
  /** Makes what mounts drives in this process. */
  readonly drives?: (gateway: Gateway) => Drives;
  /** Reads what is in memory of a pack's file at once; see ReadOptions. */
  readonly readNow?: ReadOptions["readNow"];
};

type RunningParts = {
  readonly gateway: Gateway;
  readonly administration: Administration;
  readonly api: Listening;
  readonly admin: Listener;
  readonly drives: Drives | undefined;
  readonly forecast: DiskForecast;
};

/** Drives that are read may take some time to go. */
const abandonMs = 5000;
const upkeepTimes = { firstMs: 10_000, everyMs: 60_000 } as const;

export class RunningGateway {
  readonly gateway: Gateway;
  readonly administration: Administration;
  readonly #api: Listening;
  readonly #admin: Listener;
  readonly #drives: Drives | undefined;
  readonly #evictWatch: EvictWatch;
  readonly #fetchAll: FetchAll;
  readonly #alerting: Alerting;
  readonly #reporting: Reporting;
  readonly #upkeep: Upkeep;
  readonly #pruning: Timetable<PruneFigures>;
  readonly #collecting: Timetable<GcFigures>;
  readonly #scrubWatch: ScrubWatch;
  readonly #drillWatch: DrillWatch;

  private constructor({ gateway, administration, api, admin, drives, forecast }: RunningParts) {
    this.gateway = gateway;
    this.administration = administration;
    this.#api = api;
    this.#admin = admin;
    this.#drives = drives;
    this.#alerting = new Alerting(gateway, forecast);
    this.#reporting = new Reporting(gateway);
    this.#upkeep = new Upkeep({
      tasks: [
        { name: "sessions", run: () => gateway.jobs.review() },
        { name: "disk", run: () => forecast.sample() },
        { name: "alerts", run: () => this.#alerting.look() },
        { name: "reports", run: () => this.#reporting.look() },
      ],
      ...upkeepTimes,
      failed: (task, err) => gateway.logger.warn({ task, err }, "upkeep-failed"),
    });
    this.#evictWatch = new EvictWatch(gateway);
    const monotonicMs = (): number => performance.now();
    this.#pruning = pruneSchedule({
      ...{ gateway, monotonicMs },
      prune: () => administration.retention.prune({ dryRun: false }),
    });
    this.#collecting = gcSchedule({
      ...{ gateway, monotonicMs },
      pruned: () => this.#pruning.look(),
      collect: (request, signal) =>
        collectGateway(gateway, request, { signal, onProgress: () => {} }, "schedule"),
    });
    this.#scrubWatch = new ScrubWatch(gateway);
    this.#drillWatch = new DrillWatch(gateway);
    this.#fetchAll = new FetchAll({
      ...{ gateway, monotonicMs },
      proven: () => {
        for (const { id } of gateway.catalog.replicas.list()) gateway.replication.added(id);
      },
    });
  }

  /**
   * Opens a data directory and listens. `address`: HOST:PORT instead of that of the settings.
   * @throws HoldfastError as Gateway.open; the system's error when the address is taken
   */
  static async start(path: string, options: RunOptions, address?: string): Promise<RunningGateway> {
    const gateway = await Gateway.open(path, options);
    const drives = options.drives?.(gateway);
    let api: Listening | undefined;
    try {
      const forecast = new DiskForecast(gateway);
      const metrics = new GatewayMetrics({ gateway, forecast, drives });
      let url: string | null = null;
      const administration = new Administration(gateway, () => url, metrics);
      const { readNow } = options;
      api = await listen(gateway, address, {
        front: drives?.web,
        readNow,
        metrics,
        operations: administration,
      });
      url = api.url;
      const admin = await listenAdmin(gateway, administration, drives);
      const running = new RunningGateway({ gateway, administration, api, admin, drives, forecast });
      // Where it fails, uploads look again.
      await gateway.elsewhere.lookAtRoom().catch(() => undefined);
      gateway.replication.start();
      gateway.stateReplication.start();
      running.#fetchAll.start();
      running.#pruning.start();
      running.#collecting.start();
      running.#scrubWatch.start();
      running.#drillWatch.start();
      running.#openVaults();
      running.#upkeep.start();
      const settings = createHash("sha256").update(JSON.stringify(gateway.dataDir.settings)).digest("hex");
      await gateway.audit.record(byGateway("gateway.started", { version: options.version, url, settings }));
      return running;
    } catch (error) {
      await api?.app.close();
      await drives?.close();
      await gateway.close();
      throw error;
    }
  }

  /** Whoever comes first should not wait for their recovery. One that cannot be opened is told by /readyz and to who asks for it. */
  #openVaults(): void {
    const { gateway } = this;
    const all = async (): Promise<void> => {
      for (const { id } of gateway.catalog.vaults.list()) {
        await gateway.vault(id).catch((error: unknown) => {
          if (isHoldfastError(error, ErrorCode.cancelled)) return;
          gateway.logger.error({ vault: id, err: error }, "a vault cannot be opened");
        });
      }
    };
    gateway.attend(all());
  }

  /** https://HOST:PORT */
  get url(): string {
    return this.#api.url;
  }

  get port(): number {
    return this.#api.port;
  }

  /** SHA256:HEX of the TLS public key. */
  get fingerprint(): string {
    return this.gateway.dataDir.fingerprint;
  }

  /**
   * Reads config.toml and the certificate again. New connections get the new certificate; another `listen` needs a restart.
   * @throws HoldfastError as Gateway.reload
   */
  async reload(): Promise<void> {
    await this.gateway.reload();
    this.#scrubWatch.wake();
    const { tls, settings } = this.gateway.dataDir;
    const { app } = this.#api;
    app.log.level = settings.logLevel;
    (app.server as unknown as Server).setSecureContext({
      ...tlsOptions,
      cert: tls.certificate,
      key: tls.key,
    });
  }

  /** For a process that ends without writing anything more: takes the drives down, as far as that goes within `abandonMs`. */
  async abandon(): Promise<void> {
    const unmounted = this.#drives?.close().catch((error: unknown) => {
      this.gateway.logger.error({ err: error }, "a drive could not be unmounted");
    });
    await Promise.race([unmounted, pause(abandonMs, undefined, { ref: false })]);
  }

  /** Ends connections, finishes what is being stored, and gives the directory free. */
  async stop(): Promise<void> {
    await this.#admin.close();
    await this.#drives?.close();
    await this.#api.app.close();
    this.#alerting.stop();
    this.#reporting.stop();
    await this.#upkeep.close();
    await this.#evictWatch.close();
    await this.#fetchAll.close();
    await this.#collecting.close();
    await this.#pruning.close();
    await this.#scrubWatch.close();
    await this.#drillWatch.close();
    await rm(adminSocketPath(this.gateway.dataDir.path), { force: true });
    this.gateway.audit.note(byGateway("gateway.stopped", {}));
    await this.gateway.close();
  }
}
