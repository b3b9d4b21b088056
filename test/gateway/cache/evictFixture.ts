// A gateway with one vault of a few packs and two replicas in folders, for tests of evicting.

import { randomBytes } from "node:crypto";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect } from "vitest";
import type { VaultElsewhere } from "../../../gateway/cache/vaultElsewhere.ts";
import type { PackRow } from "../../../gateway/index/packTable.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { dataRecord, GatewayFixture, type TestDevice, type TestRecord } from "../gatewayFixture.ts";
import { addReplicaFolder, copyPacks, type ReplicaFolder } from "./replicaFolder.ts";

export class EvictFixture {
  readonly scratch = mkdtempSync(join(tmpdir(), "holdfast-evict-"));
  gateway!: GatewayFixture;
  device!: TestDevice;
  vault!: OpenVault;
  directory!: string;
  first!: ReplicaFolder;
  second!: ReplicaFolder;
  records: TestRecord[] = [];

  static async create(): Promise<EvictFixture> {
    const fixture = new EvictFixture();
    fixture.gateway = await GatewayFixture.create({ packBytesTarget: 2 ** 20 });
    const { catalog } = fixture.gateway.gateway;
    fixture.device = await fixture.gateway.device(await fixture.gateway.account("anna"), "laptop");
    fixture.first = await addReplicaFolder(catalog, join(fixture.scratch, "first"), "first");
    fixture.second = await addReplicaFolder(catalog, join(fixture.scratch, "second"), "second");
    await fixture.#open();
    const { client, vault } = fixture.device;
    const item = await client.putItem("files");
    const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
    fixture.records = Array.from({ length: 60 }, () => dataRecord(fixture.device, randomBytes(100_000)));
    await client.records(
      session,
      fixture.records.map(({ record }) => record),
    );
    await fixture.vault.store.closeOpenPacks();
    return fixture;
  }

  async #open(): Promise<void> {
    this.vault = await this.gateway.gateway.vault(this.device.vault);
    this.directory = this.gateway.gateway.vaultDirectory(this.device.vault);
  }

  async reopen(): Promise<void> {
    await this.gateway.stop();
    await this.gateway.start();
    await this.#open();
  }

  async remove(): Promise<void> {
    await this.gateway.remove();
    rmSync(this.scratch, { recursive: true, force: true });
  }

  get elsewhere(): VaultElsewhere {
    return this.vault.store.elsewhere!;
  }

  /** Closed packs of content, evicted or not. */
  packs(): PackRow[] {
    return [...this.vault.store.packs.all()].filter((row) => row.state !== "open" && row.kind === "data");
  }

  /** Puts all packs into a replica, as listed; `proof` as if that had been found just now. */
  async replicate(replica: ReplicaFolder, proof: "none" | "hashed" = "none"): Promise<void> {
    await copyPacks(this.vault, this.directory, replica, { listed: true, proof });
  }

  async evictAll(): Promise<void> {
    for (const row of this.packs()) {
      expect(await this.elsewhere.moves.evict(row.ordinal)).toEqual({ evicted: true });
      expect(existsSync(closedPackPath(this.directory, row.name!))).toBe(false);
    }
  }

  /** What reading brings for each record: "same", or the state or code of what it is instead. Never other bytes. */
  async readAll(): Promise<string[]> {
    const ids = Buffer.concat(this.records.map(({ id }) => id));
    const seen: string[] = [];
    for (const unhashed of [false, true]) {
      let i = 0;
      for await (const outcome of this.vault.read(this.device.group, ids, { unhashed })) {
        const { record } = this.records[i]!;
        if (Buffer.isBuffer(outcome)) expect(outcome.equals(record)).toBe(true);
        const word = Buffer.isBuffer(outcome) ? "same" : (outcome?.code ?? "missing");
        if (unhashed) expect(word).toBe(seen[i]);
        else seen.push(word);
        i++;
      }
      expect(i).toBe(this.records.length);
    }
    return seen;
  }

  /** What `readAll` brings when everything can be read. */
  allSame(): string[] {
    return this.records.map(() => "same");
  }
}
