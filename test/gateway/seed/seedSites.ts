// A box and a datacentre as real gateways with the same account and device, and a real agent's runs against either.

import { cpSync, mkdirSync, mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runBackup } from "../../../agent/backup/backup.ts";
import type { BackupOutcome } from "../../../agent/backup/request.ts";
import { restore } from "../../../agent/restore/restore.ts";
import type { RestoreNote } from "../../../agent/restore/restoreTypes.ts";
import { GatewayBackupSession } from "../../../agent/session/backupSession.ts";
import type { AgentConnection } from "../../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../../agent/session/recordSource.ts";
import { noLimits } from "../../../agent/source/portion.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import { noise } from "../../agent/backup/backupFixture.ts";
import { GatewayFixture, type TestDevice } from "../gatewayFixture.ts";
import { chunkListOf, recordsOf } from "./chunkLists.ts";

export type StoredRecord = { readonly id: Buffer; readonly type: number; readonly record: Buffer };
export type Run = Omit<BackupOutcome, "warnings"> & { readonly warnings: readonly string[] };

export const item = "files";

/** A gateway and the device as it knows it there. */
export class Site {
  readonly fixture: GatewayFixture;
  readonly device: TestDevice;

  constructor(fixture: GatewayFixture, device: TestDevice) {
    this.fixture = fixture;
    this.device = { ...device, client: fixture.client(device.token) };
  }

  get vault(): Promise<OpenVault> {
    return this.fixture.gateway.vault(this.device.vault);
  }

  /** The same after the gateway was stopped and started. */
  async restarted(): Promise<Site> {
    await this.fixture.stop();
    await this.fixture.start();
    return new Site(this.fixture, this.device);
  }

  /** Backs a folder up as an agent does. Its clock is ahead: files are not so young that they are read again in any case. */
  async backup(source: string, cachePath: string, rescan = false): Promise<Run> {
    const { client, vault, account, id } = this.device;
    const seen = { sequence: () => 0, noteSequence: () => undefined };
    const atHome = <T>(work: () => Promise<T>): Promise<T> => work();
    const { appendOnly } = this.fixture.gateway.catalog.devices.get(id) ?? {};
    const enrollment = { vault, appendOnly };
    const requireEpoch = async (): Promise<void> => undefined;
    const connection = { client, seen, enrollment, atHome, requireEpoch } as unknown as AgentConnection;
    const { signal } = new AbortController();
    const session = await GatewayBackupSession.start(connection, item, signal);
    const warnings: string[] = [];
    const outcome = await runBackup(
      {
        paths: resolveTopPaths([source]),
        item,
        rules: {},
        rescan,
        reference: false,
        oneFileSystem: false,
        limits: noLimits,
        excludeCaches: false,
        chunker: "fastcdc-1",
      },
      {
        session,
        keys: account.keys,
        device: { id, name: "laptop" },
        agentVersion: "test",
        host: "host",
        cachePath,
        readBackOneIn: 4,
        nowMs: () => Date.now() + 10_000,
        signal,
        warn: (_path, what) => void warnings.push(what),
        progress: () => undefined,
      },
    );
    return { ...outcome, warnings };
  }

  /** All records, children before parents. */
  async records(): Promise<StoredRecord[]> {
    const { store } = await this.vault;
    await store.flush(() => undefined);
    const rows: {
      ordinal: number;
      pack: number;
      offset: number;
      length: number;
      type: number;
      flags: number;
    }[] = [];
    store.index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, row) => rows.push(row));
    const here = rows.filter(({ flags }) => flags === 0);
    here.sort(
      (a, b) =>
        Number(a.type !== RecordType.data) - Number(b.type !== RecordType.data) || a.ordinal - b.ordinal,
    );
    const records: StoredRecord[] = [];
    for await (const record of store.read(here)) {
      if (!Buffer.isBuffer(record)) throw new Error("a record cannot be read");
      const { id, type } = parseRecordHeader(record);
      records.push({ id: Buffer.from(id), type, record: Buffer.from(record) });
    }
    return records;
  }

  /** Brings records of the box as an import does: each is admitted like an upload. */
  async bring(records: readonly StoredRecord[]): Promise<void> {
    const vault = await this.vault;
    const device = this.fixture.gateway.catalog.devices.get(this.device.id);
    if (device === undefined) throw new Error("no such device");
    const answer = await vault.admit(
      device,
      records.map(({ record }) => record),
    );
    if (answer.statuses.some((status) => status === 2)) throw new Error("a record waits for another");
  }

  /** Restores the newest snapshot. */
  async restore(target: string): Promise<readonly RestoreNote[]> {
    const { client, account } = this.device;
    const [row] = await client.snapshots();
    if (row === undefined) throw new Error("no snapshot");
    const notes: RestoreNote[] = [];
    await restore({
      source: new GatewayRecordSource(client),
      keys: account.keys,
      snapshot: openSnapshot(account.keys, await client.snapshotObject(row.id)),
      path: [],
      target: Buffer.from(target),
      overwrite: "always",
      dryRun: false,
      delete: false,
      ownerByName: false,
      threads: 1,
      onNote: (note) => notes.push(note),
    });
    return notes;
  }

  /** Which boxes each snapshot waits for, oldest first; null for a whole one. */
  async pending(): Promise<(readonly number[] | null)[]> {
    await (await this.vault).waits.settle();
    return (await this.device.client.snapshots()).map(({ pending }) => pending ?? null).reverse();
  }
}

export class SeedSites {
  readonly folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-seed-")));
  readonly source = join(this.folder, "source");
  readonly #fixtures: GatewayFixture[] = [];
  device!: TestDevice;
  box!: Site;

  /** A box with a first backup of a tree; `empty` of its data directory is from before that. */
  static async create(): Promise<SeedSites> {
    const sites = new SeedSites();
    const fixture = await GatewayFixture.create({ packBytesTarget: 400_000 }, join(sites.folder, "box"));
    sites.device = await fixture.device(await fixture.account("anna"), "laptop");
    await fixture.stop();
    cpSync(join(sites.folder, "box"), join(sites.folder, "empty"), { recursive: true });
    sites.#makeSource();
    sites.box = await sites.#start("box", fixture.fingerprint);
    await sites.box.backup(sites.source, sites.cache("first"));
    return sites;
  }

  #makeSource(): void {
    for (let n = 0; n < 240; n++) {
      const folder = join(this.source, `d${n % 8}`, `e${n % 3}`);
      mkdirSync(folder, { recursive: true });
      writeFileSync(join(folder, `f${n}`), noise(200 + ((n * 977) % 20_000), n + 1));
    }
    writeFileSync(join(this.source, "large"), noise(14_000_000, 77));
    writeFileSync(join(this.source, "middle"), noise(900_000, 78));
  }

  cache(name: string): string {
    return join(this.folder, `${name}.pages`);
  }

  /** A copy of what an agent keeps after the first backup. */
  cacheOf(name: string): string {
    for (const end of ["", ".sweep"]) cpSync(`${this.cache("first")}${end}`, `${this.cache(name)}${end}`);
    return this.cache(name);
  }

  async #start(name: string, fingerprint: string): Promise<Site> {
    const fixture = new GatewayFixture(join(this.folder, name), { packBytesTarget: 400_000 });
    fixture.fingerprint = fingerprint;
    await fixture.start();
    this.#fixtures.push(fixture);
    return new Site(fixture, this.device);
  }

  /** Another gateway from a copy of `of`: "empty", or the box, which is stopped for that. */
  async copy(name: string, of: "empty" | "box"): Promise<Site> {
    const { fixture } = this.box;
    if (of === "box") await fixture.stop();
    cpSync(join(this.folder, of), join(this.folder, name), { recursive: true });
    if (of === "box") {
      await fixture.start();
      this.box = new Site(fixture, this.device);
    }
    return this.#start(name, fixture.fingerprint);
  }

  /** A datacentre that has nothing, to which the box has promised what it holds (and `more` ids), and its snapshots. */
  async promisedTo(name: string, number = 7, more: readonly Buffer[] = []): Promise<Site> {
    const datacentre = await this.copy(name, "empty");
    const [from, to] = [await this.box.vault, await datacentre.vault];
    const groups = (await recordsOf(from)).map(({ group, ids }) => ({ group, ids: [...ids, ...more] }));
    await to.boxes.promise({ box: number, seal: 1, list: chunkListOf(groups) });
    for (const { snapshot } of from.catalog.committedAfter(0, 100)) {
      const file = join("vaults", to.id, "snapshots", snapshot.id);
      cpSync(join(this.folder, "box", file), join(this.folder, name, file));
      const owner = from.catalog.item(snapshot.item);
      if (owner === undefined) throw new Error("a snapshot without its item");
      to.store.promised.rely(snapshot.group, Buffer.from(snapshot.root, "hex"));
      const previous = to.catalog.item(owner.id)?.head ?? null;
      await to.store.flush(() => {
        if (!to.catalog.enter(owner, snapshot, previous)) throw new Error("it does not follow");
        to.catalog.waiting.put(snapshot.id, [{ box: number, ordinal: null }]);
      });
    }
    return datacentre;
  }

  /** Changes some files, as from one day to the next. */
  change(seed: number): void {
    for (const n of [3, 40, 77, 130]) {
      writeFileSync(join(this.source, `d${n % 8}`, `e${n % 3}`, `f${n}`), noise(9000 + n, seed * 1000 + n));
    }
    writeFileSync(join(this.source, `new${seed}`), noise(700_000, seed));
  }

  async remove(): Promise<void> {
    for (const fixture of this.#fixtures) await fixture.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }
}
