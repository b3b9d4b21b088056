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
