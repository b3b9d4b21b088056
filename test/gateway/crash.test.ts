// kill -9 of a real gateway process while records are uploaded: whatever was acknowledged is there after a restart.

import { randomBytes } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { randomFrom } from "../fidelity/random.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "./gatewayFixture.ts";
import { KillableGateway } from "./killableGateway.ts";

let folder: string;
let device: TestDevice;
let fingerprint: string;
let gateway: KillableGateway;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "holdfast-crash-"));
  const path = join(folder, "data");
  const fixture = await GatewayFixture.create({}, path);
  device = await fixture.device(await fixture.account("anna"), "laptop");
  fingerprint = fixture.fingerprint;
  await fixture.stop();
  gateway = new KillableGateway(path, 40_000);
});
afterAll(async () => {
  await gateway?.kill();
  await rm(folder, { recursive: true, force: true });
});

/** Starts a gateway process and returns a client of it. */
async function start(): Promise<GatewayClient> {
  const url = await gateway.start();
  return new GatewayClient({ url, fingerprint, token: device.token, triesMax: 1 });
}

const seed = Number(process.env.HOLDFAST_SEED ?? Math.floor(Math.random() * 2 ** 31));

test(`acknowledged records and snapshots survive kill -9 (seed ${seed})`, async () => {
  const random = randomFrom(seed);
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
    const killAt = acknowledged.length + 1 + random.below(100);
    const reached = Promise.withResolvers<void>();
    const upload = async (): Promise<void> => {
      for (;;) {
        const chunks = Array.from({ length: 1 + random.below(20) }, () =>
          dataRecord(device, randomBytes(1 + random.below(20_000))),
        );
        const page = pageRecord(
          device,
          chunks.map((each) => each.id),
          String(random.below(2 ** 30)),
        );
        const sent = [...chunks, page];
        const answer = await client.records(
          session.session,
          sent.map((each) => each.record),
        );
        expect([...answer.statuses].every((status) => status === RecordStatus.stored)).toBe(true);
        acknowledged.push(...sent);
        if (acknowledged.length >= killAt) reached.resolve();
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
    await gateway.killWhile([upload(), upload(), commit()], reached.promise, random);
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
  await gateway.kill();
}, 240_000);
