// A gateway with two snapshots, exported twice to a folder, and restores of it: in one process, so that every kind of damage can be
// tried quickly.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import {
  type RestoreFromOptions,
  type RestoreReport,
  restoreFrom,
} from "../../../../gateway/replica/restore/restoreFrom.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { parseRecoveryKey } from "../../../../vault/keys/recoveryKey.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../../gatewayFixture.ts";
import { ExportMemory, exportReplica } from "./exportReplica.ts";

export const replica = "cd".repeat(16);

/** Closed packs are small here, so that there are several of each kind. */
const packBytesTarget = 60_000;

export class RestoreSite {
  readonly folder: string;
  /** Folder of the replica. */
  readonly place: string;
  readonly store: ReplicaStore;
  readonly old: GatewayFixture;
  readonly device: TestDevice;
  readonly chunks: TestRecord[] = [];
  readonly pages: TestRecord[] = [];
  readonly snapshots: string[] = [];

  private constructor(
    folder: string,
    place: string,
    store: ReplicaStore,
    old: GatewayFixture,
    device: TestDevice,
  ) {
    this.folder = folder;
    this.place = place;
    this.store = store;
    this.old = old;
    this.device = device;
  }

  static async create(): Promise<RestoreSite> {
    const folder = await mkdtemp(join(tmpdir(), "holdfast-restore-"));
    const place = join(folder, "replica");
    await markFolder(place);
    const url = `file://${place}`;
    const address = { url, options: {}, conditionalPuts: true };
    const store = await openReplicaStore(address, { now: () => new Date() });
    const old = await GatewayFixture.create({ packBytesTarget }, join(folder, "old"));
    old.gateway.catalog.replicas.add(replicaRow(url));
    const device = await old.device(await old.account("anna"), "laptop");
    const site = new RestoreSite(folder, place, store, old, device);
    const memory = new ExportMemory();
    await old.device(device.account, "alone", true);
    await old.account("bert");
    await site.#backup(1);
    await exportReplica(old.gateway, store, replica, memory);
    await old.device(device.account, "server");
    await site.#backup(2);
    // A record that a reader found wrong and that nobody sent again.
    await device.client.suspect(device.vault, { group: device.group, ids: [toHex(site.wrong.id)] });
    await exportReplica(old.gateway, store, replica, memory);
    return site;
  }

  /** The record that was found wrong. */
  get wrong(): TestRecord {
    return this.chunks[0]!;
  }

  /** A snapshot of new and old chunks below two levels of pages. */
  async #backup(sequence: number): Promise<void> {
    const { device, pages, snapshots } = this;
    const { client, vault } = device;
    const item = await client.putItem("files");
    const session = await client.startSession({ vault, item: item.id, highestSequence: sequence - 1 });
    const fresh = Array.from({ length: 60 }, () => dataRecord(device, randomBytes(4000)));
    const leaves = [0, 20, 40].map((from) => {
      const children = fresh.slice(from, from + 20).map(({ id }) => id);
      return pageRecord(device, children, `leaf ${sequence} ${from}`);
    });
    const older = pages.slice(0, 1).map(({ id }) => id);
    const root = pageRecord(device, [...leaves.map(({ id }) => id), ...older], `root ${sequence}`);
    const records = [...fresh, ...leaves, root].map(({ record }) => record);
    await client.records(session.session, records);
    const snapshot = snapshotOf(device, item, sequence, snapshots.at(-1) ?? null, root.id);
    const { snapshot: id } = await client.commit(session.session, snapshot.bytes);
    this.chunks.push(...fresh);
    pages.push(...leaves, root);
    snapshots.push(id);
  }

  /** A path for a new data directory, in a folder of its own. */
  async newData(): Promise<string> {
    return join(await mkdtemp(join(this.folder, "new-")), "data");
  }

  restore(data: string, more: Partial<RestoreFromOptions> = {}): Promise<RestoreReport> {
    return restoreFrom({
      url: `file://${this.place}`,
      options: {},
      recoveryKey: parseRecoveryKey("gateway", this.old.recoveryKey),
      data,
      listen: undefined,
      wanted: "newest",
      keepRemote: false,
      allowDamaged: false,
      dryRun: false,
      now: () => new Date(),
      signal: new AbortController().signal,
      onPlan: () => undefined,
      onProgress: () => undefined,
      ...more,
    });
  }

  /** Runs `work` with the gateway of a restored directory. */
  async withRestored(data: string, work: (restored: GatewayFixture) => Promise<void>): Promise<void> {
    const restored = new GatewayFixture(data, { packBytesTarget });
    restored.fingerprint = this.old.fingerprint;
    await restored.start();
    try {
      await work(restored);
    } finally {
      await restored.stop();
    }
  }

  async remove(): Promise<void> {
    await this.store.close();
    await this.old.remove();
    await rm(this.folder, { recursive: true, force: true });
  }
}

function replicaRow(url: string): Replica {
  return {
    ...{
      id: replica,
      url,
      name: "disk",
      options: {},
      conditionalPuts: true,
      notes: [],
      writer: "12".repeat(16),
    },
    ...{ bandwidth: "", schedule: "", parallel: 2, created: new Date().toISOString() },
  };
}
