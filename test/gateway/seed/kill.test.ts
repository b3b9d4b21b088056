// kill -9 of a real gateway process while records that rest on promised ones are uploaded: whatever was acknowledged is there, and so is
// what it rests on, under the ordinals that it names. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { randomFrom } from "../../fidelity/random.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";
import { KillableGateway } from "../killableGateway.ts";
import { chunkListOf } from "./chunkLists.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-promised-kill-"));
const path = join(folder, "data");
const rounds = Number(process.env.HOLDFAST_KILLS ?? 4);
let device: TestDevice;
let fixture: GatewayFixture;
let promised: TestRecord[];
const gateway = new KillableGateway(path, 60_000);

beforeAll(async () => {
  fixture = await GatewayFixture.create({}, path);
  device = await fixture.device(await fixture.account("anna"), "laptop");
  promised = Array.from({ length: 3000 }, () => dataRecord(device, randomBytes(300)));
  const vault = await fixture.gateway.vault(device.vault);
  const ids = promised.map(({ id }) => id);
  await vault.boxes.promise({ box: 3, seal: 1, list: chunkListOf([{ group: device.group, ids }]) });
  await fixture.stop();
});
afterAll(async () => {
  await gateway.kill();
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<GatewayClient> {
  const url = await gateway.start();
  return new GatewayClient({ url, fingerprint: fixture.fingerprint, token: device.token, triesMax: 1 });
}

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(
  `what rests on promises survives kill -9 (seed ${seed})`,
  async () => {
    const random = randomFrom(seed);
    /** Pages that were acknowledged, and what they name. */
    const pages = new Map<TestRecord, readonly Buffer[]>();
    const here = new Set<TestRecord>();
    const snapshots: string[] = [];
    for (let round = 0; round < rounds; round++) {
      const client = await start();
      const item = await client.putItem("files");
      const { session } = await client.startSession({
        vault: device.vault,
        item: item.id,
        highestSequence: 0,
      });
      const known = [...pages.keys(), ...promised].map(({ id }) => id);
      const bits = await client.have(session, known);
      expect(known.every((_, i) => bitAt(bits, i))).toBe(true);
      const killAt = pages.size + 1 + random.below(60);
      const reached = Promise.withResolvers<void>();
      const upload = async (): Promise<void> => {
        for (;;) {
          const from = random.below(promised.length - 40);
          const below = promised.slice(from, from + 1 + random.below(40));
          // Some of what is promised comes by itself, before or after it was named.
          const brought = below.filter(() => random.below(8) === 0);
          const page = pageRecord(
            device,
            below.map(({ id }) => id),
            String(random.below(2 ** 30)),
          );
          const sent = random.below(2) === 0 ? [...brought, page] : [page, ...brought];
          const answer = await client.records(
            session,
            sent.map(({ record }) => record),
          );
          expect([...answer.statuses].includes(RecordStatus.waits)).toBe(false);
          pages.set(
            page,
            below.map(({ id }) => id),
          );
          for (const record of brought) here.add(record);
          if (pages.size >= killAt) reached.resolve();
        }
      };
      const commit = async (): Promise<void> => {
        const children = [...pages.keys()].slice(-50).map(({ id }) => id);
        const root = pageRecord(device, [...children, promised[round]!.id], `root ${round}`);
        await client.records(session, [root.record]);
        const object = snapshotOf(device, item, item.sequence + 1, item.head, root.id).bytes;
        snapshots.push((await client.commit(session, object)).snapshot);
      };
      await gateway.killWhile([upload(), upload(), commit()], reached.promise, random);
      client.close();
    }
    expect(pages.size).toBeGreaterThan(20);
    await fixture.start();
    try {
      const { store, waits } = await fixture.gateway.vault(device.vault);
      await store.flush(() => undefined);
      for (const [page, below] of pages) {
        const row = store.lookup(device.group, page.id);
        expect(row).toBeDefined();
        const ordinals = below.map((id) => store.overlay.lookup(device.group, id)?.ordinal);
        expect(store.index.refsOf(row!.ordinal)).toEqual(ordinals);
      }
      for (const { id } of here) expect(store.lookup(device.group, id)).toBeDefined();
      const client = fixture.client(device.token);
      await waits.settle();
      const rows = await client.snapshots();
      expect(snapshots.every((id) => rows.some((row) => row.id === id))).toBe(true);
      expect(rows.every(({ pending }) => pending?.[0] === 3)).toBe(true);
      // With all of it here, each of them is whole, whatever the kills cut off.
      const item = await client.putItem("files");
      const { session } = await client.startSession({
        vault: device.vault,
        item: item.id,
        highestSequence: 0,
      });
      await client.records(
        session,
        promised.map(({ record }) => record),
      );
      await waits.settle();
      expect((await client.snapshots()).every(({ pending }) => pending === undefined)).toBe(true);
      expect(store.index.promised.any()).toBe(false);
    } finally {
      await fixture.stop();
    }
  },
  120_000 + rounds * 20_000,
);
