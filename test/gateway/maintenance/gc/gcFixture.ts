// A real gateway whose vault is spoken to directly: records, sessions and commits as the routes do it, garbage collected as the command does.

import { randomBytes } from "node:crypto";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { GcRequest, GcResult } from "../../../../gateway/admin/gcOperations.ts";
import type { JobWatch } from "../../../../gateway/admin/job.ts";
import type { Device } from "../../../../gateway/catalog/devices.ts";
import type { Item } from "../../../../gateway/catalog/vaultCatalog.ts";
import type { GatewayOptions } from "../../../../gateway/gateway.ts";
import type { GcProgress } from "../../../../gateway/maintenance/gc/collection.ts";
import type { OpenVault } from "../../../../gateway/openVault.ts";
import { bitAt } from "../../../../ingest/wire/bitmap.ts";
import { toHex } from "../../../../vault/bytes.ts";
import { GatewayFixture, snapshotOf, type TestDevice, type TestRecord } from "../../gatewayFixture.ts";

export const collectAll: GcRequest = { dryRun: false, evicted: false, budgetBytes: null, forSeconds: null };
const trashMs = 1000;

/** Shared by the properties of one file: accounts are cheap, gateways are not. */
export type GcClock = { nowMs: number };

export async function gcGateway(
  clock: GcClock,
  options: Partial<GatewayOptions> = {},
): Promise<GatewayFixture> {
  let monotonicMs = 0;
  return await GatewayFixture.create({
    now: () => new Date(clock.nowMs),
    // Each look at it takes so long that every slice of work gives way.
    monotonicMs: () => {
      monotonicMs += 5;
      return monotonicMs;
    },
    packBytesTarget: 12_000,
    ...options,
  });
}

/** Collects the garbage of a device's account. */
export function collect(
  { fixture, device }: VaultUser,
  request: Partial<GcRequest> = {},
  watch: Partial<JobWatch<GcProgress>> = {},
): Promise<GcResult> {
  const { signal } = new AbortController();
  const asked = { ...collectAll, account: device.account.name, ...request };
  return fixture.administration.gc(asked, { onProgress: () => {}, signal, ...watch });
}

/** One device's view of its vault. */
export class VaultUser {
  readonly fixture: GatewayFixture;
  readonly device: TestDevice;

  constructor(fixture: GatewayFixture, device: TestDevice) {
    this.fixture = fixture;
    this.device = device;
  }

  /** A device of an account that is new. */
  static async enrolled(fixture: GatewayFixture): Promise<VaultUser> {
    const name = randomBytes(6).toString("hex");
    return new VaultUser(fixture, await fixture.device(await fixture.account(name), "laptop"));
  }

  vault(): Promise<OpenVault> {
    return this.fixture.gateway.vault(this.device.vault);
  }

  get row(): Device {
    return this.fixture.gateway.catalog.devices.get(this.device.id) as Device;
  }

  async begin(name: string): Promise<{ session: string; item: Item }> {
    const vault = await this.vault();
    const item = vault.catalog.ensureItem(this.device.id, name);
    return { session: vault.startSession(item).session, item };
  }

  async end(session: string): Promise<void> {
    (await this.vault()).catalog.leases.end(session);
  }

  /** Statuses, one byte each. */
  async put(...records: readonly TestRecord[]): Promise<number[]> {
    const vault = await this.vault();
    const answer = await vault.admit(
      this.row,
      records.map(({ record }) => record),
    );
    return [...answer.statuses];
  }

  async have(...ids: readonly Buffer[]): Promise<boolean[]> {
    const vault = await this.vault();
    const bitmap = vault.have(this.device.group, Buffer.concat(ids));
    return ids.map((_, i) => bitAt(bitmap, i));
  }

  /** Commits a root under a session, whatever the item's head is now. */
  async commit(session: string, item: Item, root: Buffer): Promise<string> {
    const vault = await this.vault();
    const now = vault.catalog.item(item.id) as Item;
    const { bytes } = snapshotOf(this.device, now, now.sequence + 1, now.head, root);
    return (await vault.commit(session, this.row, bytes)).snapshot;
  }

  async trash(...snapshots: readonly string[]): Promise<void> {
    const vault = await this.vault();
    const nowMs = this.fixture.gateway.now().getTime();
    vault.store.environment.write(() => {
      for (const id of snapshots) {
        vault.catalog.retention.putInTrash(id, {
          at: new Date(nowMs).toISOString(),
          until: new Date(nowMs + trashMs).toISOString(),
          by: "administrator",
          reason: "test",
        });
      }
    });
  }

  /** What reading an id brings: its bytes, an error code, or undefined. */
  async read(id: Buffer): Promise<Buffer | string | undefined> {
    for await (const outcome of (await this.vault()).read(this.device.group, id)) {
      if (outcome === undefined || Buffer.isBuffer(outcome)) return outcome;
      return (outcome as { code: string }).code;
    }
    return undefined;
  }

  /** Whether the index has a row of an id, dead or not. */
  async hasRow(id: Buffer): Promise<boolean> {
    const vault = await this.vault();
    await vault.store.flush(() => undefined);
    return vault.store.index.lookup(this.device.group, id) !== undefined;
  }

  /** Names of the pack files in packs/. */
  packFiles(): string[] {
    const folder = join(this.fixture.gateway.vaultDirectory(this.device.vault), "packs");
    return readdirSync(folder).flatMap((ab) => readdirSync(join(folder, ab)));
  }

  /** Names that the pack table has, of closed packs. */
  async packNames(): Promise<string[]> {
    const { packs } = (await this.vault()).store;
    return [...packs.all()].flatMap(({ name }) => (name === undefined ? [] : [toHex(name)]));
  }
}
