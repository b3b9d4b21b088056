// The admin socket's answers are what the operations answer, whole: a field that its schema does not know would vanish on the way.

import { afterEach, beforeEach, expect, test } from "vitest";
import { Administration } from "../../gateway/administration.ts";
import { buildAdminApp } from "../../gateway/api/adminApp.ts";
import { GatewayFixture } from "./gatewayFixture.ts";

let fixture: GatewayFixture;

beforeEach(async () => {
  fixture = await GatewayFixture.create();
  const anna = await fixture.account("anna");
  await fixture.device(anna, "laptop");
});
afterEach(async () => {
  await fixture.remove();
});

test("lists and status come whole, and a query that nobody asked for is refused", async () => {
  const { gateway, listening } = fixture;
  const administration = new Administration(gateway, () => listening.url);
  const drive = { mountpoint: "/mnt/drive" };
  const app = buildAdminApp(gateway, administration, {
    drives: async () => [drive],
    mount: async () => drive,
  });
  const get = async (url: string) => (await app.inject({ method: "GET", url })).json();
  expect(await get("/alive")).toEqual({ ok: true });
  expect(await get("/accounts")).toEqual(await administration.accounts());
  expect(await get("/drives")).toEqual([drive]);
  await administration.addAppPassword("anna", { label: "" });
  await administration.addAppPassword("anna", {
    label: "all of it",
    read: "/laptop",
    asUser: { uid: 1, gids: [2, 3] },
    expiresIn: 60,
  });
  expect(await get("/accounts/anna/app-passwords")).toEqual(await administration.appPasswords("anna"));
  // Other programs write to the same disk meanwhile.
  const { freeBytes, ...status } = await administration.status();
  expect(await get("/status")).toEqual({ ...status, freeBytes: expect.any(Number) });
  expect(freeBytes).toBeGreaterThan(0);
  for (const path of ["/alive", "/accounts", "/drives", "/status"])
    expect(await get(`${path}?more=1`)).toMatchObject({ error: { code: "usage" } });
  await app.close();
});

test("what is no request about replicas is refused before anything is done", async () => {
  const { gateway, listening } = fixture;
  const administration = new Administration(gateway, () => listening.url);
  const app = buildAdminApp(gateway, administration);
  const ask = async (url: string, payload: object) => {
    const answer = await app.inject({ method: "POST", url, payload });
    return [answer.statusCode, (answer.json() as { error?: { code: string } }).error?.code];
  };
  const whole = {
    name: "x",
    url: "file:///nowhere/x",
    options: {},
    bandwidth: "",
    schedule: "",
    parallel: 4,
  };
  for (const change of [
    { name: "" },
    { url: 1 },
    { options: { secretKey: "x" } },
    { options: { lockDays: { packs: -1, metadata: 1 } } },
    { parallel: 0 },
    { parallel: 65 },
    { more: 1 },
    { name: "../x" },
    { url: "file:///nowhere/x?y" },
    { bandwidth: "fast" },
    { schedule: "later" },
  ]) {
    expect(await ask("/replicas", { ...whole, ...change })).toEqual([400, "usage"]);
  }
  expect(await ask("/replicas", whole)).toEqual([502, "replica-unreachable"]);
  expect(await ask("/replicas/verify", { name: "x", sharePercent: 0, heal: false })).toEqual([400, "usage"]);
  expect(await ask("/replicas/run", { name: "x" })).toEqual([400, "usage"]);
  expect(await ask("/replicas/remove", { name: "x", abandon: "yes" })).toEqual([400, "usage"]);
  // A job's failure comes in its stream.
  const run = await app.inject({
    method: "POST",
    url: "/replicas/run",
    payload: { name: "x", takeOver: false },
  });
  // A job: its id, and what became of it.
  const [began, ended] = run.body
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as object);
  expect(began).toMatchObject({ job: expect.any(String) });
  expect(ended).toMatchObject({ error: { code: "not-found" } });
  const listed = await app.inject({ method: "GET", url: "/replicas" });
  expect(listed.json()).toEqual([]);
  await app.close();
});
