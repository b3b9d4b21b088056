// Invites at the gateway: who gets what with the token of one, once.

import { randomBytes } from "node:crypto";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { AuditAdministration } from "../../gateway/admin/auditOperations.ts";
import { auditedAdministration } from "../../gateway/audit/adminRules.ts";
import { byAdministrator } from "../../gateway/audit/audited.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { openWithDevice, parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import { rotateKeys } from "../../vault/keys/rotation.ts";
import { isProven } from "../../vault/keys/wraps.ts";
import { GatewayFixture, type TestAccount } from "./gatewayFixture.ts";
import { addInvite, InvitedMachine } from "./inviteFixture.ts";

let fixture: GatewayFixture;
let account: TestAccount;
let nowMs = Date.parse("2026-11-26T12:00:00Z");
const refused = (message: RegExp) => ({
  code: ErrorCode.tokenInvalid,
  message: expect.stringMatching(message),
});

beforeAll(async () => {
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
});
beforeEach(async ({ task }) => {
  account = await fixture.account(`anna ${task.id.replaceAll(/\W/g, "")}`);
});
afterAll(async () => {
  await fixture.remove();
});

const states = async (): Promise<string[]> =>
  (await fixture.administration.invites.list(account.name)).map(({ state }) => state);

test("an invite enrols one device, whose wrap is proven, and is of no use afterwards", async () => {
  const invite = await addInvite(fixture, account, { appendOnly: true, device: "till" });
  expect(await states()).toEqual(["open"]);
  const machine = new InvitedMachine(fixture, invite);
  const claimed = await machine.claim();
  expect(claimed).toMatchObject({
    ...{ account: account.name, isolated: false, appendOnly: true, device: "till", enrolled: false },
    vaults: [{ id: account.vault, keys: { wraps: [] } }],
  });
  expect(await states()).toEqual(["claimed"]);
  const answer = await machine.enroll("another name", machine.wraps(claimed));
  expect(answer).toMatchObject({ id: machine.id, group: 2, vault: account.vault });
  expect(fixture.gateway.catalog.devices.get(machine.id)).toMatchObject({ name: "till", appendOnly: true });

  const { keys } = await fixture.gateway.vault(account.vault);
  const wrap = keys.wraps.find(({ kind }) => kind === "device")!;
  expect(isProven(keys, account.opened.e, wrap)).toBe(true);
  const device = fixture.client(answer.token);
  const document = parseKeysDocument(await device.keysDocument(account.vault));
  const { privateKey, publicKey } = machine.pair;
  expect(openWithDevice(document, machine.id, privateKey, publicKey).e).toEqual(account.opened.e);

  const [row] = fixture.gateway.catalog.invites.list(account.id);
  expect(row).toMatchObject({ boxes: {}, used: new Date(nowMs).toISOString() });
  const late = new InvitedMachine(fixture, invite);
  await expect(late.claim()).rejects.toMatchObject(refused(/was used by device till, at 2026-/));
  await expect(late.enroll("x", {})).rejects.toMatchObject(refused(/was used by device till/));
  // Refusals are written within a second.
  const audit = new AuditAdministration(fixture.gateway);
  await expect
    .poll(async () => (await audit.list({ after: 0, limit: 1000 })).entries)
    .toContainEqual(
      expect.objectContaining({
        event: "token.refused",
        subject: expect.objectContaining({ invite: invite.id }),
      }),
    );
  const [listed] = await fixture.administration.invites.list(account.name);
  expect(listed).toMatchObject({ state: "used", enrolled: "till" });
});

test("of machines that race with one file, one has it, and it alone may ask again", async () => {
  const invite = await addInvite(fixture, account);
  const machines = Array.from({ length: 8 }, () => new InvitedMachine(fixture, invite));
  const outcomes = await Promise.allSettled(machines.map((machine) => machine.claim()));
  const winners = machines.filter((_, index) => outcomes[index]?.status === "fulfilled");
  expect(winners).toHaveLength(1);
  for (const outcome of outcomes.filter(({ status }) => status === "rejected"))
    expect(outcome).toMatchObject({ reason: refused(/is being used by another machine/) });

  // The gateway stops with the claim: it is durable.
  await fixture.stop();
  await fixture.start();
  const winner = winners[0]!;
  const loser = machines.find((machine) => machine !== winner)!;
  await expect(loser.claim()).rejects.toMatchObject(refused(/being used by another/));
  const claimed = await winner.claim();
  await expect(loser.enroll("thief", winner.wraps(claimed))).rejects.toMatchObject(refused(/another/));
  const first = await winner.enroll("laptop", winner.wraps(claimed));

  // The answer was lost: the same machine asks on, gets another token, and the first one ends.
  expect(await winner.claim()).toMatchObject({ enrolled: true, vaults: [] });
  const second = await winner.enroll("laptop", {});
  expect(second).toEqual({ ...first, token: expect.not.stringContaining(first.token) });
  await expect(fixture.client(first.token).me()).rejects.toMatchObject({ code: ErrorCode.tokenInvalid });
  expect((await fixture.client(second.token).me()).device?.name).toBe("laptop");
  await expect(loser.enroll("laptop", {})).rejects.toMatchObject(refused(/was used by device laptop/));
  nowMs += 3_600_000;
  await expect(winner.enroll("laptop", {})).rejects.toMatchObject(refused(/was good until/));
  nowMs -= 3_600_000;
  await fixture.administration.revokeDevice(account.name, "laptop");
  await expect(winner.enroll("laptop", {})).rejects.toMatchObject(refused(/its device was revoked/));
});

test("time, revocation, and a rotation end it, by the gateway's clock and at each step", async () => {
  const { administration, gateway } = fixture;
  const [late, revoked, rotated] = [
    await addInvite(fixture, account, { expiresInSeconds: 60 }),
    await addInvite(fixture, account),
    await addInvite(fixture, account),
  ];
  const machine = new InvitedMachine(fixture, late);
  const claimed = await machine.claim();
  nowMs += 60_000;
  await expect(machine.enroll("a", machine.wraps(claimed))).rejects.toMatchObject(refused(/was good until/));
  await expect(machine.claim()).rejects.toMatchObject(refused(/was good until/));
  const listed = await administration.invites.list(account.name);
  expect(listed.find(({ id }) => id === late.id)).toMatchObject({ state: "expired" });
  expect(gateway.catalog.invites.list(account.id).find(({ id }) => id === late.id)?.boxes).toEqual({});

  const other = new InvitedMachine(fixture, revoked);
  const wraps = other.wraps(await other.claim());
  const gone = await administration.invites.revoke(account.name, revoked.id.slice(0, 8));
  expect(gone).toMatchObject([{ id: revoked.id, state: "revoked", claimed: expect.any(String) }]);
  await expect(other.enroll("b", wraps)).rejects.toMatchObject(refused(/was revoked at/));
  await expect(administration.invites.revoke(account.name, revoked.id)).rejects.toMatchObject({
    code: ErrorCode.notFound,
  });

  const third = new InvitedMachine(fixture, rotated);
  const old = third.wraps(await third.claim());
  const { keys } = await gateway.vault(account.vault);
  const { document } = rotateKeys(keys, account.r, () => true);
  await administration.keys.rotate(account.vault, { keysDocument: document });
  await expect(third.enroll("c", old)).rejects.toMatchObject({ code: ErrorCode.sequenceConflict });
  await expect(third.claim()).rejects.toMatchObject(refused(/before the account's keys were rotated/));
  await expect(addInvite(fixture, account)).rejects.toMatchObject({ code: ErrorCode.sequenceConflict });
  expect(gateway.catalog.devices.list(account.id)).toEqual([]);
  expect((await gateway.vault(account.vault)).keys.wraps.map(({ kind }) => kind).sort()).toEqual([
    "password",
    "recovery",
  ]);
  expect(await administration.invites.revoke(account.name, null)).toMatchObject([{ id: rotated.id }]);

  // What ended long ago is forgotten.
  nowMs += 91 * 86_400_000;
  expect(await administration.invites.list(account.name)).toEqual([]);
});

test("a name that is taken leaves the invite with its machine", async () => {
  await fixture.device(account, "laptop");
  const machine = new InvitedMachine(fixture, await addInvite(fixture, account));
  const claimed = await machine.claim();
  await expect(machine.enroll("laptop", machine.wraps(claimed))).rejects.toMatchObject({
    code: ErrorCode.exists,
  });
  const again = await machine.claim();
  expect(await machine.enroll("laptop 2", machine.wraps(again))).toMatchObject({ id: machine.id });
});

test("a disabled account's invites wait; a token that is none, or of another kind, opens nothing", async () => {
  const invite = await addInvite(fixture, account);
  const machine = new InvitedMachine(fixture, invite);
  await fixture.administration.setDisabled(account.name, true);
  await expect(machine.claim()).rejects.toMatchObject({ code: ErrorCode.accountDisabled });
  await fixture.administration.setDisabled(account.name, false);
  const stranger = new InvitedMachine(fixture, { ...invite, token: `hfv_${"A".repeat(43)}` });
  await expect(stranger.claim()).rejects.toMatchObject({ code: ErrorCode.tokenInvalid });
  const { token } = await fixture.device(account, "laptop");
  await expect(new InvitedMachine(fixture, { ...invite, token }).claim()).rejects.toMatchObject({
    code: ErrorCode.tokenInvalid,
  });
  await expect(fixture.client(invite.token).me()).rejects.toMatchObject({ code: ErrorCode.tokenInvalid });
  // Wraps for another account's vault.
  const other = await fixture.account("somebody else");
  const claimed = await machine.claim();
  const wraps = Object.fromEntries(Object.values(machine.wraps(claimed)).map((wrap) => [other.vault, wrap]));
  await expect(machine.enroll("laptop 2", wraps)).rejects.toMatchObject({ code: ErrorCode.notFound });
});

test("what is asked for wrongly adds nothing", async () => {
  const { invites } = fixture.administration;
  const add = (wish: object) => addInvite(fixture, account, wish);
  await expect(add({ expiresInSeconds: 59 })).rejects.toMatchObject({ code: ErrorCode.usage });
  await expect(add({ expiresInSeconds: 91 * 86_400 })).rejects.toMatchObject({ code: ErrorCode.usage });
  await expect(add({ device: "../x" })).rejects.toMatchObject({ code: ErrorCode.usage });
  const one = { id: "ab".repeat(16), tokenHash: "cd".repeat(32) };
  const wish = {
    expiresInSeconds: 60,
    isolated: false,
    appendOnly: false,
    device: null,
    takeOver: null,
    fleet: null,
  };
  const given = (boxes: object) =>
    invites.add(account.name, { ...wish, invites: [{ ...one, ...boxes }] as never });
  await expect(given({ boxes: {} })).rejects.toMatchObject({ code: ErrorCode.usage });
  const box = randomBytes(20).toString("base64");
  await expect(given({ boxes: { [account.vault]: { epoch: 1, box } } })).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
  expect(await states()).toEqual([]);
});

test("each step is in the audit log", async () => {
  const { administration, gateway } = fixture;
  const audited = auditedAdministration(administration, byAdministrator(gateway.audit));
  const invite = await addInvite({ gateway, administration: audited } as never, account);
  const machine = new InvitedMachine(fixture, invite);
  await machine.enroll("laptop", machine.wraps(await machine.claim()));
  const { entries } = await new AuditAdministration(gateway).list({ after: 0, limit: 1000 });
  const told = entries.slice(-3).map(({ event, actor, subject }) => ({ event, actor, subject }));
  const byInvite = { kind: "invite", account: account.name, id: invite.id };
  expect(told).toMatchObject([
    { event: "invite.made", subject: { account: account.name, count: 1, invites: [invite.id] } },
    { event: "invite.claimed", actor: byInvite, subject: { id: machine.id, enrolled: false } },
    { event: "device.enrolled", actor: byInvite, subject: { device: "laptop", id: machine.id } },
  ]);
});
