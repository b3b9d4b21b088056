// What a modified agent may say of sessions and snapshots, and what it is told. docs/security.md has the table.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { bitAt } from "../../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../../ingest/wire/protocol.ts";
import { toHex } from "../../../vault/bytes.ts";
import { limits } from "../../../vault/limits.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "../gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let other: TestDevice;
let stranger: TestDevice;

let item: { id: string };
let session: string;
let root: TestRecord;
let items = 0;

beforeAll(async () => {
  fixture = await GatewayFixture.create({ now: () => new Date("2026-01-02T03:04:05Z") });
  const account = await fixture.account("anna");
  device = await fixture.device(account, "laptop");
  other = await fixture.device(account, "desktop");
  stranger = await fixture.device(await fixture.account("bert"), "laptop");
});
afterAll(() => fixture.remove());

const start = async (of: TestDevice, id: string, highestSequence = 0): Promise<string> =>
  (await of.client.startSession({ vault: of.vault, item: id, highestSequence })).session;

beforeEach(async () => {
  item = await device.client.putItem(`item ${++items}`);
  session = await start(device, item.id);
  root = pageRecord(device, [], `root ${items}`);
  await device.client.records(session, [root.record]);
});

const commit = (bytes: Buffer, of = session, by = device) => by.client.commit(of, bytes);
const honest = (sequence = 1, previous: string | null = null) =>
  snapshotOf(device, item, sequence, previous, root.id);

/** Everything that would show a commit. */
async function state(): Promise<unknown> {
  const rows = await device.client.items();
  return rows.find(({ id }) => id === item.id);
}

describe("a snapshot's header", () => {
  /** Offset in the clear header (docs/format.md) and what to put there. */
  const forged: readonly (readonly [string, string, (object: Buffer) => void])[] = [
    ["another vault", "protocol", (object) => randomBytes(16).copy(object, 12)],
    ["another group", "protocol", (object) => object.writeUInt32LE(object.readUInt32LE(28) + 1, 28)],
    ["another device", "protocol", (object) => Buffer.from(other.id, "hex").copy(object, 32)],
    ["another item", "protocol", (object) => randomBytes(16).copy(object, 48)],
    ["a key epoch to come", "protocol", (object) => object.writeUInt32LE(2, 8)],
    ["sequence 0", "corrupt", (object) => object.writeBigUInt64LE(0n, 64)],
    ["a sequence ahead", "sequence-conflict", (object) => object.writeBigUInt64LE(2n, 64)],
    ["the highest sequence", "sequence-conflict", (object) => object.writeBigUInt64LE(2n ** 53n - 1n, 64)],
    ["a sequence beyond numbers", "corrupt", (object) => object.writeBigUInt64LE(2n ** 64n - 1n, 64)],
    ["a predecessor", "sequence-conflict", (object) => randomBytes(32).copy(object, 72)],
    ["a root that is not here", "missing-chunks", (object) => randomBytes(32).copy(object, 104)],
    ["another magic", "corrupt", (object) => object.writeUInt32LE(0, 0)],
    ["a version to come", "unsupported", (object) => object.writeUInt8(9, 4)],
    ["unknown flags", "corrupt", (object) => object.writeUInt8(0x82, 5)],
    ["reserved bytes", "corrupt", (object) => object.writeUInt16LE(1, 6)],
    ["4 GiB sealed", "limit-exceeded", (object) => object.writeUInt32LE(0xffff_ffff, 152)],
  ];
  test.each(forged)("that names %s: %s, and nothing happened", async (_what, code, alter) => {
    const before = await state();
    const { bytes } = honest();
    alter(bytes);
    await expect(commit(bytes)).rejects.toMatchObject({ code });
    expect(await state()).toEqual(before);
    await commit(honest().bytes);
  });

  test("whose root is a chunk and no directory", async () => {
    const chunk = dataRecord(device);
    await device.client.records(session, [chunk.record]);
    await expect(commit(snapshotOf(device, item, 1, null, chunk.id).bytes)).rejects.toMatchObject({
      code: "protocol",
    });
  });

  test("bytes missing, bytes too many, none at all, and more than there may be", async () => {
    const { bytes } = honest();
    for (const [object, code] of [
      [bytes.subarray(0, 100), "truncated"],
      [bytes.subarray(0, -1), "truncated"],
      [Buffer.concat([bytes, Buffer.alloc(1)]), "corrupt"],
      [Buffer.alloc(0), "truncated"],
      [Buffer.alloc(limits.snapshotBytesMax + 1), "limit-exceeded"],
    ] as const) {
      await expect(commit(object)).rejects.toMatchObject({ code });
    }
  });

  test("a body with another time counts for nothing: the gateway's own clock is the snapshot's time", async () => {
    const { snapshot, received } = await commit(honest().bytes);
    expect(received).toBe("2026-01-02T03:04:05.000Z");
    const rows = await device.client.snapshots();
    expect(rows.find(({ id }) => id === snapshot)?.received).toBe(received);
  });
});

describe("sessions of others, and those that are over", () => {
  test("a snapshot that another device made, taken over whole", async () => {
    const theirs = await other.client.putItem("theirs");
    const own = await start(other, theirs.id);
    const { bytes } = snapshotOf(other, theirs, 1, null, root.id);
    await expect(commit(bytes)).rejects.toMatchObject({ code: "protocol" });
    // The true owner can still commit it.
    await other.client.commit(own, bytes);
  });

  test("another device, and another account, do nothing in a session: it does not exist for them", async () => {
    for (const thief of [other, stranger]) {
      const refused = { code: "not-found", message: expect.stringContaining("no such upload session") };
      await expect(thief.client.have(session, [root.id])).rejects.toMatchObject(refused);
      await expect(thief.client.whole(session, [root.id])).rejects.toMatchObject(refused);
      await expect(thief.client.records(session, [root.record])).rejects.toMatchObject(refused);
      await expect(commit(honest().bytes, session, thief)).rejects.toMatchObject(refused);
      await expect(thief.client.endSession(session)).rejects.toMatchObject(refused);
      await expect(start(thief, item.id)).rejects.toMatchObject({ code: "not-found" });
    }
    await commit(honest().bytes);
  });

  test("answers for a session, an item or a vault of others are those for one that never was", async () => {
    const answerTo = (ask: Promise<unknown>): Promise<unknown> =>
      ask.then(
        () => "answered",
        (error: Error & { code: string; detail: unknown }) => [error.code, error.message, error.detail],
      );
    const [id, never] = [toHex(root.id), toHex(randomBytes(16))];
    const { client } = stranger;
    for (const [real, none] of [
      [client.have(session, [root.id]), client.have(never, [root.id])],
      [start(stranger, item.id), start(stranger, never)],
      [client.exists(device.vault, device.group, [root.id]), client.exists(never, device.group, [root.id])],
      [client.snapshotObject(id), client.snapshotObject(toHex(randomBytes(32)))],
      [client.pack(device.vault, id), client.pack(never, id)],
      [client.keysDocument(device.vault), client.keysDocument(never)],
    ] as const) {
      expect(await answerTo(real)).toEqual(await answerTo(none));
    }
  });

  test("in a session that was committed, ended or taken over nothing is taken any more", async () => {
    const ended = async (of: string): Promise<void> => {
      const over = { code: "session-ended" };
      await expect(device.client.records(of, [dataRecord(device).record])).rejects.toMatchObject(over);
      await expect(device.client.have(of, [root.id])).rejects.toMatchObject(over);
      await expect(device.client.whole(of, [root.id])).rejects.toMatchObject(over);
      await expect(commit(snapshotOf(device, item, 2, null, root.id).bytes, of)).rejects.toMatchObject(over);
    };
    const first = honest();
    const answer = await commit(first.bytes);
    await ended(session);
    // The very same again is answered as before, and changes nothing.
    const after = await state();
    expect(await commit(first.bytes)).toEqual(answer);
    expect(await state()).toEqual(after);
    const second = await start(device, item.id, 1);
    await device.client.endSession(second);
    await ended(second);
    const third = await start(device, item.id, 1);
    const fourth = await start(device, item.id, 1);
    await ended(third);
    await expect(commit(first.bytes, fourth)).rejects.toMatchObject({ code: "sequence-conflict" });
    await commit(honest(2, answer.snapshot).bytes, fourth);
  });

  test("a sequence that no gateway ever had is a rollback of the gateway, for this agent only", async () => {
    await expect(start(device, item.id, 2 ** 40)).rejects.toMatchObject({ code: "rollback-detected" });
    for (const wrong of [-1, 0.5, 2 ** 60]) {
      await expect(start(device, item.id, wrong)).rejects.toMatchObject({ code: "usage" });
    }
    await commit(honest().bytes);
  });
});

describe("too many", () => {
  test("a hundred sessions: one lease, and a bounded number of those that are over", async () => {
    const all: string[] = [];
    for (let i = 0; i < 100; i++) all.push(await start(device, item.id));
    const vault = await fixture.gateway.vault(device.vault);
    const known = all.filter((id) => vault.catalog.leases.session(id) !== undefined);
    expect(known.length).toBeLessThanOrEqual(20);
    await expect(device.client.have(all[0]!, [root.id])).rejects.toMatchObject({ code: "not-found" });
    await commit(honest().bytes, all.at(-1));
  });

  test("items of one device are bounded, and those that are there go on", async () => {
    const { catalog, store } = await fixture.gateway.vault(other.vault);
    store.environment.write(() => {
      const has = catalog.items().filter((row) => row.device === other.id).length;
      for (let i = has; i < wireLimits.itemsPerDevice; i++) catalog.ensureItem(other.id, `many ${i}`);
    });
    await expect(other.client.putItem("one more")).rejects.toMatchObject({ code: "limit-exceeded" });
    await start(other, (await other.client.putItem("many 500")).id);
    await device.client.putItem("of another device");
  });

  test("a flood of `have` of its full size is answered, as are the others' beside it", async () => {
    const ids = Array.from({ length: wireLimits.idsPerHave }, () => randomBytes(32));
    const flood = Array.from({ length: 16 }, () => device.client.have(session, ids));
    const theirs = await start(other, (await other.client.putItem("many 501")).id);
    expect(bitAt(await other.client.have(theirs, [root.id]), 0)).toBe(true);
    for (const bits of await Promise.all(flood)) expect(bits.every((byte) => byte === 0)).toBe(true);
    await expect(device.client.have(session, [...ids, randomBytes(32)])).rejects.toMatchObject({
      code: "limit-exceeded",
    });
  });
});
