// The gateway of a simulation: the real one on a temporary folder, with a replica in another. It can be stopped, killed and cut from power, and
// its garbage collection goes on only when it is told to.

import { fstatSync, mkdirSync, rmSync, truncateSync } from "node:fs";
import { basename, join } from "node:path";
import { unknownWriter } from "../../gateway/catalog/devices.ts";
import { type Collection, Held } from "../../gateway/maintenance/gc/collection.ts";
import { collectVault, type VaultCollected } from "../../gateway/maintenance/gc/collectVault.ts";
import { Pace } from "../../gateway/maintenance/gc/pace.ts";
import type { OpenVault } from "../../gateway/openVault.ts";
import { Replication } from "../../gateway/replica/job/replication.ts";
import { openReplicaStore } from "../../gateway/replica/openStore.ts";
import { OpenPack } from "../../gateway/store/openPack.ts";
import { openFolder, openPackOrdinal } from "../../gateway/store/packPaths.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Random } from "../fidelity/random.ts";
import { addReplicaFolder, type ReplicaFolder } from "../gateway/cache/replicaFolder.ts";
import { GatewayFixture, type TestDevice } from "../gateway/gatewayFixture.ts";
import type { GcClock } from "../gateway/maintenance/gc/gcFixture.ts";
import { watchedStore } from "../gateway/replica/job/watchedStore.ts";
import { copyData, copyStanding, sizesOf } from "./standing.ts";

/** Small, so that a few records make a pack. */
const packBytesTarget = 5000;

/** A data directory with one account and some devices, from which every simulation starts. */
export type Origin = { readonly path: string; readonly devices: readonly TestDevice[] };

export const startMs = Date.UTC(2026, 10, 1);

function optionsOf(clock: GcClock) {
  let monotonicMs = 0;
  return {
    now: () => new Date(clock.nowMs),
    // Each look at it takes so long that every slice of work gives way.
    monotonicMs: () => {
      monotonicMs += 5;
      return monotonicMs;
    },
    packBytesTarget,
  };
}

export async function makeOrigin(scratch: string, count: number): Promise<Origin> {
  const fixture = await GatewayFixture.create(optionsOf({ nowMs: startMs }), join(scratch, "origin"));
  const account = await fixture.account("anna");
  const devices: TestDevice[] = [];
  for (let n = 0; n < count; n++) devices.push(await fixture.device(account, `device-${n}`));
  await fixture.stop();
  return { path: fixture.path, devices };
}

/** Of each file of an open pack: how much of it is on the disk for certain. */
const syncedBytes = new Map<string, number>();

/** Watches what is synced of open packs, until what it returns is called. */
export function watchSyncs(): () => void {
  const { sync } = OpenPack.prototype;
  OpenPack.prototype.sync = async function (this: OpenPack) {
    const { size } = fstatSync(this.fd);
    await sync.call(this);
    syncedBytes.set(this.path, size);
  };
  return () => {
    OpenPack.prototype.sync = sync;
    syncedBytes.clear();
  };
}

/** What is gated waits here until the simulation lets it go on. */
export class Gates {
  #waiting: (() => void)[] = [];
  #open = false;

  wait(): Promise<void> {
    if (this.#open) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  get size(): number {
    return this.#waiting.length;
  }

  /** Lets one of them go on. */
  pass(random: Random): void {
    const [next] = this.#waiting.splice(random.below(this.#waiting.length), 1);
    next?.();
  }

  /** Nothing waits any more. */
  open(): void {
    this.#open = true;
    for (const next of this.#waiting.splice(0)) next();
  }
}

/** One process of the gateway. */
export class Site {
  readonly #folder: string;
  readonly clock: GcClock;
  readonly devices: readonly TestDevice[];
  #processes = 0;
  replica!: ReplicaFolder;
  fixture!: GatewayFixture;
  vault!: OpenVault;
  replication!: Replication;
  gates = new Gates();
  /** Called when a cycle of garbage collection begins. */
  cycleBegan: () => void = () => undefined;
  #stop = new AbortController();

  private constructor(folder: string, clock: GcClock, devices: readonly TestDevice[]) {
    this.#folder = folder;
    this.clock = clock;
    this.devices = devices;
  }

  static async create(folder: string, origin: Origin, clock: GcClock): Promise<Site> {
    const site = new Site(folder, clock, origin.devices);
    mkdirSync(folder, { recursive: true });
    copyData(origin.path, site.#next());
    await site.#start();
    const path = join(folder, "replica");
    mkdirSync(path);
    site.replica = await addReplicaFolder(site.fixture.gateway.catalog, path, "usb");
    return site;
  }

  #next(): string {
    this.#processes++;
    return this.#path;
  }

  get #path(): string {
    return join(this.#folder, `data-${this.#processes}`);
  }

  /** All devices share one. */
  get group(): number {
    return (this.devices[0] as TestDevice).group;
  }

  get metadataKey(): Buffer {
    return Buffer.from((this.devices[0] as TestDevice).account.keys.metadataKey);
  }

  get directory(): string {
    return this.fixture.gateway.vaultDirectory(this.vault.id);
  }

  /** Whether this is still the process that `process` was taken from. */
  get process(): number {
    return this.#processes;
  }

  async #start(): Promise<void> {
    this.gates = new Gates();
    this.#stop = new AbortController();
    const { signal } = this.#stop;
    this.fixture = new GatewayFixture(this.#path, optionsOf(this.clock));
    await this.fixture.start();
    const { gateway } = this.fixture;
    this.vault = await gateway.vault((this.devices[0] as TestDevice).vault);
    this.#tellCycles(this.vault);
    // Recovery has synced what it found.
    for (const [path, size] of sizesOf(openFolder(this.directory))) syncedBytes.set(path, size);
    this.replication = new Replication({
      gateway,
      openStore: async (replica) =>
        watchedStore(await openReplicaStore(replica, { now: gateway.now }), () => {
          if (signal.aborted) throw new HoldfastError(ErrorCode.replicaUnreachable, "this process is dead");
        }),
      monotonicMs: () => performance.now(),
      pauses: { firstMs: 20, maxMs: 100 },
    });
  }

  /** In the turn in which its barrier opens: who asks for something in the next one is no longer silent. */
  #tellCycles(vault: OpenVault): void {
    const { pins } = vault.store;
    const open = pins.open.bind(pins);
    pins.open = (...how) => {
      if (this.vault === vault) this.cycleBegan();
      return open(...how);
    };
  }

  async #end(): Promise<void> {
    this.#stop.abort(new HoldfastError(ErrorCode.cancelled, "stopped"));
    this.gates.open();
    await this.replication.close();
    await this.fixture.stop();
  }

  /** Stops the gateway, which finishes what is under way, and starts it again. */
  async restart(): Promise<void> {
    const before = this.#path;
    // What ends because of it is of the process before.
    const next = this.#next();
    await this.#end();
    copyData(before, next);
    rmSync(before, { recursive: true, force: true });
    await this.#start();
  }

  /** Ends the process as it stands and starts another on what it left; of what was written and not synced to a pack, some is lost. */
  async crash(random: Random): Promise<void> {
    const before = this.#path;
    const named = new Set(
      [...this.vault.store.packs.all()].filter(({ name }) => name).map((row) => row.ordinal),
    );
    const cuts = copyStanding(before, this.#next());
    this.#cutPower(before, named, cuts, random);
    await this.#end();
    rmSync(before, { recursive: true, force: true });
    await this.#start();
  }

  #cutPower(
    before: string,
    named: ReadonlySet<number>,
    sizes: ReadonlyMap<string, number>,
    random: Random,
  ): void {
    const old = openFolder(join(before, "vaults", this.vault.id));
    const folder = openFolder(join(this.#path, "vaults", this.vault.id));
    for (const [path, size] of sizes) {
      if (!path.startsWith(old)) continue;
      const ordinal = openPackOrdinal(basename(path));
      // One that has its name is on the disk, whole.
      if (ordinal === undefined || named.has(ordinal)) continue;
      const synced = Math.min(size, syncedBytes.get(path) ?? 0);
      truncateSync(join(folder, basename(path)), synced + random.below(size - synced + 1));
    }
  }

  /** Collects garbage; between slices it waits at the gates. Undefined: nothing may go now. */
  async collect(how: {
    readonly dryRun: boolean;
    readonly evicted: boolean;
    readonly bytes: number;
  }): Promise<VaultCollected | undefined> {
    const { vault, gates } = this;
    const { catalog } = this.fixture.gateway;
    const { signal } = this.#stop;
    let looks = 0;
    const collection: Collection = {
      vault,
      ...{ dryRun: how.dryRun, evicted: how.evicted, nowMs: this.clock.nowMs },
      writerOrdinal: (device) => catalog.devices.get(device)?.ordinal ?? unknownWriter,
      pace: new Pace({
        monotonicMs: () => (looks += 5),
        sleep: () => gates.wait(),
        activity: () => looks,
        signal,
      }),
      // Only the end of what it waits for ends it.
      sleep: (_ms, end) =>
        new Promise((resolve) => {
          end?.addEventListener("abort", () => resolve());
          signal.addEventListener("abort", () => resolve());
        }),
      tell: () => undefined,
      report: () => undefined,
    };
    try {
      return await collectVault(collection, { bytes: how.bytes, hasTime: () => true }, () => undefined);
    } catch (error) {
      if (error instanceof Held) return undefined;
      throw error;
    }
  }

  async remove(): Promise<void> {
    await this.#end();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
