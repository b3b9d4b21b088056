// A gateway's directory with some snapshots in small packs, made once; copies of it to be damaged; and what each snapshot must give back.

import { randomBytes } from "node:crypto";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import pino, { type Logger } from "pino";
import { OfflineUpkeep } from "../../../gateway/admin/offlineUpkeep.ts";
import { Gateway } from "../../../gateway/gateway.ts";
import type { RepairedVault } from "../../../gateway/maintenance/repair/repairVault.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { toHex } from "../../../vault/bytes.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";

/** Small, so that there are several packs of each kind. */
const packBytesTarget = 20_000;

/** What a snapshot reaches: every record by its id. */
export type SampleSnapshot = { readonly id: string; readonly records: ReadonlyMap<string, Buffer> };

export class SampleVault {
  readonly scratch = mkdtempSync(join(tmpdir(), "holdfast-sample-"));
  readonly snapshots: SampleSnapshot[] = [];
  device!: TestDevice;
  #path = "";
  #copies = 0;

  /** `before`: what happens before the gateway stops. */
  static async create(
    before?: (fixture: GatewayFixture, sample: SampleVault) => Promise<void>,
  ): Promise<SampleVault> {
    const sample = new SampleVault();
    const path = join(sample.scratch, "whole");
    const fixture = await GatewayFixture.create({ packBytesTarget }, path);
    sample.device = await fixture.device(await fixture.account("anna"), "laptop");
    for (const sequence of [1, 2, 3]) await sample.#backup(sequence);
    await before?.(fixture, sample);
    await fixture.stop();
    sample.#path = path;
    return sample;
  }

  /** A root over leaves over data, of which some is that of the snapshots before. */
  async #backup(sequence: number): Promise<void> {
    const { device, snapshots } = this;
    const { client, vault } = device;
    const item = await client.putItem("files");
    const session = await client.startSession({ vault, item: item.id, highestSequence: sequence - 1 });
    const fresh = Array.from({ length: 24 }, (_, i) => dataRecord(device, randomBytes(500 + 150 * i)));
    const leaves = [0, 6, 12, 18].map((from) => {
      const children = fresh.slice(from, from + 6).map(({ id }) => id);
      return pageRecord(device, children, `leaf ${sequence} ${from}`.repeat(200));
    });
    const before = snapshots.at(-1);
    const older = before === undefined ? [] : [...before.records.keys()].slice(0, 3);
    const children = [...leaves.map(({ id }) => id), ...older.map((id) => Buffer.from(id, "hex"))];
    const root = pageRecord(device, children, `root ${sequence}`.repeat(100));
    const records: TestRecord[] = [...fresh, ...leaves, root];
    await client.records(
      session.session,
      records.map(({ record }) => record),
    );
    const object = snapshotOf(device, item, sequence, before?.id ?? null, root.id);
    const { snapshot } = await client.commit(session.session, object.bytes);
    const reached = new Map(records.map(({ id, record }) => [toHex(id), record]));
    // What the first records of the one before stand for are leaves of data: nothing is below them.
    for (const id of older) reached.set(id, before?.records.get(id) as Buffer);
    snapshots.push({ id: snapshot, records: reached });
  }

  /** A new copy of the directory, which is at rest. */
  copy(): string {
    const path = join(this.scratch, `copy-${this.#copies++}`);
    cpSync(this.#path, path, { recursive: true, preserveTimestamps: true });
    return path;
  }

  directoryOf(path: string): string {
    return join(path, "vaults", this.device.vault);
  }

  /** Ids of a snapshot's records that do not read back as they were sent. Others than that are never served. */
  async lacking(vault: OpenVault, snapshot: SampleSnapshot): Promise<string[]> {
    const ids = [...snapshot.records.keys()];
    const lacking: string[] = [];
    let at = 0;
    for await (const outcome of vault.read(this.device.group, Buffer.from(ids.join(""), "hex"))) {
      const id = ids[at++] as string;
      if (!Buffer.isBuffer(outcome)) lacking.push(id);
      else if (!outcome.equals(snapshot.records.get(id) as Buffer)) throw new Error(`wrong bytes for ${id}`);
    }
    return lacking;
  }

  remove(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }
}

export const never = new AbortController().signal;
export const silent = { onProgress: () => undefined, signal: never };

export function silentLogger(): Logger {
  return pino({ level: process.env.TEST_LOG ?? "silent" });
}

/** Opens a directory that no gateway runs on, for one piece of work. */
export async function withGateway<T>(
  path: string,
  work: (gateway: Gateway, upkeep: OfflineUpkeep) => Promise<T>,
): Promise<T> {
  const logger = silentLogger();
  const gateway = await Gateway.open(path, {
    logger,
    now: () => new Date(),
    version: "0.0.0-test",
    packBytesTarget,
  });
  try {
    return await work(gateway, new OfflineUpkeep(gateway));
  } finally {
    await gateway.close();
  }
}

/** Repairs the one vault of a directory. */
export function repair(path: string, dryRun: boolean): Promise<RepairedVault> {
  return withGateway(path, async (_gateway, upkeep) => {
    const { vaults } = await upkeep.repair({ vault: undefined, dryRun }, silent);
    return vaults[0]!;
  });
}
