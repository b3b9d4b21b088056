// Archives and histories for programs: who gets in, and answers in the form of the rest of the API.

import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, expect, test } from "vitest";
import type { HistoryPath, PathVersion } from "../../fs/view/ports.ts";
import { buildApp } from "../../gateway/api/server.ts";
import { directory, file } from "../fs/memoryView.ts";
import { davOver, namespaceOf, time, top } from "../fs/webdav/asking.ts";
import { GatewayFixture } from "./gatewayFixture.ts";

let fixture: GatewayFixture;
let app: FastifyInstance;
let password: string;
const path = top.slice("/dav/".length);
const asked: HistoryPath[] = [];
const version: PathVersion = {
  snapshot: "ab".repeat(32),
  time: "2026-11-22T05:45:12.000Z",
  folder: time,
  until: "2026-11-23T05:45:12.000Z",
  snapshots: 2,
  kind: "file",
  size: 3,
  mtimeNs: -1n,
  hash: undefined,
  reason: new Error("a page is damaged"),
};

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  await fixture.account("alice");
  password = (await fixture.administration.addAppPassword("alice", { label: "" })).password;
  const snapshot = directory([[Buffer.from("\xff?", "latin1"), file("odd")]]);
  const history = directory([[Buffer.from("\xff?", "latin1"), directory([])]], { mutable: true });
  const front = davOver(namespaceOf(snapshot, [".history", history]), {
    history: async function* (of) {
      asked.push(of);
      yield version;
    },
  });
  app = await buildApp(fixture.gateway, { front });
});
afterAll(async () => {
  await app.close();
  await fixture.remove();
});

function get(url: string, login = `alice:${password}`) {
  const authorization = `Basic ${Buffer.from(login).toString("base64")}`;
  return app.inject({ method: "GET", url, headers: { authorization } });
}

test("a folder or file as an archive; its path is bytes", async () => {
  const tar = await get(`/v1/archive/${path}?format=tar`);
  expect([tar.statusCode, tar.headers["content-type"]]).toEqual([200, "application/x-tar"]);
  expect(tar.rawPayload.length % 512).toBe(0);
  const zip = await get(`/v1/archive/${path}/%FF%3F?format=zip`);
  expect([zip.statusCode, zip.headers["content-type"]]).toEqual([200, "application/zip"]);
});

test("the versions of a path", async () => {
  const answer = await get("/v1/history/alice/pc/files/%FF%3F");
  expect(answer.json()).toEqual({
    versions: [
      {
        snapshot: version.snapshot,
        time: version.time,
        folder: time,
        until: version.until,
        snapshots: 2,
        kind: "file",
        size: 3,
        mtime: "1969-12-31T23:59:59.999999999Z",
        reason: "a page is damaged",
      },
    ],
  });
  expect(asked.at(-1)?.names).toEqual([Buffer.from("\xff?", "latin1")]);
});

test.each([
  [`/v1/archive/${path}`, 400, "usage"],
  [`/v1/archive/${path}?format=rar`, 400, "usage"],
  ["/v1/archive/alice/pc?format=tar", 403, "forbidden"],
  [`/v1/archive/${path}/none?format=tar`, 404, "not-found"],
  ["/v1/archive/bob/server?format=tar", 404, "not-found"],
  ["/v1/archive/alice%2Fpc?format=tar", 400, "usage"],
  ["/v1/history/alice/pc", 400, "usage"],
  ["/v1/history/alice/pc/files/none", 404, "not-found"],
  ["/v1/history/", 400, "usage"],
] as const)("%s: %d %s", async (url, status, code) => {
  const answer = await get(url);
  expect([answer.statusCode, answer.json().error.code]).toEqual([status, code]);
});

test("without an app password: 401 that asks for one, in the API's own form", async () => {
  for (const login of ["alice:wrong", "bob:x", ""]) {
    const answer = await get(`/v1/archive/${path}?format=tar`, login);
    expect(answer.statusCode).toBe(401);
    expect(answer.headers["www-authenticate"]).toBe('Basic realm="Holdfast", charset="UTF-8"');
    expect(answer.json().error.code).toBe("auth-failed");
  }
  const other = await app.inject({ method: "GET", url: "/v1/me" });
  expect(other.headers["www-authenticate"]).toBe("Bearer");
});

test("the API's description has both", async () => {
  const { paths, components } = (await app.inject({ method: "GET", url: "/v1/openapi.json" })).json();
  expect(Object.keys(paths)).toEqual(expect.arrayContaining(["/v1/archive/{*}", "/v1/history/{*}"]));
  expect(paths["/v1/history/{*}"].get.security).toEqual([{ appPassword: [] }]);
  expect(components.securitySchemes.appPassword).toEqual({ type: "http", scheme: "basic" });
});
