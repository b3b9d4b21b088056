// Rotations at the gateway: what it takes, what it refuses, and what becomes of uploads and unlocked vaults.

import { randomBytes } from "node:crypto";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { expect, test } from "vitest";
import { secretsRequest } from "../../appliance/account/ownerKeys.ts";
import { writeKeysDocument } from "../../gateway/vaultDocuments.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { withDeviceWrap, withEscrow, withPassword } from "../../vault/keys/keysDocument.ts";
import { rotateKeys } from "../../vault/keys/rotation.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { limits } from "../../vault/limits.ts";
import { dataRecord, pageRecord, snapshotOf, type TestDevice } from "./gatewayFixture.ts";
import { all, conflict, KeysFixture } from "./keysFixture.ts";

const site = new KeysFixture();

/** The same device after its keys were fetched anew. */
function renewed(device: TestDevice, keys: VaultKeys): TestDevice {
  return { ...device, account: { ...device.account, keys } };
}

test("uploads in the older epoch are refused from then on, and the session goes on in the new one", async () => {
  const { client, vault } = site.laptop;
  const item = await client.putItem("files");
  const { session } = await client.startSession({ vault, item: item.id, highestSequence: 0 });
  const before = dataRecord(site.laptop);
  await client.records(session, [before.record]);
  const made = await site.rotated();
  expect(await site.keys.rotate(vault, { keysDocument: made.document })).toEqual({
    epoch: 2,
    generation: made.document.generation,
    devices: ["laptop", "desktop"],
    escrows: [],
    unlocked: "none",
  });
  expect(site.fixture.gateway.catalog.vaults.get(vault)?.keysGeneration).toBe(made.document.generation);

  const content = randomBytes(3000);
  const late = dataRecord(site.laptop, content);
  const refused = { code: ErrorCode.keysRotated, detail: { epoch: 2 } };
  await expect(client.records(session, [late.record])).rejects.toMatchObject(refused);
  expect(bitAt(await client.have(session, [before.id, late.id]), 1)).toBe(false);
  const now = renewed(site.laptop, new VaultKeys(made.secrets));
  const chunk = dataRecord(now, content);
  expect(chunk.id).toEqual(late.id);
  const root = pageRecord(now, [before.id, chunk.id]);
  await client.records(session, [chunk.record, root.record]);
  expect(bitAt(await client.have(session, [before.id]), 0)).toBe(true);
  const old = snapshotOf(site.laptop, item, 1, null, root.id);
  await expect(client.commit(session, old.bytes)).rejects.toMatchObject(refused);
  const object = snapshotOf(now, item, 1, null, root.id);
  const { snapshot } = await client.commit(session, object.bytes);
  expect((await site.fixture.gateway.vault(vault)).catalog.snapshot(snapshot)?.keyEpoch).toBe(2);
  // Of an epoch that nobody has made.
  const ahead = renewed(site.laptop, new VaultKeys(rotateKeys(made.document, site.account.r, all).secrets));
  const further = await client.startSession({ vault, item: item.id, highestSequence: 1 });
  await expect(client.records(further.session, [dataRecord(ahead).record])).rejects.toMatchObject({
    code: ErrorCode.corrupt,
  });
});

test("a document that gives or takes access, or does not follow, is refused, and nothing changes", async () => {
  const { keys } = site;
  const { vault } = site.account;
  await site.fixture.administration.revokeDevice(site.account.name, "desktop");
  const before = await site.current();
  const made = await site.rotated();
  const stranger = generateKeyPair();
  const refuse = async (document: unknown, error: object = conflict): Promise<void> => {
    await expect(keys.rotate(vault, { keysDocument: document })).rejects.toMatchObject(error);
    expect(await site.current()).toEqual(before);
  };
  const step = { generation: made.document.generation };
  const kept = made.document.wraps;
  await refuse({ ...made.document, wraps: kept.filter(({ kind }) => kind !== "device") });
  await refuse({ ...made.document, wraps: kept.filter(({ kind }) => kind !== "recovery") });
  await refuse({ ...withDeviceWrap(made.document, made.e, site.desktop.id, stranger.publicKey), ...step });
  const ofStranger = makeDeviceWrap(made.document, made.e, site.laptop.id, stranger.publicKey);
  await refuse({ ...made.document, wraps: [...kept.filter(({ kind }) => kind !== "device"), ofStranger] });
  const holder = {
    label: "legal",
    public: stranger.publicKey.toString("base64"),
    since: "2026-11-26T09:00:00Z",
  };
  await refuse({ ...withEscrow(made.document, made.e, holder), ...step });
  const kdf = { suite: 1 as const, iterations: 600_000, salt: randomBytes(32) };
  await refuse({ ...withPassword(made.document, made.e, site.account.r, kdf), ...step });
  await refuse({ ...made.document, generation: before.generation });
  await refuse({ ...made.document, generation: before.generation + 2 });
  await refuse({ ...made.document, epoch: 3 });
  await refuse({ ...before, ...step });
  await refuse({ ...made.document, vault: "0".repeat(32) }, { code: ErrorCode.usage });
  await refuse({ ...made.document, ring: "" }, { code: ErrorCode.corrupt });
  const secrets = secretsRequest(site.account.opened.secrets);
  await expect(keys.rotate(vault, { keysDocument: made.document, secrets })).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
  await expect(keys.rotate("0".repeat(32), { keysDocument: {} })).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });
  await keys.rotate(vault, { keysDocument: made.document });
  // It is the predecessor of none that was made of the one before.
  await expect(keys.rotate(vault, { keysDocument: made.document })).rejects.toMatchObject(conflict);
  expect(await site.lastEvents(3)).toEqual([
    ["vault.keys-rotated", "refused", "not-found"],
    ["vault.keys-rotated", "done", null],
    ["vault.keys-rotated", "refused", "sequence-conflict"],
  ]);
});

test("a document that nobody could read again is never written", async () => {
  const before = await site.current();
  const ring = Buffer.alloc(limits.documentBytesMax).toString("base64");
  const large = { ...before, generation: before.generation + 1, ring };
  const directory = site.fixture.gateway.vaultDirectory(site.account.vault);
  await expect(writeKeysDocument(directory, large)).rejects.toMatchObject({ code: ErrorCode.limitExceeded });
  expect(await readdir(join(directory, "keys"))).toHaveLength(before.generation);
});

test("an unlocked vault goes on with the new keys, or is locked; older keys do not unlock any more", async () => {
  const { vault } = site.account;
  const { administration, gateway } = site.fixture;
  await administration.unlock(vault, { ...secretsRequest(site.account.opened.secrets), forSeconds: 600 });
  const held = gateway.unlocked.keys(vault);
  const second = await site.rotated();
  const secrets = secretsRequest(second.secrets);
  const { unlocked } = await administration.keys.rotate(vault, { keysDocument: second.document, secrets });
  expect(unlocked).toBe("renewed");
  expect(gateway.unlocked.keys(vault)).toBe(held);
  expect(held.currentEpoch).toBe(2);
  expect(gateway.unlocked.list()[0]?.leftMs).toBeLessThanOrEqual(600_000);

  const third = await site.rotated();
  const { unlocked: without } = await administration.keys.rotate(vault, { keysDocument: third.document });
  expect(without).toBe("locked");
  expect(() => gateway.unlocked.keys(vault)).toThrow("locked");
  await expect(administration.unlock(vault, secrets)).rejects.toMatchObject(conflict);
  const foreign = { ...secretsRequest(third.secrets), epochs: { "3": "11".repeat(32) } };
  await expect(administration.unlock(vault, foreign)).rejects.toMatchObject({ code: ErrorCode.keyWrong });
  await administration.unlock(vault, secretsRequest(third.secrets));
  expect(gateway.unlocked.keys(vault).currentEpoch).toBe(3);
  expect((await site.lastEvents(1))[0]?.[0]).toBe("vault.locked");
});
