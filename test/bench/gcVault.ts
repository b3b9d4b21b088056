// A vault of synthetic rows whose garbage is collected by the gateway's own code, for indexBench.ts: no record of it is in any pack file.
//
// Files are the rows with references that the caller tells of. 64 of them are a folder, of 64 folders is one above it, and so on. Every second
// of the lowest folders is below the root of the only snapshot; nothing names the others. So half of the rows live, in stretches of 64 files.
// Packs are in the table, so that a collection counts what lives of each, and none of them is taken for settled: there is no file to remove.

import { randomBytes } from "node:crypto";
import { performance } from "node:perf_hooks";
import { setTimeout as pause } from "node:timers/promises";
import type { Device } from "../../gateway/catalog/devices.ts";
import type { Vault } from "../../gateway/catalog/vaults.ts";
import type { GcPhase } from "../../gateway/maintenance/gc/collection.ts";
import { collectVault, type VaultCollected } from "../../gateway/maintenance/gc/collectVault.ts";
import { Pace } from "../../gateway/maintenance/gc/pace.ts";
import { OpenVault } from "../../gateway/openVault.ts";
import type { VaultStore } from "../../gateway/store/vaultStore.ts";
import { GatewayFixture, snapshotOf, type TestDevice } from "../gateway/gatewayFixture.ts";

const filesOfFolder = 64;
const packsAtOnce = 4096;

/** Admits a row with references to ordinals and answers its ordinal. */
type AdmitFolder = (refs: readonly number[]) => Promise<number>;

export type Collected = {
  readonly found: VaultCollected;
  readonly seconds: number;
  /** Of each phase that came, in their order. */
  readonly phaseSeconds: Readonly<Partial<Record<GcPhase, number>>>;
};

export class GcVault {
  readonly #vault: OpenVault;
  readonly #device: TestDevice;
  readonly #row: Device;
  readonly #files: number[] = [];
  readonly #folders: number[] = [];
  #folderCount = 0;

  private constructor(vault: OpenVault, device: TestDevice, row: Device) {
    this.#vault = vault;
    this.#device = device;
    this.#row = row;
  }

  /** Makes one in a folder that is empty. No gateway runs on it: its guard would look at the snapshot meanwhile. */
  static async create(directory: string): Promise<GcVault> {
    const fixture = await GatewayFixture.create({}, directory);
    const device = await fixture.device(await fixture.account("bench"), "bench");
    const { gateway } = fixture;
    const row = gateway.catalog.devices.get(device.id) as Device;
    const vault = gateway.catalog.vaults.get(device.vault) as Vault;
    await fixture.stop();
    const open = await OpenVault.open({
      ...{ row: vault, directory: gateway.vaultDirectory(device.vault), reserveBytes: 0 },
      ...{ now: () => new Date(), deviceOf: () => row, writerOrdinal: () => row.ordinal },
      ...{ changed: () => {}, report: () => {} },
    });
    return new GcVault(open, device, row);
  }

  get store(): VaultStore {
    return this.#vault.store;
  }

  get group(): number {
    return this.#row.group;
  }

  /** Number of the only device. */
  get writer(): number {
    return this.#row.ordinal;
  }

  /** A row with references was admitted. */
  async addFile(ordinal: number, admit: AdmitFolder): Promise<void> {
    this.#files.push(ordinal);
    if (this.#files.length < filesOfFolder) return;
    const folder = await admit(this.#files);
    this.#files.length = 0;
    if (this.#folderCount++ % 2 === 0) this.#folders.push(folder);
  }

  /** Enters packs with numbers from 0 on, of which nothing is settled. */
  async enterPacks(count: number, records: number, bytes: number): Promise<void> {
    const { environment, packs } = this.store;
    for (let done = 0; done < count; done += packsAtOnce) {
      environment.write(() => {
        for (let i = done; i < Math.min(count, done + packsAtOnce); i++) {
          packs.close(packs.create("data", randomBytes(16)), { name: randomBytes(32), bytes, records });
        }
      });
      await new Promise((resolve) => setImmediate(resolve));
    }
  }

  /** Whether the snapshot needs a file, by the order in which files were told of. */
  isNeeded(file: number): boolean {
    const folder = Math.floor(file / filesOfFolder);
    return folder < this.#folderCount && folder % 2 === 0;
  }

  /** Commits the snapshot. `admitRoot` answers the root's id. */
  async commit(admit: AdmitFolder, admitRoot: (refs: readonly number[]) => Promise<Buffer>): Promise<void> {
    let level = this.#folders;
    while (level.length > filesOfFolder) {
      const above: number[] = [];
      for (let at = 0; at < level.length; at += filesOfFolder) {
        above.push(await admit(level.slice(at, at + filesOfFolder)));
      }
      level = above;
    }
    const root = await admitRoot(level);
    const { catalog } = this.#vault;
    const item = catalog.ensureItem(this.#row.id, "bench");
    const { session } = this.#vault.startSession(item);
    const { bytes } = snapshotOf(this.#device, item, 1, null, root);
    await this.#vault.commit(session, this.#row, bytes);
  }

  /** Collects everything once. */
  async collect(): Promise<Collected> {
    const starts: { readonly phase: GcPhase; readonly ms: number }[] = [];
    const { signal } = new AbortController();
    const sleep = async (ms: number, end?: AbortSignal): Promise<void> =>
      await pause(ms, undefined, end && { signal: end }).catch(() => undefined);
    const startMs = performance.now();
    const found = await collectVault(
      {
        ...{ vault: this.#vault, writerOrdinal: () => this.writer, nowMs: Date.now() },
        ...{ dryRun: false, evicted: false, sleep, report: () => {} },
        pace: new Pace({
          ...{ monotonicMs: () => performance.now(), sleep, signal },
          activity: () => this.store.activity,
        }),
        tell: (phase) => {
          if (starts.at(-1)?.phase !== phase) starts.push({ phase, ms: performance.now() });
        },
      },
      { bytes: Number.POSITIVE_INFINITY, hasTime: () => true },
      () => {},
    );
    const endMs = performance.now();
    const phases = starts.map(({ phase, ms }, at) => [phase, ((starts[at + 1]?.ms ?? endMs) - ms) / 1000]);
    return {
      ...{ found, seconds: (endMs - startMs) / 1000 },
      phaseSeconds: Object.fromEntries(phases) as Collected["phaseSeconds"],
    };
  }

  async close(): Promise<void> {
    await this.#vault.close();
  }
}
