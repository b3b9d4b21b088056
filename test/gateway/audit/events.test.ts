// What a real gateway notes of what is done to it, and what it never notes.

import { randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditAdministration } from "../../../gateway/admin/auditOperations.ts";
import { PeerAdministration } from "../../../gateway/admin/peerOperations.ts";
import { auditedAdministration, auditedPeers } from "../../../gateway/audit/adminRules.ts";
import { byAdministrator } from "../../../gateway/audit/audited.ts";
import type { AuditEntry } from "../../../gateway/audit/entry.ts";
import { PresentedPassword } from "../../../gateway/auth/presentedPassword.ts";
import { exportGatewayPart, parseGatewayPart } from "../../../gateway/replica/gatewayState/gatewayPart.ts";
import { toHex } from "../../../vault/bytes.ts";
import { dataRecord, GatewayFixture, newAccount, pageRecord, snapshotOf } from "../gatewayFixture.ts";

let fixture: GatewayFixture;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
});
afterEach(async () => {
  await fixture.remove();
});

const administrator = () => {
  const by = byAdministrator(fixture.gateway.audit);
  return {
    operations: auditedAdministration(fixture.administration, by),
    peers: auditedPeers(new PeerAdministration(fixture.gateway), by),
  };
};

async function entries(event?: string): Promise<readonly AuditEntry[]> {
  const query = { after: 0, limit: 1000, ...(event !== undefined && { event }) };
  return (await new AuditAdministration(fixture.gateway).list(query)).entries;
}

test("what is done is noted with who, where and to what, and no secret is in it", async () => {
  const { operations, peers } = administrator();
  const secrets: string[] = [];
  const { request, l, r, opened } = newAccount("anna");
  secrets.push(request.l, request.metadataKey, toHex(l), toHex(r), toHex(opened.e));
  await operations.addAccount(request);
  await expect(operations.addAccount(request)).rejects.toThrow();
  const made = await operations.addAppPassword("anna", { label: "phone" });
  const peer = await peers.addPeer({ name: "far", quotaBytes: null, holdSeconds: 60 });
  secrets.push(made.password, made.password.replaceAll("-", ""), peer.token);
  await expect(operations.revokeAppPassword("anna", made.password)).rejects.toThrow();
  await operations.revokeAppPassword("anna", made.id);
  const client = fixture.client();
  const { token } = await client.login("anna", l);
  const wrong = randomBytes(24);
  await expect(client.login("anna", wrong)).rejects.toThrow();
  await expect(fixture.client(`hfd_${"a".repeat(43)}`).me()).rejects.toThrow();
  secrets.push(token, wrong.toString("base64"), `hfd_${"a".repeat(43)}`);
  await operations.setDisabled("anna", true);
  const events = (await entries()).map(({ event, outcome, code, actor }) => [
    event,
    outcome,
    code,
    actor.kind,
  ]);
  expect(events).toEqual([
    ["log.begun", "done", null, "gateway"],
    ["account.added", "done", null, "administrator"],
    ["account.added", "refused", "exists", "administrator"],
    ["app-password.made", "done", null, "administrator"],
    ["peer.added", "done", null, "administrator"],
    ["app-password.revoked", "refused", "not-found", "administrator"],
    ["app-password.revoked", "done", null, "administrator"],
    ["login.accepted", "done", null, "account"],
    ["login.refused", "refused", "auth-failed", "unknown"],
    ["token.refused", "refused", "token-invalid", "unknown"],
    ["account.disabled", "done", null, "administrator"],
  ]);
  const [refused] = await entries("login.refused");
  expect(refused).toMatchObject({ address: "127.0.0.1", subject: { account: "anna" } });
  const text = readFileSync(`${fixture.path}/audit/00000001.jsonl`, "utf8");
  for (const secret of secrets) expect(text).not.toContain(secret);
});

test("an enrolment is durable before it is answered; app passwords are noted by address, wrong ones too", async () => {
  const anna = await fixture.account("anna");
  const device = await fixture.device(anna, "laptop", true);
  const [enrolled] = await entries("device.enrolled");
  expect(enrolled).toMatchObject({
    actor: { kind: "account", account: "anna" },
    subject: { device: "laptop", id: device.id, isolated: true },
  });
  const { id, password } = await fixture.administration.addAppPassword("anna", { label: "phone" });
  const show = (text: string, address: string) =>
    fixture.gateway.appPasswords.authenticate(new PresentedPassword("anna", text), address);
  for (const address of ["192.0.2.1", "192.0.2.1", "192.0.2.2"]) show(password, address);
  expect(() => show("my account's password", "192.0.2.1")).toThrow();
  expect(
    (await entries("app-password")).map(({ event, address, actor }) => [event, address, actor.id]),
  ).toEqual([
    ["app-password.new-address", "192.0.2.1", id],
    ["app-password.new-address", "192.0.2.2", id],
    ["app-password.refused", "192.0.2.1", undefined],
  ]);
});

test("reading is noted as it begins and ends, and a backup's only at its end", async () => {
  const anna = await fixture.account("anna");
  const device = await fixture.device(anna, "laptop");
  const data = dataRecord(device);
  const root = pageRecord(device, [data.id]);
  const item = await device.client.putItem("files");
  const started = { vault: device.vault, item: item.id, highestSequence: 0 };
  const { session } = await device.client.startSession(started);
  await device.client.records(session, [data.record, root.record]);
  const read = async () => {
    for await (const record of device.client.read(device.vault, device.group, [data.id]))
      expect(record).toBeDefined();
  };
  await read();
  const { snapshot } = await device.client.commit(session, snapshotOf(device, item, 1, null, root.id).bytes);
  expect(await entries("content")).toEqual([]);
  fixture.gateway.audit.reads.close();
  await device.client.snapshotObject(snapshot);
  await read();
  fixture.gateway.audit.reads.close();
  const noted = (await entries("content.read")).map(({ subject }) => subject);
  expect(noted).toMatchObject([
    { phase: "ended", requests: 1, records: 1, snapshots: [] },
    { phase: "begun", snapshot },
    { phase: "ended", requests: 2, records: 1, snapshots: [snapshot] },
  ]);
});

test("the sealed catalog names the head; one of before reads as none", async () => {
  const { gateway } = fixture;
  await gateway.audit.record({ event: "log.lost", outcome: "done", actor: { kind: "gateway" }, subject: {} });
  const { identity } = gateway.dataDir;
  const text = exportGatewayPart(identity, gateway.catalog, "ab".repeat(16), gateway.audit.head);
  expect(parseGatewayPart(text, identity.id).audit).toEqual(gateway.audit.head);
  const { audit, ...before } = JSON.parse(text.toString()) as Record<string, unknown>;
  expect(audit).toBeDefined();
  expect(parseGatewayPart(Buffer.from(JSON.stringify(before)), identity.id).audit).toBeNull();
});
