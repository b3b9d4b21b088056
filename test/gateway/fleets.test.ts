// Fleets on a real gateway: devices that follow templates, what is their own, and what becomes of a change that was cut short.

import { afterEach, beforeEach, expect, test } from "vitest";
import type { DefinitionRequest } from "../../gateway/admin/itemOperations.ts";
import { Alerting } from "../../gateway/alerts/alerting.ts";
import { fleetItemsMax } from "../../gateway/catalog/fleetItems.ts";
import { DiskForecast } from "../../gateway/health/diskForecast.ts";
import { DefinitionsClient } from "../../ingest/client/definitionsClient.ts";
import { emptyDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { DefinitionsAnswer } from "../../ingest/wire/messages.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { GatewayFixture, type TestAccount } from "./gatewayFixture.ts";
import { addInvite, InvitedMachine } from "./inviteFixture.ts";

const hourMs = 3_600_000;
const daily = { ...emptyDefinition(["/home"]), rules: ["daily at 02:00"] };
const nightly = { ...daily, rules: ["daily at 23:00"] };
let fixture: GatewayFixture;
let account: TestAccount;
let nowMs: number;
/** Tokens of devices, by name. */
let tokens: Map<string, string>;

beforeEach(async () => {
  nowMs = Date.UTC(2026, 10, 1, 12);
  fixture = await GatewayFixture.create({ now: () => new Date(nowMs) });
  account = await fixture.account("acme");
  tokens = new Map();
  for (const name of ["a", "b", "c"]) tokens.set(name, (await fixture.device(account, name)).token);
});
afterEach(async () => {
  await fixture.remove();
});

const items = () => fixture.administration.items;
const set = (device: string, revision: number, definition: DefinitionRequest["definition"], item = "home") =>
  items().set({ account: "acme", device, item, revision, definition });
const join = (device: string, fleet: string | null) => items().setFleet("acme", device, fleet);

/** What a device reads: "home: daily at 02:00". */
async function read(device: string): Promise<string[]> {
  const { url } = fixture.listening;
  const client = new DefinitionsClient({
    ...{ url, fingerprint: fixture.fingerprint, token: tokens.get(device)! },
  });
  const answer = await client.definitions(null, new AbortController().signal);
  client.close();
  return (answer!.value as DefinitionsAnswer).items.map(
    ({ name, definition }) => `${name}: ${definition.rules.join()}`,
  );
}

test("devices of a fleet follow its templates, changes and all; others and other accounts do not", async () => {
  await join("a", "tills");
  const made = await set("@tills", 0, daily);
  expect(made).toMatchObject({ device: "@tills", revision: 1, nextDue: "2026-11-02T02:00:00.000Z" });
  await join("b", "tills");
  for (const device of ["a", "b"]) expect(await read(device)).toEqual(["home: daily at 02:00"]);
  expect(await read("c")).toEqual([]);
  await set("@tills", 1, nightly);
  await set("@tills", 0, daily, "etc");
  expect(await read("a")).toEqual(["etc: daily at 02:00", "home: daily at 23:00"]);
  const listed = await items().list({ account: "acme" });
  expect(listed.map(({ device, item, revision, from }) => [device, item, revision, from])).toEqual([
    ["@tills", "etc", 1, undefined],
    ["@tills", "home", 2, undefined],
    ["a", "etc", 1, { fleet: "tills", revision: 1 }],
    ["a", "home", 2, { fleet: "tills", revision: 2 }],
    ["b", "etc", 1, { fleet: "tills", revision: 1 }],
    ["b", "home", 2, { fleet: "tills", revision: 2 }],
  ]);
  expect(await items().list({ account: "acme", device: "@tills", item: "etc" })).toHaveLength(1);

  // What does not come is missed, as of any definition.
  nowMs += 30 * hourMs;
  await new Alerting(fixture.gateway, new DiskForecast(fixture.gateway)).look();
  expect(fixture.gateway.alerts.list().map(({ kind, subject }) => `${kind} ${subject}`)).toContain(
    "backup-missed acme/a/home",
  );

  await set("@tills", 1, null, "etc");
  await join("b", null);
  expect([await read("a"), await read("b")]).toEqual([["home: daily at 23:00"], []]);
  // Another fleet with a template of the same name and revision.
  await set("@shops", 0, daily);
  await set("@shops", 1, { ...daily, rules: ["daily at 05:00"] });
  await join("a", "shops");
  expect(await read("a")).toEqual(["home: daily at 05:00"]);
});

test("a device's own definition wins; without it the device follows again", async () => {
  await set("a", 0, daily);
  await set("@tills", 0, nightly);
  for (const device of ["a", "b"]) await join(device, "tills");
  expect([await read("a"), await read("b")]).toEqual([["home: daily at 02:00"], ["home: daily at 23:00"]]);
  // What follows becomes its own by an edit, and is not removed.
  await expect(set("b", 1, null)).rejects.toMatchObject({ code: ErrorCode.usage });
  await expect(set("b", 0, daily)).rejects.toMatchObject({ code: ErrorCode.exists });
  expect(await set("b", 1, { ...nightly, enabled: false })).not.toHaveProperty("from");
  await set("@tills", 1, { ...nightly, rules: ["daily at 22:00"] });
  expect(await read("b")).toEqual(["home: daily at 23:00"]);
  expect(await set("b", 2, null)).toMatchObject({ from: { fleet: "tills", revision: 2 } });
  expect(await read("b")).toEqual(["home: daily at 22:00"]);
  expect(await set("a", 1, null)).toMatchObject({ from: { fleet: "tills" } });
  await join("a", null);
  expect(await read("a")).toEqual([]);
});

test("a stop before all devices follow is finished when the vault is opened", async () => {
  const { catalog } = fixture.gateway;
  await join("a", "tills");
  await set("@tills", 0, daily);
  const [device] = catalog.devices.list(account.id).filter(({ name }) => name === "b");
  // As the two durable steps leave it, before the rows follow.
  catalog.devices.setFleet(device!.id, "tills");
  const place = { account: account.id, fleet: "tills", item: "home" };
  catalog.write(() => catalog.fleetItems.set(place, 1, nightly, new Date(nowMs).toISOString()));
  expect([await read("a"), await read("b")]).toEqual([["home: daily at 02:00"], []]);
  await fixture.stop();
  await fixture.start();
  expect([await read("a"), await read("b")]).toEqual([["home: daily at 23:00"], ["home: daily at 23:00"]]);
});

test("an invited machine is in its fleet from the first moment, and whoever takes it over stays", async () => {
  await set("@tills", 0, daily);
  const machine = new InvitedMachine(fixture, await addInvite(fixture, account, { fleet: "tills" }));
  tokens.set("d", (await machine.enroll("d", machine.wraps(await machine.claim()))).token);
  expect(await read("d")).toEqual(["home: daily at 02:00"]);
  const wish = { takeOver: machine.id };
  const next = new InvitedMachine(fixture, await addInvite(fixture, account, wish), machine.id);
  tokens.set("d", (await next.enroll("x", next.wraps(await next.claim()))).token);
  expect(await read("d")).toEqual(["home: daily at 02:00"]);
  await expect(addInvite(fixture, account, { ...wish, fleet: "tills" })).rejects.toMatchObject({
    code: ErrorCode.usage,
  });
});

test("what cannot be is refused, and nothing changes", async () => {
  await set("@tills", 0, daily);
  const refusals = [
    [() => set("@tills", 0, daily), ErrorCode.exists],
    [() => set("@tills", 7, daily), ErrorCode.sequenceConflict],
    [() => set("@tills", 1, null, "none"), ErrorCode.notFound],
    [() => set("@../x", 0, daily), ErrorCode.usage],
    [() => set("@tills", 0, { ...daily, paths: ["home"] }, "x"), ErrorCode.usage],
    [() => join("nobody", "tills"), ErrorCode.notFound],
    [() => join("a", "@tills"), ErrorCode.usage],
  ] as const;
  for (const [refused, code] of refusals) await expect(refused()).rejects.toMatchObject({ code });
  for (let n = 1; n < fleetItemsMax; n++) await set("@tills", 0, daily, `item ${n}`);
  await expect(set("@tills", 0, daily, "more")).rejects.toMatchObject({ code: ErrorCode.limitExceeded });
  expect(await items().list({ account: "acme" })).toHaveLength(fleetItemsMax);
});
