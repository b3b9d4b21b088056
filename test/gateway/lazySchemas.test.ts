// What lazySchemas.ts puts off until a route is asked: here it is done for all of them, and is seen to be put off.

import { join } from "node:path";
import fastify from "fastify";
import { afterAll, beforeAll, expect, onTestFinished, test } from "vitest";
import { GatewayDrives } from "../../appliance/drive/gatewayDrives.ts";
import { buildAdminApp } from "../../gateway/api/adminApp.ts";
import { lazyCompilers } from "../../gateway/api/lazySchemas.ts";
import { buildApp } from "../../gateway/api/server.ts";
import { DiskForecast } from "../../gateway/health/diskForecast.ts";
import { GatewayMetrics } from "../../gateway/metrics/gatewayMetrics.ts";
import { GatewayFixture } from "./gatewayFixture.ts";
import { makeBox } from "./seed/boxFixture.ts";

let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
afterAll(async () => {
  await fixture.remove();
});

test("the schemas of all routes can be compiled", async () => {
  // Without them fastify has its own, which put nothing off.
  const lazy = { ...lazyCompilers };
  onTestFinished(() => void Object.assign(lazyCompilers, lazy));
  for (const name of Object.keys(lazy) as (keyof typeof lazy)[]) delete lazyCompilers[name];
  const { gateway, administration } = fixture;
  const drives = new GatewayDrives(gateway);
  const metrics = new GatewayMetrics({ gateway, forecast: new DiskForecast(gateway), drives });
  const whole = await buildApp(gateway, { front: drives.web, metrics, operations: administration });
  await whole.ready();
  await whole.close();
  await drives.close();
  await fixture.account("carol");
  const box = await makeBox(fixture, join(fixture.path, "..", "box"), ["carol"]);
  const carried = await buildApp(box.gateway);
  await carried.ready();
  await carried.close();
  await box.close();
  const admin = buildAdminApp(gateway, administration, {
    drives: async () => [],
    mount: async () => ({ mountpoint: "/mnt" }),
  });
  await admin.ready();
  await admin.close();
});

const spoilt = { type: "integer", minimum: 0, minumum: 1 };

test("one that cannot be keeps nobody from starting, and fails its own route", async () => {
  const app = fastify({ schemaController: { compilersFactory: lazyCompilers } });
  app.get(
    "/broken",
    { schema: { querystring: { type: "object", properties: { n: spoilt } } } },
    async () => ({}),
  );
  app.get("/mute", { schema: { response: { 200: { type: "nothing" } } } }, async () => ({ x: 1 }));
  const counted = { type: "object", properties: { n: { type: "integer" } }, required: ["n"] };
  app.get("/right", { schema: { querystring: counted, response: { 200: counted } } }, async ({ query }) => ({
    ...(query as object),
    more: "which nobody asked for",
  }));
  await app.ready();
  const ask = async (url: string) => {
    const { statusCode, body } = await app.inject({ url });
    return [statusCode, JSON.parse(body)];
  };
  expect(await ask("/broken")).toEqual([500, expect.anything()]);
  expect(await ask("/mute")).toEqual([500, expect.anything()]);
  for (let times = 0; times < 2; times++) {
    expect(await ask("/right?n=4")).toEqual([200, { n: 4 }]);
    expect(await ask("/right?n=x")).toEqual([
      400,
      expect.objectContaining({ message: "querystring/n must be integer" }),
    ]);
    expect(await ask("/right")).toEqual([
      400,
      expect.objectContaining({ message: "querystring must have required property 'n'" }),
    ]);
  }
  await app.close();
});
