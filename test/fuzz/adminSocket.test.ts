// Every route of the admin socket, asked in ways that nobody should. Who opens it may do everything; it must not be possible to end the gateway
// by a slip of the tongue. Routes are found by themselves.

import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { DriveOperations } from "../../gateway/admin/drives.ts";
import { Administration } from "../../gateway/administration.ts";
import { buildAdminApp } from "../../gateway/api/adminApp.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { GatewayFixture } from "../gateway/gatewayFixture.ts";
import { commitOn } from "../gateway/seed/boxFixture.ts";
import { type AppRoute, withRoutes } from "./appRoutes.ts";
import { requestsOf, send, type Where } from "./requests.ts";
import { runs } from "./runs.ts";

/** Nothing is mounted by a test that asks at random. */
const drives: DriveOperations = {
  drives: async () => [],
  mount: () => Promise.reject(new HoldfastError(ErrorCode.mountFailed, "not here")),
};

let fixture: GatewayFixture;
let app: FastifyInstance;
let routes: AppRoute[];
let where: Where;
let known: readonly string[];
const folder = mkdtempSync(join(tmpdir(), "holdfast-fuzz-"));

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  const account = await fixture.account("anna");
  const device = await fixture.device(account, "laptop");
  const { snapshot } = await commitOn(device.client, device, "files");
  const { administration } = fixture;
  await administration.addAppPassword("anna", { label: "label" });
  known = ["anna", "laptop", "files", "label", device.vault, device.id, account.id, snapshot, "main"];
  const build = async (): Promise<FastifyInstance> => {
    const made = buildAdminApp(fixture.gateway, new Administration(fixture.gateway), drives);
    await made.ready();
    return made;
  };
  ({ app, routes } = await withRoutes(build));
  const socketPath = join(folder, "admin.sock");
  await app.listen({ path: socketPath });
  where = { socketPath };
});
afterAll(async () => {
  await app.close();
  await fixture.remove();
  rmSync(folder, { recursive: true, force: true });
});

test("random requests to each of its routes", { timeout: 240_000 }, async () => {
  expect(routes.length).toBeGreaterThan(40);
  const failures: string[] = [];
  for (const route of routes) {
    const making = { known, seeds: [Buffer.from("{}")], right: undefined, others: ["Bearer x"] };
    await fc.assert(
      fc.asyncProperty(requestsOf(route, making), async (request) => {
        const answer = await send(where, request);
        expect(answer, `${request.method} ${request.path}: an answer that does not come`).toBeDefined();
        // Jobs answer 200 and say in a line how they ended.
        if (answer?.text.includes('"internal"'))
          failures.push(
            `${request.method} ${request.path} ${Buffer.from(request.body ?? "", "base64")
              .toString("latin1")
              .slice(0, 600)}`,
          );
      }),
      runs(12),
    );
  }
  expect(failures).toEqual([]);
  expect(await send(where, { method: "GET", path: "/alive", headers: {} })).toMatchObject({ status: 200 });
});

test("a number without end in an address is refused", async () => {
  const request = { method: "POST", path: "/jobs/1e400/cancel", headers: {}, body: "e30=" };
  expect((await send(where, request))?.text).toContain('"usage"');
});
