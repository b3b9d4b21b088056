// A real gateway with replicas in folders beside it, and backups of random records.

import { randomBytes } from "node:crypto";
import { cp, mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import type { Replica } from "../../../../gateway/catalog/replicas.ts";
import type { GatewayOptions } from "../../../../gateway/gateway.ts";
import type { OpenVault } from "../../../../gateway/openVault.ts";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { JobState } from "../../../../gateway/replica/job/jobState.ts";
import { Replication, type ReplicationOptions } from "../../../../gateway/replica/job/replication.ts";
import type { RunReport, VaultReplicaStatus } from "../../../../gateway/replica/job/replicationStatus.ts";
import { openReplicaStore } from "../../../../gateway/replica/openStore.ts";
import type { ReplicaStore } from "../../../../gateway/replica/replicaStore.ts";
import { fromHex, toHex } from "../../../../vault/bytes.ts";
import {
  gatewayReceiptSeed,
  openReceipt,
  type Receipt,
  ReceiptSigner,
} from "../../../../vault/replica/receipt.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../../gatewayFixture.ts";
import { type CheckedReplica, checkReplica } from "./checkReplica.ts";

export class ReplicatedGateway {
  readonly scratch: string;
  readonly fixture: GatewayFixture;
  device: TestDevice;
  #backups = 0;
  #replication: Replication | undefined;

  private constructor(scratch: string, fixture: GatewayFixture, device: TestDevice) {
    this.scratch = scratch;
    this.fixture = fixture;
    this.device = device;
  }

  static async create(options: Partial<GatewayOptions> = {}): Promise<ReplicatedGateway> {
    const scratch = await mkdtemp(join(tmpdir(), "holdfast-replication-"));
    const fixture = await GatewayFixture.create(
      { packBytesTarget: 20_000, ...options },
      join(scratch, "data"),
    );
    const device = await fixture.device(await fixture.account("anna"), "laptop");
    return new ReplicatedGateway(scratch, fixture, device);
  }

  /** A copy of the data directory, made while the gateway stood still, with a gateway of its own. The folders of replicas are the same. */
  static async twinOf(site: ReplicatedGateway): Promise<ReplicatedGateway> {
    const scratch = await mkdtemp(join(tmpdir(), "holdfast-twin-"));
    await site.fixture.stop();
    await cp(site.fixture.path, join(scratch, "data"), { recursive: true });
    await site.restart();
    const fixture = new GatewayFixture(join(scratch, "data"), { packBytesTarget: 20_000 });
    fixture.fingerprint = site.fixture.fingerprint;
    const twin = new ReplicatedGateway(scratch, fixture, site.device);
    await twin.restart();
    return twin;
  }

  async restart(): Promise<void> {
    await this.fixture.start();
    this.device = { ...this.device, client: this.fixture.client(this.device.token) };
  }

  async remove(): Promise<void> {
    await this.#replication?.close();
    await this.fixture.stop();
    await rm(this.scratch, { recursive: true, force: true });
  }

  get vaultId(): string {
    return this.device.vault;
  }

  vault(): Promise<OpenVault> {
    return this.fixture.gateway.vault(this.vaultId);
  }

  get replication(): Replication {
    return this.#replication ?? this.fixture.gateway.replication;
  }

  /** Replicates through stores that `around` makes of the real ones; answers a replication that is not started. */
  async through(
    around: (store: ReplicaStore) => ReplicaStore,
    options: Partial<ReplicationOptions> = {},
  ): Promise<Replication> {
    await this.#replication?.close();
    const { gateway } = this.fixture;
    this.#replication = new Replication({
      gateway,
      openStore: async (replica) => around(await openReplicaStore(replica, { now: gateway.now })),
      monotonicMs: () => performance.now(),
      pauses: { firstMs: 20, maxMs: 100 },
      ...options,
    });
    return this.#replication;
  }

  folder(name: string): string {
    return join(this.scratch, name);
  }

  /** Adds a replica in a folder of this name. */
  async addReplica(name: string, more: Partial<Replica> = {}): Promise<Replica> {
    await mkdir(this.folder(name), { recursive: true });
    await markFolder(this.folder(name));
    const replica: Replica = {
      id: toHex(randomBytes(16)),
      name,
      url: pathToFileURL(this.folder(name)).href,
      options: {},
      conditionalPuts: true,
      notes: [],
      writer: toHex(randomBytes(16)),
      bandwidth: "",
      schedule: "",
      parallel: 4,
      created: new Date().toISOString(),
      ...more,
    };
    this.fixture.gateway.catalog.replicas.add(replica);
    this.replication.added(replica.id);
    return replica;
  }

  /** Commits a snapshot of so many new records of `bytes` each; `old`: records that it needs besides. Answers its id and its records. */
  async backUp(
    count: number,
    bytes = 2000,
    old: readonly TestRecord[] = [],
  ): Promise<{ id: string; records: TestRecord[] }> {
    const { records, commit } = await this.beginBackUp(count, bytes, old);
    return { id: await commit(), records };
  }

  /** Brings the records of such a backup; `commit` ends it and answers the snapshot's id. */
  async beginBackUp(
    count: number,
    bytes = 2000,
    old: readonly TestRecord[] = [],
  ): Promise<{ records: TestRecord[]; commit: () => Promise<string> }> {
    const { client } = this.device;
    const item = await client.putItem("files");
    const { session } = await client.startSession({
      vault: this.vaultId,
      item: item.id,
      highestSequence: item.sequence,
    });
    const records = Array.from({ length: count }, () => dataRecord(this.device, randomBytes(bytes)));
    if (count > 0)
      await client.records(
        session,
        records.map(({ record }) => record),
      );
    const ids = [...old, ...records].map(({ id }) => id);
    const commit = async (): Promise<string> => {
      const root = pageRecord(this.device, ids, `backup ${++this.#backups}`);
      await client.records(session, [root.record]);
      const snapshot = snapshotOf(this.device, item, item.sequence + 1, item.head, root.id);
      await client.commit(session, snapshot.bytes);
      return toHex(snapshot.id);
    };
    return { records, commit };
  }

  async run(replica: Replica, more: { takeOver?: boolean; signal?: AbortSignal } = {}): Promise<RunReport> {
    const reports = await this.replication.run({ replica: replica.id, ...more });
    return reports[0] as RunReport;
  }

  async status(replica: Replica): Promise<VaultReplicaStatus> {
    const [status] = await this.replication.status(replica.id);
    return status!.vaults[0] as VaultReplicaStatus;
  }

  /** What is in the folder, checked; undefined where there is no root. */
  check(replica: Replica): CheckedReplica | undefined {
    const { metadataKey } = this.device.account.keys;
    return checkReplica(this.folder(replica.name), this.vaultId, Buffer.from(metadataKey));
  }

  /** A snapshot's receipt, its signature checked. */
  async receipt(replica: Replica, snapshot: string): Promise<Receipt | undefined> {
    const text = new JobState((await this.vault()).store.environment, replica.id).receipt(snapshot);
    if (text === undefined) return undefined;
    const { id, secret } = this.fixture.gateway.dataDir.identity;
    const seed = gatewayReceiptSeed(Buffer.from(secret, "base64"), fromHex(id, 16));
    return openReceipt(Buffer.from(text), new ReceiptSigner(seed).publicKey);
  }

  /** Closed packs of the vault, hex names. */
  async localPacks(): Promise<string[]> {
    const packs = [...(await this.vault()).store.packs.all()];
    return packs.flatMap(({ name }) => (name === undefined ? [] : [toHex(name)])).sort();
  }
}
