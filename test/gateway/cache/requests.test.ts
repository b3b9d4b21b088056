// Requests that a replica gets when an evicted image is read at random and in order, through the whole store.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { blockBytes } from "../../../gateway/cache/slotFile.ts";
import type { ChunkRow } from "../../../gateway/index/row.ts";
import type { OpenVault } from "../../../gateway/openVault.ts";
import { Width } from "../../../vault/magic.ts";
import { randomFrom } from "../../fidelity/random.ts";
import { beginSession, dataRecord, GatewayFixture } from "../gatewayFixture.ts";
import { addReplicaFolder, copyPacks, type ReplicaFolder } from "./replicaFolder.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 11);
const chunks = 80;
let scratch: string;
let fixture: GatewayFixture;
let vault: OpenVault;
let replica: ReplicaFolder;
/** Where the chunks of the image are, in its order. */
let rows: ChunkRow[];

beforeEach(async () => {
  scratch = mkdtempSync(join(tmpdir(), "holdfast-requests-"));
  fixture = await GatewayFixture.create({}, join(scratch, "data"));
  const device = await fixture.device(await fixture.account("anna"), "laptop");
  replica = await addReplicaFolder(fixture.gateway.catalog, join(scratch, "replica"), "disk");
  vault = await fixture.gateway.vault(device.vault);
  const { session } = await beginSession(device, "images");
  const ids: Buffer[] = [];
  for (let i = 0; i < chunks; i += 8) {
    const some = Array.from({ length: 8 }, () => dataRecord(device, randomBytes(2 ** 20)));
    await device.client.records(
      session,
      some.map(({ record }) => record),
    );
    ids.push(...some.map(({ id }) => id));
  }
  await vault.store.closeOpenPacks();
  await copyPacks(vault, fixture.gateway.vaultDirectory(vault.id), replica, {
    listed: true,
    proof: "hashed",
  });
  for (const { ordinal } of vault.store.packs.all()) await vault.store.elsewhere!.moves.evict(ordinal);
  rows = ids.map((id) => vault.store.lookup(device.group, id)!);
});
afterEach(async () => {
  await fixture.stop();
  rmSync(scratch, { recursive: true, force: true });
});

const requests = (): Promise<number> =>
  fixture.gateway.elsewhere.stores.use(replica.id, async (store) => store.usage().requests.get ?? 0);

async function read(row: ChunkRow): Promise<void> {
  for await (const outcome of vault.store.read([row], { unhashed: true }))
    expect(Buffer.isBuffer(outcome)).toBe(true);
}

test(`at random, cold: at most one request for each MiB of packs that is touched (seed ${seed})`, async () => {
  const random = randomFrom(seed);
  const touched = new Set<string>();
  for (let i = 0; i < 60; i++) {
    const row = rows[random.below(chunks)]!;
    await read(row);
    const first = Math.floor((row.offset - Width.frame) / blockBytes);
    const last = Math.floor((row.offset + row.length - 1) / blockBytes);
    for (let block = first; block <= last; block++) touched.add(`${row.pack} ${block}`);
  }
  const made = await requests();
  expect(made).toBeGreaterThan(0);
  expect(made).toBeLessThanOrEqual(touched.size);
});

test("in order, cold: a request for about four MiB; warm: none", async () => {
  for (const row of rows) await read(row);
  const cold = await requests();
  expect(cold).toBeGreaterThan(chunks / 8);
  expect(cold).toBeLessThan(chunks / 2);
  for (const row of rows) await read(row);
  expect(await requests()).toBe(cold);
});
