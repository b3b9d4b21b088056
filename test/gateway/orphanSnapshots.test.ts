// What a crash between a snapshot's file and its transaction leaves, and what the next start does with it.

import { randomBytes } from "node:crypto";
import { readdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { toHex } from "../../vault/bytes.ts";
import { GatewayFixture, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let device: TestDevice;
let folder: string;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  device = await fixture.device(await fixture.account("anna"), "laptop");
  folder = join(fixture.path, "vaults", device.vault, "snapshots");
});
afterEach(async () => {
  await fixture.remove();
});

async function restart(): Promise<void> {
  await fixture.stop();
  await fixture.start();
  // Vaults are opened when they are first asked for.
  await fixture.gateway.vault(device.vault);
  device = { ...device, client: fixture.client(device.token) };
}

/** Uploads a root and makes the snapshot of it that comes next; does not commit it. */
async function prepared() {
  const item = await device.client.putItem("files");
  const { session } = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: item.sequence,
  });
  const root = pageRecord(device, [], `page ${item.sequence}`);
  await device.client.records(session, [root.record]);
  return { session, snapshot: snapshotOf(device, item, item.sequence + 1, item.head, root.id) };
}

/** Leaves a snapshot's file as a commit does that was killed before its transaction. */
async function orphan(): Promise<{ session: string; name: string; bytes: Buffer }> {
  const { session, snapshot } = await prepared();
  const name = toHex(snapshot.id);
  await writeFile(join(folder, name), snapshot.bytes);
  return { session, name, bytes: snapshot.bytes };
}

async function committed(): Promise<string> {
  const { session, snapshot } = await prepared();
  return (await device.client.commit(session, snapshot.bytes)).snapshot;
}

test("an orphan stays as long as its commit may be repeated, and goes when the item has moved on", async () => {
  const first = await committed();
  const left = await orphan();
  await restart();
  expect((await readdir(folder)).sort()).toEqual([first, left.name].sort());
  expect((await device.client.snapshots()).map(({ id }) => id)).toEqual([first]);

  const second = await committed();
  await restart();
  expect((await readdir(folder)).sort()).toEqual([first, second].sort());
  const rows = await device.client.snapshots();
  expect(rows.map(({ id }) => id)).toEqual([second, first]);
});

test("the repeated commit takes the orphan in", async () => {
  const left = await orphan();
  await restart();
  expect((await device.client.commit(left.session, left.bytes)).snapshot).toBe(left.name);
  await restart();
  expect(await device.client.snapshotObject(left.name)).toEqual(left.bytes);
});

test("a commit whose transaction fails keeps its file, shows nothing, and can be repeated", async () => {
  const { session, snapshot } = await prepared();
  const name = toHex(snapshot.id);
  const vault = await fixture.gateway.vault(device.vault);
  const row = fixture.gateway.catalog.devices.get(device.id)!;
  const { item } = vault.catalog.leases.session(session)!;
  const committing = vault.commit(session, row, snapshot.bytes);
  // The lease was looked at by now, and the file needs several turns of the event loop.
  const taken = new Promise<string>((resolve) => {
    setImmediate(() => resolve(vault.startSession(item).session));
  });
  await expect(committing).rejects.toMatchObject({ code: "session-ended" });
  expect(await readdir(folder)).toEqual([name]);
  expect(await device.client.snapshots()).toEqual([]);
  expect((await device.client.commit(await taken, snapshot.bytes)).snapshot).toBe(name);
  await restart();
  expect(await readdir(folder)).toEqual([name]);
  expect(await device.client.snapshotObject(name)).toEqual(snapshot.bytes);
});

test("what is half written goes; what is not understood, or of an item that is not known, stays", async () => {
  const first = await committed();
  const bytes = await readFile(join(folder, first));
  const stranger = snapshotOf(device, { id: toHex(randomBytes(16)) }, 1, null, randomBytes(32));
  const kept: readonly (readonly [string, Uint8Array])[] = [
    ["notes.txt", Buffer.from("mine")],
    [toHex(stranger.id), stranger.bytes],
    // Sound bytes under a name that is not theirs, and a name of nothing.
    [toHex(randomBytes(32)), bytes],
    [toHex(randomBytes(32)), Buffer.alloc(0)],
  ];
  for (const [name, content] of kept) await writeFile(join(folder, name), content);
  await writeFile(join(folder, `${first}.tmp`), bytes.subarray(0, 50));
  await restart();
  expect((await readdir(folder)).sort()).toEqual([first, ...kept.map(([name]) => name)].sort());
  expect(await device.client.snapshotObject(first)).toEqual(bytes);
});

test("a folder that cannot be listed is a clear failure, and the vault opens again when it is back", async () => {
  await fixture.stop();
  await rename(folder, `${folder}-away`);
  await fixture.start();
  await expect(fixture.gateway.vault(device.vault)).rejects.toMatchObject({ code: "io-error" });
  await rename(`${folder}-away`, folder);
  await fixture.gateway.vault(device.vault);
});
