// A new machine in the place of an old one: what stays, what ends, and what keeps it out.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import type { BoxRow } from "../../gateway/catalog/boxes.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { generateKeyPair } from "../../vault/keys/box.ts";
import { openWithDevice, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { makeDeviceWrap } from "../../vault/keys/wraps.ts";
import { dataRecord, GatewayFixture, type TestAccount, type TestDevice } from "./gatewayFixture.ts";
import { addInvite, InvitedMachine } from "./inviteFixture.ts";
import { commitOn } from "./seed/boxFixture.ts";

let fixture: GatewayFixture;
let account: TestAccount;
let old: TestDevice;
const gone = { code: ErrorCode.tokenInvalid };

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
beforeEach(async ({ task }) => {
  account = await fixture.account(`anna ${task.id.replaceAll(/\W/g, "")}`);
  old = await fixture.device(account, "laptop", true);
});
afterAll(async () => {
  await fixture.remove();
});

async function takeOver(id: string, pair = generateKeyPair()) {
  const anonymous = fixture.client();
  const person = anonymous.withToken((await anonymous.login(account.name, account.l)).token);
  const document = parseKeysDocument(await person.keysDocument(account.vault));
  const wrap = makeDeviceWrap(document, account.opened.e, id, pair.publicKey);
  return await person.enroll({
    ...{ id, name: "whatever", publicKey: wrap.public, isolated: false, takeOver: true },
    wraps: { [account.vault]: { generation: document.generation, box: wrap.box, proof: wrap.proof! } },
  });
}

test("the device goes on with all that it had, and its former machine is out, its upload too", async () => {
  const { snapshot } = await commitOn(old.client, old, "files");
  const item = await old.client.putItem("files");
  const session = await old.client.startSession({ vault: old.vault, item: item.id, highestSequence: 1 });
  const pair = generateKeyPair();
  const answer = await takeOver(old.id, pair);
  expect(answer).toEqual({ id: old.id, group: old.group, vault: old.vault, token: expect.any(String) });
  await expect(old.client.me()).rejects.toMatchObject(gone);
  await expect(old.client.records(session.session, [dataRecord(old).record])).rejects.toMatchObject(gone);

  const now = fixture.client(answer.token);
  expect((await now.me()).device).toEqual({ id: old.id, name: "laptop", group: old.group });
  await expect(now.records(session.session, [dataRecord(old).record])).rejects.toMatchObject({
    code: ErrorCode.sessionEnded,
  });
  expect(await now.putItem("files")).toEqual({ ...item, head: snapshot, sequence: 1 });
  const document = parseKeysDocument(await now.keysDocument(old.vault));
  expect(openWithDevice(document, old.id, pair.privateKey, pair.publicKey).e).toEqual(account.opened.e);
  expect(document.wraps.filter(({ kind }) => kind === "device")).toHaveLength(1);
  expect(fixture.gateway.catalog.devices.list(account.id)).toMatchObject([
    { isolated: true, revoked: false },
  ]);

  // And it holds over a restart.
  await fixture.stop();
  await fixture.start();
  await expect(fixture.client(old.token).me()).rejects.toMatchObject(gone);
  expect((await fixture.client(answer.token).me()).device?.id).toBe(old.id);
});

test("a revoked device can be taken over while its name is free, within the account's quota", async () => {
  const { administration } = fixture;
  await administration.revokeDevice(account.name, "laptop");
  const other = await fixture.device(account, "laptop");
  await expect(takeOver(old.id)).rejects.toMatchObject({ code: ErrorCode.exists });
  await administration.revokeDevice(account.name, other.id);
  await administration.setQuota(account.name, { bytes: null, devices: 0 });
  await expect(takeOver(old.id)).rejects.toMatchObject({ code: ErrorCode.quotaExceeded });
  await administration.setQuota(account.name, { bytes: null, devices: 1 });
  const { token } = await takeOver(old.id);
  expect((await fixture.client(token).me()).device?.name).toBe("laptop");
  await expect(fixture.device(account, "laptop")).rejects.toMatchObject({ code: ErrorCode.exists });
  await administration.revokeDevice(account.name, "laptop");
  await expect(fixture.client(token).me()).rejects.toMatchObject(gone);
});

test("by an invite: once, with the rights that the device had; who took over first does not come back", async () => {
  const append = await fixture.device(account, "till", false, true);
  const wish = { takeOver: append.id };
  const invites = [await addInvite(fixture, account, wish), await addInvite(fixture, account, wish)] as const;
  const [first, second] = invites.map((invite) => new InvitedMachine(fixture, invite, append.id));
  await expect(new InvitedMachine(fixture, invites[0]).claim()).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
  const claimed = await first!.claim();
  expect(claimed).toMatchObject({ device: "till", takeOver: append.id, appendOnly: true });
  // Claimed is not taken over: the old machine works on.
  expect((await append.client.me()).device?.name).toBe("till");
  await first!.enroll("x", first!.wraps(claimed));
  await expect(append.client.me()).rejects.toMatchObject(gone);
  const { token } = await second!.enroll("x", second!.wraps(await second!.claim()));
  await expect(first!.enroll("x", {})).rejects.toMatchObject({
    ...gone,
    message: expect.stringContaining("taken over since"),
  });
  const now = fixture.client(token);
  expect((await now.me()).device).toEqual({ id: append.id, name: "till", group: append.group });
  await expect(now.devices()).rejects.toMatchObject({ code: ErrorCode.forbidden });
});

test("what is not this account's device cannot be taken over, nor by a device, nor without its own vault", async () => {
  const other = await fixture.account(`other ${account.name.slice(5)}`);
  const theirs = await fixture.device(other, "laptop");
  await expect(takeOver(theirs.id)).rejects.toMatchObject({ code: ErrorCode.notFound });
  await expect(takeOver(randomBytes(16).toString("hex"))).rejects.toMatchObject({ code: ErrorCode.notFound });
  const request = { id: old.id, name: "laptop", publicKey: generateKeyPair().publicKey.toString("base64") };
  const bare = { ...request, isolated: false, takeOver: true, wraps: {} };
  await expect(old.client.enroll(bare)).rejects.toMatchObject({ code: ErrorCode.forbidden });
  const anonymous = fixture.client();
  const person = anonymous.withToken((await anonymous.login(account.name, account.l)).token);
  await expect(person.enroll(bare)).rejects.toMatchObject({ code: ErrorCode.usage });
  await expect(addInvite(fixture, account, { takeOver: theirs.id })).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });
  expect((await old.client.me()).device?.name).toBe("laptop");
});

test("not while a box has the account on board: what it brings names the device by the token that it knows", async () => {
  const row: BoxRow = {
    ...{ number: 3, id: "ab".repeat(16), name: "box 3" },
    ...({ kind: "seed", state: "sealed" } as const),
    ...{ created: "2026-11-26T00:00:00.000Z", accounts: [{ account: account.id, devices: null }] },
    ...{
      signer: "cd".repeat(32),
      tokenHash: "ef".repeat(32),
      fingerprint: "SHA256:00",
      urls: [],
      seal: null,
    },
  } as const;
  fixture.gateway.catalog.boxes.add(row);
  const refused = { code: ErrorCode.forbidden, message: expect.stringContaining("box 3") };
  await expect(takeOver(old.id)).rejects.toMatchObject(refused);
  await expect(addInvite(fixture, account, { takeOver: old.id })).rejects.toMatchObject(refused);
  expect((await old.client.me()).device?.name).toBe("laptop");
});
