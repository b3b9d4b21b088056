import { randomBytes } from "node:crypto";
import { readSync } from "node:fs";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { RecordSource, SnapshotCatalog } from "../../fs/view/ports.ts";
import { readTogether } from "../../fs/view/readTogether.ts";
import { writeKeysDocument } from "../../gateway/vaultDocuments.ts";
import { LocalRecordSource, LocalSnapshotCatalog } from "../../gateway/viewSource.ts";
import { toHex } from "../../vault/bytes.ts";
import { withPassword } from "../../vault/keys/keysDocument.ts";
import { Width } from "../../vault/magic.ts";
import { openSnapshot } from "../../vault/snapshot.ts";
import { dataRecord, GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
});
afterAll(async () => {
  await fixture.remove();
});

async function backup(sequence: number, previous: string | null): Promise<{ id: string; chunk: Buffer }> {
  const { client, vault } = device;
  const item = await client.putItem("files");
  const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const chunk = dataRecord(device);
  const root = pageRecord(device, [chunk.id], `root ${sequence}`);
  await client.records(session, [chunk.record, root.record]);
  const { snapshot } = await client.commit(
    session,
    snapshotOf(device, item, sequence, previous, root.id).bytes,
  );
  return { id: snapshot, chunk: chunk.id };
}

test("the gateway's own sources fit the ports of the view", async () => {
  const records: RecordSource = new LocalRecordSource(fixture.gateway);
  const catalog: SnapshotCatalog = new LocalSnapshotCatalog(fixture.gateway);
  let changes = 0;
  const stop = catalog.onChanged(() => changes++);
  expect(await catalog.devices("anna")).toEqual([{ account: "anna", device: "laptop", items: [] }]);
  const first = await backup(1, null);
  const second = await backup(2, first.id);
  expect(changes).toBe(2);
  stop();
  expect(await catalog.accounts()).toEqual(["anna"]);
  expect(await catalog.devices("anna")).toEqual([{ account: "anna", device: "laptop", items: ["files"] }]);
  const snapshots = await catalog.snapshots("anna", "laptop", "files");
  expect(snapshots.map((row) => row.id)).toEqual([second.id, first.id]);
  expect(await catalog.snapshots("anna", "laptop", "other")).toEqual([]);
  expect(await catalog.snapshots("nobody", "laptop", "files")).toEqual([]);
  const opened = openSnapshot(device.account.keys, await catalog.object(snapshots[0]!));
  expect(toHex(opened.id)).toBe(second.id);
  const results = await readTogether(records, device.vault, device.group, [
    first.chunk,
    randomBytes(32),
    second.chunk,
  ]);
  expect(results.map((result) => result.state)).toEqual(["record", "missing", "record"]);
  for (const result of results) {
    // Memory of its own but for the frame it was read with, so that it may be transferred to a worker.
    if (result.state !== "record") continue;
    expect(result.record.buffer.byteLength).toBeLessThanOrEqual(result.record.length + Width.frame);
  }
  await device.client.suspect(device.vault, { group: device.group, ids: [toHex(first.chunk)] });
  // A report proves nothing: the reader proves the record.
  expect(await readTogether(records, device.vault, device.group, [first.chunk])).toMatchObject([
    { state: "record" },
  ]);
});

test("records come to the ids that asked for them, in whatever order they lie", async () => {
  const { client, vault, group } = device;
  const item = await client.putItem("order");
  const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const chunks = Array.from({ length: 5 }, () => dataRecord(device));
  await client.records(
    session,
    chunks.map(({ record }) => record),
  );
  const source = new LocalRecordSource(fixture.gateway);
  const asked = [3, 0, 4, 2, 1].map((index) => chunks[index]!);
  const results = await readTogether(source, vault, group, [
    ...asked.map(({ id }) => id),
    randomBytes(32),
    chunks[2]!.id,
  ]);
  const found = results.map((result) => (result.state === "record" ? toHex(result.record) : result.state));
  expect(found).toEqual([...asked.map(({ record }) => toHex(record)), "missing", toHex(chunks[2]!.record)]);
});

test("of several records, those that lie together are read at once where they are few", async () => {
  const { client, vault, group } = device;
  const item = await client.putItem("few and many");
  const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const few = Array.from({ length: 4 }, () => dataRecord(device, randomBytes(1000)));
  const many = Array.from({ length: 4 }, () => dataRecord(device, randomBytes(40_000)));
  // One between them, so that few and many are two reads.
  const sent = [...few, dataRecord(device), ...many];
  await client.records(
    session,
    sent.map(({ record }) => record),
  );
  const lengths: number[] = [];
  const readNow = (fd: number, into: Buffer, position: number): boolean => {
    lengths.push(into.length);
    return readSync(fd, into, 0, into.length, position) === into.length;
  };
  const source = new LocalRecordSource(fixture.gateway, { readNow });
  const asked = [...many, ...few];
  const results = await readTogether(
    source,
    vault,
    group,
    asked.map(({ id }) => id),
  );
  for (const [index, { record }] of asked.entries())
    expect(results[index]).toEqual({ state: "record", record });
  const bytes = few.reduce((sum, { record }) => sum + Width.frame + record.length, 0);
  expect(lengths).toEqual([bytes]);
});

test("a long poll answers when a snapshot appears", async () => {
  const { client } = device;
  const { next } = await client.events(0);
  const waiting = client.events(next);
  const rows = await client.snapshots();
  await backup(3, rows[0]!.id);
  expect(await waiting).toEqual({ next: next + 1, changed: true });
});

test("a password change that a crash cut in two is finished at the next start", async () => {
  const account = await fixture.account("bert");
  const kdf = { suite: 1 as const, iterations: 600_000, salt: randomBytes(32) };
  const l = randomBytes(24);
  const stored = { ...kdf, salt: kdf.salt.toString("base64") };
  const notePending = async (): Promise<void> => {
    const { authenticator, catalog } = fixture.gateway;
    const loginHash = await authenticator.hasher.hash(l);
    catalog.accounts.update(account.id, (row) => ({ ...row, pendingLogin: { kdf: stored, loginHash } }));
  };
  // The crash came before any document was written: the old password stays.
  await notePending();
  await fixture.stop();
  await fixture.start();
  expect((await fixture.client().login("bert", account.l)).accountId).toBe(account.id);
  // The crash came after one: the new password is in force.
  await notePending();
  const document = withPassword(
    (await fixture.administration.keysDocuments("bert"))[0]!,
    account.opened.e,
    randomBytes(24),
    kdf,
  );
  await writeKeysDocument(fixture.gateway.vaultDirectory(account.vault), document);
  await fixture.stop();
  await fixture.start();
  expect((await fixture.client().login("bert", l)).accountId).toBe(account.id);
  await expect(fixture.client().login("bert", account.l)).rejects.toMatchObject({ code: "auth-failed" });
});
