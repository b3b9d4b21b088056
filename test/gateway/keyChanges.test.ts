// Rotations beside whatever else changes the keys of an account, and escrow keys.

import { randomBytes } from "node:crypto";
import { expect, test } from "vitest";
import { writeKeysDocument } from "../../gateway/vaultDocuments.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import {
  createKeysDocument,
  openWithPassword,
  parseKeysDocument,
  passwordKdf,
  withEscrow,
  withPassword,
} from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import { rotateKeys } from "../../vault/keys/rotation.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { createVaultDocument } from "../../vault/vaultDocument.ts";
import { all, conflict, KeysFixture } from "./keysFixture.ts";

const site = new KeysFixture();

const escrowsListed = async () =>
  (await site.fixture.administration.accounts()).find(({ id }) => id === site.account.id)?.escrows;

test("an enrolment beside a rotation wraps again, and no device that is there is left out", async () => {
  const { vault } = site.account;
  const anonymous = site.fixture.client();
  const { token } = await anonymous.login(site.account.name, site.account.l);
  const person = anonymous.withToken(token);
  const pair = generateKeyPair();
  const id = "ab".repeat(16);
  const before = parseKeysDocument(await person.keysDocument(vault));
  const enrollment = (document: KeysDocument, e: Uint8Array) => ({
    ...{ id, name: "phone", publicKey: pair.publicKey.toString("base64"), isolated: false },
    wraps: {
      [vault]: {
        generation: document.generation,
        box: makeDeviceWrap(document, e, id, pair.publicKey).box,
      },
    },
  });
  const made = await site.rotated();
  await site.fixture.administration.keys.rotate(vault, { keysDocument: made.document });
  await expect(person.enroll(enrollment(before, site.account.opened.e))).rejects.toMatchObject(conflict);
  const early = await site.rotated();
  await person.enroll(enrollment(made.document, made.e));
  // Made before the phone was there.
  await expect(
    site.fixture.administration.keys.rotate(vault, { keysDocument: early.document }),
  ).rejects.toMatchObject(conflict);
  const grown = { ...early.document, generation: early.document.generation + 1 };
  await expect(site.fixture.administration.keys.rotate(vault, { keysDocument: grown })).rejects.toMatchObject(
    conflict,
  );
  const late = await site.rotated();
  const { devices } = await site.fixture.administration.keys.rotate(vault, { keysDocument: late.document });
  expect(devices).toEqual(["laptop", "desktop", "phone"]);
});

test("a new password beside a rotation of one of two vaults changes neither", async () => {
  const { administration } = site.fixture;
  const [main] = await administration.keysDocuments(site.account.name);
  const archive = "cd".repeat(16);
  const made = createKeysDocument({
    ...{ vaultId: archive, accountId: site.account.id, r: site.account.r, kdf: passwordKdf(main!)! },
    recoveryPublic: generateKeyPair().publicKey,
  });
  await administration.createVault(site.account.name, {
    vaultDocument: createVaultDocument({
      ...{ id: archive, account: site.account.id, name: "archive", created: new Date().toISOString() },
    }),
    keysDocument: made.document,
    metadataKey: new VaultKeys(made.secrets).metadataKey.toString("base64"),
  });
  const kdf = { suite: 1 as const, iterations: 600_000, salt: randomBytes(32) };
  const r = randomBytes(24);
  const documents = await administration.keysDocuments(site.account.name);
  const keysDocuments = documents.map((document) =>
    withPassword(document, document.vault === archive ? made.e : site.account.opened.e, r, kdf),
  );
  // The one that is written last.
  const next = rotateKeys(made.document, site.account.r, all);
  await administration.keys.rotate(archive, { keysDocument: next.document });
  const before = await administration.keysDocuments(site.account.name);
  const stored = { ...kdf, salt: kdf.salt.toString("base64") };
  await expect(
    administration.changePassword(site.account.name, {
      ...{ kdf: stored, l: randomBytes(24).toString("base64"), keysDocuments },
    }),
  ).rejects.toMatchObject(conflict);
  expect(await administration.keysDocuments(site.account.name)).toEqual(before);
  expect(site.fixture.gateway.catalog.accounts.get(site.account.id)?.pendingLogin).toBeUndefined();
  await site.fixture.client().login(site.account.name, site.account.l);
});

test("a rotation that was durable and not answered counts after a restart", async () => {
  const made = await site.rotated();
  const directory = site.fixture.gateway.vaultDirectory(site.account.vault);
  await site.fixture.stop();
  // What a kill leaves between the rename and the catalog's transaction.
  await writeKeysDocument(directory, made.document);
  await site.fixture.start();
  expect(await site.current()).toEqual(made.document);
  expect(site.fixture.gateway.catalog.vaults.get(site.account.vault)?.keysGeneration).toBeLessThan(
    made.document.generation,
  );
  // Whoever changes it next goes on from it.
  await site.fixture.administration.revokeDevice(site.account.name, "desktop");
  expect((await site.current()).epoch).toBe(2);
});

test("escrow keys come and go by their owner's hand, and are seen by every device and administrator", async () => {
  const { keys } = site;
  const { vault } = site.account;
  const escrow = generateKeyPair();
  const publicKey = escrow.publicKey.toString("base64");
  const holder = { label: "legal", public: publicKey, since: "2026-11-26T09:00:00Z" };
  const server = await site.fixture.device(site.account, "server", true, true);
  const with1 = withEscrow(await site.current(), site.account.opened.e, holder);
  // Not with a wrap more, or less, or another ring.
  for (const wrong of [
    { ...with1, wraps: with1.wraps.filter(({ kind }) => kind !== "device") },
    { ...with1, wraps: [...with1.wraps.slice(0, -1), { ...with1.wraps.at(-1), kind: "recovery" }] },
    { ...with1, ring: (await site.rotated()).document.ring },
    await site.current(),
  ]) {
    await expect(keys.addEscrow(vault, wrong)).rejects.toThrow();
  }
  expect(await keys.addEscrow(vault, with1)).toEqual({
    ...{ label: "legal", public: publicKey },
    generation: with1.generation,
  });
  expect(await escrowsListed()).toEqual([holder]);
  const seen = parseKeysDocument(await server.client.keysDocument(vault));
  expect(seen.wraps.map(({ kind }) => kind)).toEqual(["device", "escrow"]);

  const made = await site.rotated();
  expect(await keys.rotate(vault, { keysDocument: made.document })).toMatchObject({ escrows: ["legal"] });
  const gone = await site.rotated((wrap) => wrap.kind !== "escrow");
  await expect(
    keys.removeEscrow(vault, randomBytes(32).toString("base64"), { keysDocument: gone.document }),
  ).rejects.toMatchObject({ code: ErrorCode.notFound });
  await expect(keys.rotate(vault, { keysDocument: gone.document })).rejects.toMatchObject(conflict);
  expect(await keys.removeEscrow(vault, publicKey, { keysDocument: gone.document })).toMatchObject({
    ...{ epoch: 3, escrows: [] },
  });
  expect(await escrowsListed()).toEqual([]);
  expect(openWithPassword(await site.current(), site.account.r).secrets.epochs.size).toBe(3);
  expect(await site.lastEvents(5)).toEqual([
    ["escrow.added", "done", null],
    ["vault.keys-rotated", "done", null],
    ["escrow.removed", "refused", "not-found"],
    ["vault.keys-rotated", "refused", "sequence-conflict"],
    ["escrow.removed", "done", null],
  ]);
});
