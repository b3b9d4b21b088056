// One account can never see, probe or guess what another has; groups and revoked tokens likewise.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, expect, test } from "vitest";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import {
  dataRecord,
  GatewayFixture,
  pageRecord,
  posingAs,
  snapshotOf,
  type TestDevice,
  type TestRecord,
} from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let anna: TestDevice;
let bert: TestDevice;
let item: { id: string };
let session: string;
let chunk: TestRecord;
let root: TestRecord;
let snapshot: string;
let packName: string;

async function results(
  device: TestDevice,
  vault: string,
  group: number,
  ids: readonly Buffer[],
): Promise<string[]> {
  const states: string[] = [];
  for await (const result of device.client.read(vault, group, ids)) states.push(result.state);
  return states;
}

beforeAll(async () => {
  fixture = await GatewayFixture.create({ packBytesTarget: 50_000 });
  anna = await fixture.device(await fixture.account("anna"), "laptop");
  bert = await fixture.device(await fixture.account("bert"), "laptop");
  item = await anna.client.putItem("files");
  session = (await anna.client.startSession({ vault: anna.vault, item: item.id, highestSequence: 0 }))
    .session;
  const chunks = Array.from({ length: 40 }, () => dataRecord(anna));
  chunk = chunks[0]!;
  root = pageRecord(
    anna,
    chunks.map((each) => each.id),
  );
  await anna.client.records(
    session,
    [...chunks, root].map((each) => each.record),
  );
  snapshot = (await anna.client.commit(session, snapshotOf(anna, item, 1, null, root.id).bytes)).snapshot;
  session = (await anna.client.startSession({ vault: anna.vault, item: item.id, highestSequence: 1 }))
    .session;
  const vault = await fixture.gateway.vault(anna.vault);
  await vault.store.settled();
  packName = toHex([...vault.store.packs.all()].find((pack) => pack.state === "closed")!.name!);
});
afterAll(async () => {
  await fixture.remove();
});

test("the owner sees what the others are tried on below", async () => {
  expect(bitAt(await anna.client.have(session, [chunk.id]), 0)).toBe(true);
  expect(await results(anna, anna.vault, anna.group, [chunk.id])).toEqual(["record"]);
  expect((await anna.client.pack(anna.vault, packName)).length).toBeGreaterThan(50_000);
  expect((await anna.client.pack(anna.vault, packName, { first: 0, last: 3 })).toString()).toBe("HFp1");
});

test("another account's vault, session, item and snapshot do not exist", async () => {
  const { client } = bert;
  const notFound = { code: "not-found" };
  await expect(client.exists(anna.vault, anna.group, [chunk.id])).rejects.toMatchObject(notFound);
  await expect(results(bert, anna.vault, anna.group, [chunk.id])).rejects.toMatchObject(notFound);
  await expect(client.pack(anna.vault, packName)).rejects.toMatchObject(notFound);
  await expect(client.vaultDocument(anna.vault)).rejects.toMatchObject(notFound);
  await expect(client.keysDocument(anna.vault)).rejects.toMatchObject(notFound);
  await expect(client.snapshotObject(snapshot)).rejects.toMatchObject(notFound);
  await expect(client.have(session, [chunk.id])).rejects.toMatchObject(notFound);
  await expect(client.records(session, [chunk.record])).rejects.toMatchObject(notFound);
  await expect(client.commit(session, randomBytes(200))).rejects.toMatchObject(notFound);
  await expect(client.endSession(session)).rejects.toMatchObject(notFound);
  await expect(
    client.suspect(anna.vault, { group: anna.group, ids: [toHex(chunk.id)] }),
  ).rejects.toMatchObject(notFound);
  await expect(
    client.startSession({ vault: anna.vault, item: item.id, highestSequence: 0 }),
  ).rejects.toMatchObject(notFound);
  await expect(
    client.startSession({ vault: bert.vault, item: item.id, highestSequence: 0 }),
  ).rejects.toMatchObject(notFound);
  expect(await client.snapshots()).toEqual([]);
  expect(await client.snapshots({ newest: 10 })).toEqual([]);
  expect(await client.items()).toEqual([]);
  expect((await client.devices()).map((device) => device.id)).toEqual([bert.id]);
});

test("the answers for others' and for no one's ids are the same", async () => {
  const nowhere = toHex(randomBytes(16));
  const messageOf = async (vault: string): Promise<string> =>
    await bert.client.exists(vault, 1, [chunk.id]).then(
      () => "answered",
      (error: Error) => error.message,
    );
  expect(await messageOf(anna.vault)).toBe(await messageOf(nowhere));
});

test("in one's own vault another account's chunks are not here", async () => {
  const own = await bert.client.putItem("files");
  const mine = await bert.client.startSession({ vault: bert.vault, item: own.id, highestSequence: 0 });
  expect(bitAt(await bert.client.have(mine.session, [chunk.id]), 0)).toBe(false);
  expect(bitAt(await bert.client.exists(bert.vault, anna.group, [chunk.id]), 0)).toBe(false);
  expect(await results(bert, bert.vault, bert.group, [chunk.id])).toEqual(["missing"]);
  const stolen = pageRecord(bert, [chunk.id]);
  const answer = await bert.client.records(mine.session, [stolen.record]);
  expect([...answer.statuses]).toEqual([RecordStatus.waits]);
  // A snapshot whose root is another account's is refused as if it were not there.
  await expect(
    bert.client.commit(mine.session, snapshotOf(bert, own, 1, null, root.id).bytes),
  ).rejects.toMatchObject({ code: "missing-chunks", detail: { missing: [toHex(root.id)] } });
});

test("an isolated device shares nothing with the others of its account, and can read them", async () => {
  const alone = await fixture.device(anna.account, "kiosk", true);
  expect(alone.group).not.toBe(anna.group);
  const own = await alone.client.putItem("files");
  const mine = await alone.client.startSession({ vault: alone.vault, item: own.id, highestSequence: 0 });
  expect(bitAt(await alone.client.have(mine.session, [chunk.id]), 0)).toBe(false);
  expect([
    ...(await alone.client.records(mine.session, [pageRecord(alone, [chunk.id]).record])).statuses,
  ]).toEqual([RecordStatus.waits]);
  // The same id in its own group is another record; the shared one stays as it is.
  const forged = posingAs(chunk.id, dataRecord(alone, randomBytes(100)));
  expect([...(await alone.client.records(mine.session, [forged])).statuses]).toEqual([RecordStatus.stored]);
  for await (const result of anna.client.read(anna.vault, anna.group, [chunk.id])) {
    expect(result).toEqual({ state: "record", record: chunk.record });
  }
  await expect(
    alone.client.suspect(alone.vault, { group: anna.group, ids: [toHex(chunk.id)] }),
  ).rejects.toMatchObject({
    code: "forbidden",
  });
});

test("a device of the same account takes no other device's item or session", async () => {
  const second = await fixture.device(anna.account, "desktop");
  await expect(second.client.have(session, [chunk.id])).rejects.toMatchObject({ code: "not-found" });
  await expect(
    second.client.startSession({ vault: second.vault, item: item.id, highestSequence: 0 }),
  ).rejects.toMatchObject({ code: "not-found" });
  const own = await second.client.putItem("files");
  expect(own.id).not.toBe(item.id);
  const mine = await second.client.startSession({ vault: second.vault, item: own.id, highestSequence: 0 });
  // It shares the group, so it need not send what the other sent.
  expect(bitAt(await second.client.have(mine.session, [chunk.id]), 0)).toBe(true);
  await expect(
    second.client.commit(mine.session, snapshotOf(anna, own, 1, null, root.id).bytes),
  ).rejects.toMatchObject({ code: "protocol" });
});

test("a revoked device is out, its name is free, and its wrap is gone", async () => {
  const doomed = await fixture.device(anna.account, "doomed");
  await expect(fixture.device(anna.account, "doomed")).rejects.toMatchObject({ code: "exists" });
  await fixture.administration.revokeDevice("anna", "doomed");
  await expect(doomed.client.me()).rejects.toMatchObject({ code: "token-invalid" });
  await expect(doomed.client.exists(anna.vault, anna.group, [chunk.id])).rejects.toMatchObject({
    code: "token-invalid",
  });
  const keys = (await fixture.gateway.vault(anna.vault)).keys;
  expect(keys.wraps.some((wrap) => wrap.kind === "device" && wrap.device === doomed.id)).toBe(false);
  const again = await fixture.device(anna.account, "doomed");
  expect((await again.client.me()).device?.name).toBe("doomed");
});

test("revoking a device ends its uploads: a commit that is under way is refused", async () => {
  const doomed = await fixture.device(anna.account, "doomed too");
  const own = await doomed.client.putItem("files");
  const { session } = await doomed.client.startSession({
    vault: doomed.vault,
    item: own.id,
    highestSequence: 0,
  });
  const root = pageRecord(doomed, [], "root of a revoked device");
  await doomed.client.records(session, [root.record]);
  const vault = await fixture.gateway.vault(doomed.vault);
  const row = fixture.gateway.catalog.devices.get(doomed.id)!;
  const committing = vault.commit(session, row, snapshotOf(doomed, own, 1, null, root.id).bytes);
  // Its token and lease were looked at by now; writing the snapshot's file takes several turns of the event loop.
  const revoked = new Promise<void>((resolve, reject) => {
    setImmediate(() => void fixture.administration.revokeDevice("anna", "doomed too").then(resolve, reject));
  });
  await expect(committing).rejects.toMatchObject({ code: "session-ended" });
  await revoked;
  expect(vault.catalog.item(own.id)).toMatchObject({ sequence: 0, head: null });
  expect(vault.catalog.leases.session(session)?.ended).toEqual({ session, snapshot: null });
});

test("a disabled account is out, and comes back", async () => {
  const carl = await fixture.device(await fixture.account("carl"), "pc");
  await fixture.administration.setDisabled("carl", true);
  await expect(carl.client.me()).rejects.toMatchObject({ code: "account-disabled" });
  await expect(fixture.client().login("carl", carl.account.l)).rejects.toMatchObject({
    code: "account-disabled",
  });
  await fixture.administration.setDisabled("carl", false);
  expect((await carl.client.me()).account).toBe("carl");
});

test("a person's token does not upload and a device's token does not enrol", async () => {
  const anonymous = fixture.client();
  const { token } = await anonymous.login("anna", anna.account.l);
  await expect(anonymous.withToken(token).putItem("x")).rejects.toMatchObject({ code: "forbidden" });
  await expect(
    anna.client.enroll({
      id: toHex(randomBytes(16)),
      name: "x",
      publicKey: randomBytes(32).toString("base64"),
      isolated: false,
      wraps: {},
    }),
  ).rejects.toMatchObject({ code: "forbidden" });
  await expect(anonymous.me()).rejects.toMatchObject({ code: "token-invalid" });
  await expect(anonymous.withToken("hfd_AAAA").me()).rejects.toMatchObject({ code: "token-invalid" });
});

test("quarantine: a wrong record answers no, an honest copy takes its place, and agents forget their lists", async () => {
  const own = await bert.client.putItem("quarantine");
  const one = await bert.client.startSession({ vault: bert.vault, item: own.id, highestSequence: 0 });
  const honest = dataRecord(bert);
  const wrong = posingAs(honest.id, dataRecord(bert));
  await bert.client.records(one.session, [wrong]);
  expect(await bert.client.suspect(bert.vault, { group: bert.group, ids: [toHex(honest.id)] })).toEqual({
    quarantined: 1,
    writers: [{ device: "laptop" }],
  });
  expect(bitAt(await bert.client.have(one.session, [honest.id]), 0)).toBe(false);
  const two = await bert.client.startSession({ vault: bert.vault, item: own.id, highestSequence: 0 });
  expect(two.cacheToken).not.toBe(one.cacheToken);
  expect([...(await bert.client.records(two.session, [honest.record])).statuses]).toEqual([
    RecordStatus.stored,
  ]);
  for await (const result of bert.client.read(bert.vault, bert.group, [honest.id])) {
    expect(result).toEqual({ state: "record", record: honest.record });
  }
});

test("a snapshot that reaches a quarantined record is not committed until an honest copy came", async () => {
  const own = await bert.client.putItem("needs");
  const { session } = await bert.client.startSession({ vault: bert.vault, item: own.id, highestSequence: 0 });
  const chunk = dataRecord(bert);
  const page = pageRecord(bert, [chunk.id], "a page above it");
  const root = pageRecord(bert, [page.id], "the root");
  await bert.client.records(session, [chunk.record, page.record, root.record]);
  await bert.client.suspect(bert.vault, { group: bert.group, ids: [toHex(chunk.id)] });
  const snapshot = snapshotOf(bert, own, 1, null, root.id);
  await expect(bert.client.commit(session, snapshot.bytes)).rejects.toMatchObject({
    code: "missing-chunks",
    detail: { missing: [toHex(chunk.id)] },
  });
  await bert.client.records(session, [chunk.record]);
  expect(await bert.client.commit(session, snapshot.bytes)).toMatchObject({ snapshot: toHex(snapshot.id) });
});
