// What lazySchemas.ts puts off until a route is asked: here it is done for all of them, and is seen to be put off.

import { join } from "node:path";
import ajvCompiler from "@fastify/ajv-compiler";
import serializerSelector from "@fastify/fast-json-stringify-compiler";
import fastify, { type FastifySchema } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import { GatewayDrives } from "../../appliance/drive/gatewayDrives.ts";
import { buildAdminApp } from "../../gateway/api/adminApp.ts";
import { lazyCompilers } from "../../gateway/api/lazySchemas.ts";
import { buildApp } from "../../gateway/api/server.ts";
import { DiskForecast } from "../../gateway/health/diskForecast.ts";
import { GatewayMetrics } from "../../gateway/metrics/gatewayMetrics.ts";
import { type AppRoute, withRoutes } from "../fuzz/appRoutes.ts";
import { GatewayFixture } from "./gatewayFixture.ts";
import { makeBox } from "./seed/boxFixture.ts";

let fixture: GatewayFixture;

beforeAll(async () => {
  fixture = await GatewayFixture.create();
});
afterAll(async () => {
  await fixture.remove();
});

/** Compiles what the routes of an app ask and answer, as fastify does when nothing is put off; answers how many schemas these were. */
function compileAll(routes: readonly AppRoute[], coerceTypes: boolean): number {
  const validate = ajvCompiler()({}, { customOptions: { coerceTypes, removeAdditional: false } });
  const serialize = serializerSelector()({}, {});
  let compiled = 0;
  for (const { method, url, schema } of routes) {
    const {
      params,
      querystring,
      body,
      response = {},
    } = schema as FastifySchema & {
      response?: Record<string, { content?: unknown }>;
    };
    for (const part of [params, querystring, body]) {
      if (part === undefined || Object.hasOwn(part as object, "content")) continue;
      validate({ schema: part });
      compiled++;
    }
    for (const [httpStatus, answer] of Object.entries(response)) {
      if (answer.content !== undefined) continue;
      serialize({ method, url, httpStatus, schema: answer });
      compiled++;
    }
  }
  return compiled;
}

test("the schemas of all routes can be compiled", async () => {
  const { gateway, administration } = fixture;
  const drives = new GatewayDrives(gateway);
  const metrics = new GatewayMetrics({ gateway, forecast: new DiskForecast(gateway), drives });
  const served = { front: drives.web, metrics, operations: administration };
  const whole = await withRoutes(() => buildApp(gateway, served));
  expect(compileAll(whole.routes, true)).toBeGreaterThan(100);
  await whole.app.close();
  await drives.close();
  await fixture.account("carol");
  const box = await makeBox(fixture, join(fixture.path, "..", "box"), ["carol"]);
  const carried = await withRoutes(() => buildApp(box.gateway));
  expect(carried.routes.some(({ url }) => url.startsWith("/v1/carried/"))).toBe(true);
  compileAll(carried.routes, true);
  await carried.app.close();
  await box.close();
  const operations = { drives: async () => [], mount: async () => ({ mountpoint: "/mnt" }) };
  const admin = await withRoutes(async () => {
    const app = buildAdminApp(gateway, administration, operations);
    await app.ready();
    return app;
  });
  expect(compileAll(admin.routes, false)).toBeGreaterThan(100);
  await admin.app.close();
});

const spoilt = { type: "integer", minimum: 0, minumum: 1 };

test("one that cannot be keeps nobody from starting, and fails its own route", async () => {
  const app = fastify({ schemaController: { compilersFactory: lazyCompilers() } });
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
