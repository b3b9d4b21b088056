// What a running gateway tells Prometheus, in its text format (docs/operations.md, "Metrics").
//
// Invariants
// - Hot paths count in plain numbers or in one histogram each; everything else is looked at when somebody asks.
// - One look at a time, and one every `lookMs` at most: asking often costs nothing.
// - Names of accounts, devices, items and vaults are in labels; ids, paths and secrets are not.

import { X509Certificate } from "node:crypto";
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from "prom-client";
import type { DriveOperations } from "../admin/drives.ts";
import type { Gateway } from "../gateway.ts";
import type { DiskForecast } from "../health/diskForecast.ts";
import { JobCounters } from "./jobCounters.ts";
import { VaultGauges } from "./vaultGauges.ts";

export type MetricsOptions = {
  readonly gateway: Gateway;
  readonly forecast: DiskForecast;
  /** Where this program can mount. */
  readonly drives?: Pick<DriveOperations, "drives"> | undefined;
};

const lookMs = 5000;
/** 0.1 ms to 10 s. */
const bucketsSeconds = [0.0001, 0.0005, 0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 10];
const daySeconds = 86_400;

export class GatewayMetrics {
  readonly contentType = Registry.PROMETHEUS_CONTENT_TYPE;
  readonly #options: MetricsOptions;
  readonly #registry = new Registry();
  readonly #jobs: JobCounters;
  readonly #vaults: VaultGauges;
  /** Set from plain numbers that only grow. */
  readonly #totals: (() => void)[] = [];
  #look: { readonly atMs: number; readonly text: Promise<string> } | undefined;

  constructor(options: MetricsOptions) {
    this.#options = options;
    const { gateway } = options;
    collectDefaultMetrics({ register: this.#registry });
    this.#jobs = new JobCounters(this.#registry, gateway.jobs);
    this.#vaults = new VaultGauges(this.#registry, gateway);
    const have = this.#histogram("have_duration_seconds", "From a request `have` to its answer");
    const commit = this.#histogram("group_commit_duration_seconds", "Writing and syncing a group of records");
    gateway.probes.have = (seconds) => have.observe(seconds);
    gateway.probes.groupCommit = (seconds) => commit.observe(seconds);
    this.#countTotals(gateway);
    this.#watchGateway(options);
  }

  #countTotals({ jobs, elsewhere, authenticator, appPasswords }: Gateway): void {
    this.#total("upload_records_total", "Records that agents sent, stored or not", [], () => [
      [{}, jobs.backups.received.records],
    ]);
    this.#total("upload_bytes_total", "Bytes of these records", [], () => [
      [{}, jobs.backups.received.bytes],
    ]);
    this.#total(
      "block_cache_reads_total",
      "Reads of evicted packs that the cache had, or not",
      ["result"],
      () => [
        [{ result: "hit" }, elsewhere.blockCounts.hits],
        [{ result: "miss" }, elsewhere.blockCounts.misses],
      ],
    );
    this.#total("block_cache_fetched_bytes_total", "Bytes of blocks that were asked of replicas", [], () => [
      [{}, elsewhere.blockCounts.fetchedBytes],
    ]);
    this.#total(
      "logins_total",
      "Logins by password, and requests with an app password",
      ["by", "result"],
      () =>
        [
          ["password", authenticator.loginCounts] as const,
          ["app-password", appPasswords.loginCounts] as const,
        ].flatMap(([by, counts]) =>
          Object.entries(counts).map(([result, count]): [Record<string, string>, number] => [
            { by, result },
            count,
          ]),
        ),
    );
  }

  #watchGateway({ gateway, forecast, drives }: MetricsOptions): void {
    const { jobs, catalog } = gateway;
    this.#gauge("build_info", "1; the version is in the label", ["version"], (gauge) =>
      gauge.set({ version: gateway.version }, 1),
    );
    this.#gauge("upload_sessions", "Upload sessions that are open", [], (gauge) =>
      gauge.set(jobs.backups.running),
    );
    this.#gauge("accounts", "Accounts", [], (gauge) => gauge.set(catalog.accounts.list().length));
    this.#gauge("devices", "Devices that are not revoked", [], (gauge) =>
      gauge.set(catalog.devices.list().filter(({ revoked }) => !revoked).length),
    );
    this.#gauge("drives_mounted", "Drives of this process", [], async (gauge) =>
      gauge.set((await drives?.drives())?.length ?? 0),
    );
    this.#gauge("alerts_open", "Alerts that are open", ["severity"], (gauge) => {
      for (const severity of ["info", "warning", "critical"]) gauge.set({ severity }, 0);
      for (const { severity } of gateway.alerts.list()) gauge.inc({ severity });
    });
    this.#gauge("certificate_expiry_timestamp_seconds", "When the TLS certificate ends", [], (gauge) =>
      gauge.set(Date.parse(new X509Certificate(gateway.dataDir.tls.certificate).validTo) / 1000),
    );
    const total = this.#plainGauge("disk_size_bytes", "Bytes of the data directory's file system");
    const reserve = this.#plainGauge("disk_reserve_bytes", "What stays free: uploads are refused below it");
    const rate = this.#plainGauge(
      "disk_fill_bytes_per_second",
      "By which the disk fills; NaN while nobody knows",
    );
    const left = this.#plainGauge(
      "disk_reserve_reached_in_seconds",
      "Until only the reserve is free at this rate; +Inf where the disk does not fill, or nobody knows",
    );
    this.#gauge("disk_free_bytes", "Bytes that are free there", [], async (gauge) => {
      const state = await forecast.state();
      gauge.set(state.freeBytes);
      total.set(state.totalBytes);
      reserve.set(state.reserveBytes);
      rate.set(state.bytesPerDay === null ? Number.NaN : state.bytesPerDay / daySeconds);
      left.set(state.daysLeft === null ? Number.POSITIVE_INFINITY : state.daysLeft * daySeconds);
    });
  }

  #histogram(name: string, help: string): Histogram {
    const registers = [this.#registry];
    return new Histogram({ registers, name: `holdfast_${name}`, help, buckets: bucketsSeconds });
  }

  #plainGauge(name: string, help: string): Gauge {
    return new Gauge({ registers: [this.#registry], name: `holdfast_${name}`, help });
  }

  #gauge<Label extends string>(
    name: string,
    help: string,
    labelNames: Label[],
    look: (gauge: Gauge<Label>) => void | Promise<void>,
  ): void {
    new Gauge<Label>({
      ...{ registers: [this.#registry], name: `holdfast_${name}`, help, labelNames },
      async collect() {
        await look(this);
      },
    });
  }

  #total(
    name: string,
    help: string,
    labelNames: string[],
    look: () => readonly (readonly [Record<string, string>, number])[],
  ): void {
    const registers = [this.#registry];
    const counter = new Counter({ registers, name: `holdfast_${name}`, help, labelNames });
    this.#totals.push(() => {
      counter.reset();
      for (const [labels, count] of look()) counter.inc(labels, count);
    });
  }

  /** In Prometheus' text format. At most `lookMs` old. @throws the system's error where the disk does not answer */
  text(): Promise<string> {
    const nowMs = this.#options.gateway.monotonicMs();
    if (this.#look === undefined || nowMs - this.#look.atMs >= lookMs) {
      const before = this.#look?.text.catch(() => "") ?? Promise.resolve("");
      const text = before.then(() => this.#collect());
      text.catch(() => undefined);
      this.#look = { atMs: nowMs, text };
    }
    return this.#look.text;
  }

  async #collect(): Promise<string> {
    this.#jobs.collect();
    for (const set of this.#totals) set();
    await this.#vaults.collect();
    return await this.#registry.metrics();
  }
}
