// kill -9 of a real gateway process while records are uploaded: whatever was acknowledged is there after a restart.

import { type ChildProcess, fork } from "node:child_process";
import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "./gatewayFixture.ts";

let folder: string;
let path: string;
let device: TestDevice;
let fingerprint: string;
let child: ChildProcess | undefined;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-crash-"));
  path = join(folder, "data");
  const fixture = await GatewayFixture.create({}, path);
  device = await fixture.device(await fixture.account("anna"), "laptop");
  fingerprint = fixture.fingerprint;
  await fixture.stop();
});
afterAll(async () => {
  child?.kill("SIGKILL");
  await rm(folder, { recursive: true, force: true });
});

/** Starts a gateway process and returns a client of it. */
async function start(): Promise<GatewayClient> {
  child = fork(join(import.meta.dirname, "gatewayProcess.ts"), [path, "40000"]);
  const url = await new Promise<string>((resolve, reject) => {
    child!.once("message", (message) => resolve(String(message)));
    child!.once("exit", (code) => reject(new Error(`the gateway ended with ${code}`)));
  });
  return new GatewayClient({ url, fingerprint, token: device.token, triesMax: 1 });
}

async function kill(): Promise<void> {
  const ended = new Promise((resolve) => child!.once("exit", resolve));
  child!.kill("SIGKILL");
  await ended;
}

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(`acknowledged records and snapshots survive kill -9 (seed ${seed})`, async () => {
  let state = seed;
  const random = (below: number): number => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) & 0x7fff_ffff;
    return state % below;
  };
  const acknowledged: TestRecord[] = [];
  const snapshots: string[] = [];
  for (let round = 0; round < 5; round++) {
    const client = await start();
    const item = await client.putItem("files");
    expect(
      (await client.snapshots())
        .map((row) => row.id)
        .reverse()
        .slice(0, snapshots.length),
    ).toEqual(snapshots);
    const rows = await client.snapshots();
    // A commit whose answer was lost may have gone through.
    if (rows.length > snapshots.length) snapshots.push(rows[0]!.id);
    const session = await client.startSession({
      vault: device.vault,
      item: item.id,
      highestSequence: snapshots.length,
    });
    for (let at = 0; at < acknowledged.length; at += 5000) {
      const part = acknowledged.slice(at, at + 5000);
      const bits = await client.have(
        session.session,
        part.map((each) => each.id),
      );
      expect(part.every((_, i) => bitAt(bits, i))).toBe(true);
    }
    // By what was acknowledged, not by time: a slow machine gets as far as a fast one. Then at any point of what follows.
    const killAt = acknowledged.length + 1 + random(100);
    let reached = (): void => {};
    const due = new Promise<void>((resolve) => {
      reached = resolve;
    });
    const upload = async (): Promise<void> => {
      for (;;) {
        const chunks = Array.from({ length: 1 + random(20) }, () =>
          dataRecord(device, randomBytes(1 + random(20_000))),
        );
        const page = pageRecord(
          device,
          chunks.map((each) => each.id),
          String(random(2 ** 30)),
        );
        const sent = [...chunks, page];
        const answer = await client.records(
          session.session,
          sent.map((each) => each.record),
        );
        expect([...answer.statuses].every((status) => status === RecordStatus.stored)).toBe(true);
        acknowledged.push(...sent);
        if (acknowledged.length >= killAt) reached();
      }
    };
    const commit = async (): Promise<void> => {
      const root = pageRecord(device, [], `root ${round}`);
      const answer = await client.records(session.session, [root.record]);
      expect(answer.statuses.length).toBe(1);
      acknowledged.push(root);
      const snapshot = snapshotOf(device, item, item.sequence + 1, item.head, root.id);
      snapshots.push((await client.commit(session.session, snapshot.bytes)).snapshot);
    };
    const running = [upload(), upload(), commit()].map((work) =>
      work.catch((error: { code?: string }) => error.code),
    );
    await Promise.race([due, Promise.all(running)]);
    await new Promise((resolve) => setTimeout(resolve, random(30)));
    await kill();
    for (const ended of await Promise.all(running))
      expect([undefined, "gateway-unreachable", "session-ended"]).toContain(ended);
    client.close();
  }
  expect(acknowledged.length).toBeGreaterThan(50);
  const client = await start();
  const byId = new Map(acknowledged.map((each) => [each.id.toString("hex"), each.record]));
  const ids = acknowledged.map((each) => each.id);
  for (let at = 0; at < ids.length; at += 1000) {
    const part = ids.slice(at, at + 1000);
    let i = 0;
    for await (const result of client.read(device.vault, device.group, part)) {
      expect(result.state === "record" && result.record.equals(byId.get(part[i]!.toString("hex"))!)).toBe(
        true,
      );
      i++;
    }
  }
  client.close();
  await kill();
}, 240_000);
