// A box asks for the codes that its datacentre asks for, and its audit log tells a thief of the disk nothing.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { AuditAdministration } from "../../../gateway/admin/auditOperations.ts";
import { codeOf, stepAt } from "../../../gateway/auth/totp.ts";
import { secretOf } from "../auth/authenticator.ts";
import { GatewayFixture, type TestAccount } from "../gatewayFixture.ts";
import { makeBox, type OpenBox } from "./boxFixture.ts";

let datacentre: GatewayFixture;
let anna: TestAccount;
let box: OpenBox;
let secret: Buffer;

beforeAll(async () => {
  datacentre = await GatewayFixture.create();
  anna = await datacentre.account("anna");
  await datacentre.device(anna, "laptop");
  const { administration } = datacentre;
  secret = secretOf((await administration.totp.begin("anna")).uri);
  await administration.totp.confirm("anna", codeOf(secret, stepAt(Date.now())));
  const directory = join(datacentre.path, "..", "box");
  box = await makeBox(datacentre, directory, ["anna"]);
});
afterAll(async () => {
  await box.close();
  await datacentre.remove();
});

test("logging in at the box takes a code of the same authenticator", async () => {
  await expect(box.client().login("anna", anna.l)).rejects.toMatchObject({ code: "code-required" });
  const code = codeOf(secret, stepAt(Date.now()));
  const { accountId } = await box.client().login("anna", anna.l, code);
  expect(accountId).toBe(anna.id);
  await expect(box.client().login("anna", anna.l, code)).rejects.toThrow("used already");
  // What is an administrator's belongs to the datacentre.
  await expect(box.administration.totp.disable("anna")).rejects.toMatchObject({ code: "forbidden" });
});

test("the box's audit log names nobody in the clear, and can be read with its key", async () => {
  const { entries } = await new AuditAdministration(box.gateway).list({
    after: 0,
    limit: 100,
    event: "login",
  });
  expect(entries.map(({ event }) => event)).toEqual(["login.refused", "login.accepted", "login.refused"]);
  const bytes = readFileSync(join(box.gateway.audit.folder, "00000001.jsonl"));
  expect(bytes.includes("sealed")).toBe(true);
  for (const word of ["anna", "login", "127.0.0.1"]) expect(bytes.includes(word)).toBe(false);
});
