// One kept connection of WebDAV: its password is read once, and looked up for every request.

import { Agent, request } from "node:https";
import type { AddressInfo } from "node:net";
import { expect, test } from "vitest";
import { buildApp } from "../../gateway/api/server.ts";
import { directory, file } from "../fs/memoryView.ts";
import { davOver, namespaceOf, top } from "../fs/webdav/asking.ts";
import { GatewayFixture } from "./gatewayFixture.ts";

test("every request is looked at anew, and another password is another", async () => {
  const fixture = await GatewayFixture.create();
  await fixture.account("alice");
  await fixture.account("bob");
  const other = await fixture.administration.addAppPassword("alice", { label: "other" });
  const app = await buildApp(fixture.gateway, {
    front: davOver(namespaceOf(directory([["f", file("content")]]))),
  });
  await app.listen({ host: "127.0.0.1", port: 0 });
  const { port } = app.server.address() as AddressInfo;
  const made = await fixture.administration.addAppPassword("alice", { label: "kept" });
  const one = new Agent({ keepAlive: true, maxSockets: 1, rejectUnauthorized: false });
  const statusWith = (auth: string): Promise<number | undefined> =>
    new Promise((resolve, reject) => {
      const path = `${top}/f`;
      request({ agent: one, host: "127.0.0.1", port, path, auth }, (response) => {
        response.resume().once("end", () => resolve(response.statusCode));
      })
        .on("error", reject)
        .end();
    });
  const own = `alice:${made.password}`;
  for (const auth of [own, own, `alice:${other.password}`, own]) expect(await statusWith(auth)).toBe(200);
  for (const auth of [`${own}x`, `bob:${made.password}`, `alice:${made.password.slice(0, -1)}`]) {
    expect(await statusWith(auth)).toBe(401);
    expect(await statusWith(own)).toBe(200);
  }
  await fixture.administration.setDisabled("alice", true);
  expect(await statusWith(own)).toBe(403);
  await fixture.administration.setDisabled("alice", false);
  expect(await statusWith(own)).toBe(200);
  await fixture.administration.revokeAppPassword("alice", "kept");
  expect(await statusWith(own)).toBe(401);
  expect(await statusWith(`alice:${other.password}`)).toBe(200);
  one.destroy();
  await app.close();
  await fixture.remove();
});
