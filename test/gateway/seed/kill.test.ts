// kill -9 of a real gateway process while records that rest on promised ones are uploaded: whatever was acknowledged is there, and so is
// what it rests on, under the ordinals that it names. HOLDFAST_KILLS sets how many (4), HOLDFAST_SEED repeats a run.

import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayClient } from "../../../ingest/client/gatewayClient.ts";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";
import { chunkListOf } from "./chunkLists.ts";

const folder = mkdtempSync(join(tmpdir(), "holdfast-promised-kill-"));
const path = join(folder, "data");
const rounds = Number(process.env.HOLDFAST_KILLS ?? 4);
let device: TestDevice;
let fixture: GatewayFixture;
let promised: TestRecord[];
let child: ChildProcess | undefined;

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
  child?.kill("SIGKILL");
  rmSync(folder, { recursive: true, force: true });
});

async function start(): Promise<GatewayClient> {
  // It starts several times as fast with what is compiled.
  const env = { ...process.env, NODE_COMPILE_CACHE: join(tmpdir(), "holdfast-test-compile") };
  child = fork(join(import.meta.dirname, "..", "gatewayProcess.ts"), [path, "60000"], { env });
  const url = await new Promise<string>((resolve, reject) => {
    child!.once("message", (message) => resolve(String(message)));
    child!.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  return new GatewayClient({ url, fingerprint: fixture.fingerprint, token: device.token, triesMax: 1 });
}

async function kill(): Promise<void> {
  const ended = new Promise((resolve) => child!.once("exit", resolve));
  child!.kill("SIGKILL");
  await ended;
}

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(
  `what rests on promises survives kill -9 (seed ${seed})`,
  async () => {
    let state = seed;
    const random = (below: number): number => {
      state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
      return state % below;
    };
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
      const killAt = pages.size + 1 + random(60);
      const reached = Promise.withResolvers<void>();
      const upload = async (): Promise<void> => {
        for (;;) {
          const from = random(promised.length - 40);
          const below = promised.slice(from, from + 1 + random(40));
          // Some of what is promised comes by itself, before or after it was named.
          const brought = below.filter(() => random(8) === 0);
          const page = pageRecord(
            device,
            below.map(({ id }) => id),
            String(random(2 ** 30)),
          );
          const sent = random(2) === 0 ? [...brought, page] : [page, ...brought];
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
      const running = [upload(), upload(), commit()].map((work) =>
        work.catch((error: { code?: string }) => error.code),
      );
      await Promise.race([reached.promise, Promise.all(running)]);
      await new Promise((resolve) => setTimeout(resolve, random(30)));
      await kill();
      for (const ended of await Promise.all(running))
        expect([undefined, "gateway-unreachable", "session-ended"]).toContain(ended);
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
