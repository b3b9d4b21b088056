// WebDAV on the gateway's listener: who gets in, and that nothing a client sends or leaves unsent hurts the gateway. What the answers
// say is tested in test/fs/webdav.

import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { Agent, request as httpsRequest } from "node:https";
import type { AddressInfo } from "node:net";
import { setTimeout as pause } from "node:timers/promises";
import fc from "fast-check";
import type { FastifyInstance } from "fastify";
import { afterAll, beforeAll, beforeEach, expect, test } from "vitest";
import { buildApp } from "../../gateway/api/server.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { directory, file, type MemoryView, sparseFile } from "../fs/memoryView.ts";
import { davOver, namespaceOf, top } from "../fs/webdav/asking.ts";
import { GatewayFixture } from "./gatewayFixture.ts";
import { exchange } from "./rawHttps.ts";

const MiB = 2 ** 20;
let fixture: GatewayFixture;
let app: FastifyInstance;
let port: number;
let password: string;
let view: MemoryView;
const agent = new Agent({ keepAlive: true, rejectUnauthorized: false });

beforeAll(async () => {
  fixture = await GatewayFixture.create();
  await fixture.account("alice");
  await fixture.account("bob");
  password = (await fixture.administration.addAppPassword("alice", { label: "test" })).password;
  app = await buildApp(fixture.gateway, { front: davOver(() => view) });
  await app.listen({ host: "127.0.0.1", port: 0 });
  port = (app.server.address() as AddressInfo).port;
});
beforeEach(() => {
  view = namespaceOf(
    directory([
      ["f", file("content")],
      [Buffer.from("\xff?#", "latin1"), file("odd")],
      ["disk", sparseFile(1000n * BigInt(MiB), [])],
    ]),
  );
});
afterAll(async () => {
  agent.destroy();
  await app.close();
  await fixture.remove();
});

type Sent = { readonly status: number; readonly headers: IncomingMessage["headers"]; readonly text: string };
type More = {
  readonly headers?: Record<string, string>;
  readonly body?: string | Buffer;
  readonly auth?: string;
};

const login = (): string => `alice:${password}`;

function open(
  method: string,
  path: string,
  { headers = {}, body, auth }: More = {},
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const options = {
      agent,
      host: "127.0.0.1",
      port,
      method,
      path,
      headers,
      ...(auth !== undefined && { auth }),
    };
    httpsRequest(options, resolve).on("error", reject).end(body);
  });
}

async function send(method: string, path: string, more: More = {}): Promise<Sent> {
  const response = await open(method, path, more);
  const pieces: Buffer[] = [];
  for await (const piece of response) pieces.push(piece as Buffer);
  const { statusCode, headers } = response;
  return { status: statusCode as number, headers, text: Buffer.concat(pieces).toString() };
}

const list = (path: string, auth?: string): Promise<Sent> =>
  send("PROPFIND", path, { headers: { depth: "1" }, ...(auth !== undefined && { auth }) });

test("an app password of the account lets in; the challenge asks for UTF-8", async () => {
  expect((await list("/dav/", login())).status).toBe(207);
  for (const auth of [undefined, "alice:", `alice:${password}x`, `bob:${password}`, "nobody:x", ":"]) {
    const refused = await list("/dav/", auth);
    expect(refused.status).toBe(401);
    expect(refused.headers["www-authenticate"]).toBe('Basic realm="Holdfast", charset="UTF-8"');
    expect(refused.text).not.toContain(password.slice(-10));
  }
  for (const authorization of [
    "Basic",
    "Basic ====",
    "Basic !!",
    "Bearer x",
    "Digest a=b",
    `Basic ${"A".repeat(8000)}`,
  ]) {
    expect((await send("GET", "/dav/", { headers: { authorization } })).status).toBe(401);
  }
  expect((await send("GET", `${top}/f`, { auth: login() })).text).toBe("content");
});

test("OPTIONS and refusals need nobody; the API beside stays as it was", async () => {
  for (const path of ["/", "/dav", "/dav/none"]) {
    const { status, headers } = await send("OPTIONS", path);
    expect([status, headers.dav, headers["ms-author-via"]]).toEqual([200, "1", "DAV"]);
  }
  expect(await exchange(port, "OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")).toMatch(
    /^HTTP\/1.1 200 OK\r\ndav: 1/,
  );
  for (const method of ["PUT", "LOCK", "PROPPATCH", "MKCOL", "DELETE"]) {
    expect((await send(method, `${top}/f`, method === "DELETE" ? {} : { body: "<a/>" })).status).toBe(403);
  }
  expect((await send("GET", "/healthz")).text).toBe('{"ok":true}');
  expect((await send("GET", "/davx")).status).toBe(404);
  expect((await send("GET", "/")).status).toBe(404);
  expect((await send("PROPFIND", "/v1/hello")).status).toBe(404);
});

test("names of any bytes, and odd content types", async () => {
  expect((await send("GET", `${top}/%FF%3F%23`, { auth: login() })).text).toBe("odd");
  for (const type of ["%%%;;garbage", 'text/xml; charset="', "application/json", ""]) {
    const headers = { depth: "0", "content-type": type };
    const body = '<propfind xmlns="DAV:"><prop><getetag/></prop></propfind>';
    expect((await send("PROPFIND", top, { headers, body, auth: login() })).status).toBe(207);
  }
});

test("a body that nobody reads costs neither the answer nor, when short, the connection", async () => {
  const short = await send("PUT", `${top}/x`, { body: Buffer.alloc(100_000) });
  expect([short.status, short.headers.connection]).toEqual([403, "keep-alive"]);
  const long = await send("PUT", `${top}/x`, { body: Buffer.alloc(8 * MiB) });
  expect([long.status, long.headers.connection]).toEqual([403, "close"]);
  const body = `<a>${"x".repeat(300_000)}</a>`;
  expect((await send("PROPFIND", top, { headers: { depth: "0" }, body, auth: login() })).status).toBe(413);
  expect((await list(top, login())).status).toBe(207);
});

const basic = (): string => `Authorization: Basic ${Buffer.from(login()).toString("base64")}\r\n`;

test.each([
  ["GET /dav/%ff HTTP/1.1\r\nHost: x\r\nAUTH\r\n", 404],
  ["GET /dav/%f HTTP/1.1\r\nHost: x\r\nAUTH\r\n", 400],
  ["GET /dav/../../etc/passwd HTTP/1.1\r\nHost: x\r\nAUTH\r\n", 400],
  ["GET https://other.host/dav/ HTTP/1.1\r\nHost: x\r\nAUTH\r\n", 200],
  ["GET /dav/\xff\xfe HTTP/1.1\r\nHost: x\r\nAUTH\r\n", 400],
  ["GET /dav/ HTTP/1.0\r\nAUTH\r\n", 200],
  ["PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nAUTHDepth: 0\r\nContent-Length: 99999999999999999999\r\n\r\n", 400],
  ["PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nAUTHDepth: 0\r\nContent-Length: -1\r\n\r\n", 400],
  ["PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nAUTHDepth: 0\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", 400],
  [
    "PROPFIND /dav/ HTTP/1.1\r\nHost: x\r\nAUTHDepth: 0\r\nTransfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n",
    400,
  ],
  ["EVIL /dav/ HTTP/1.1\r\nHost: x\r\n\r\n", 400],
  ["GET /dav/ HTTP/1.1\r\nHost: x\r\nRange: bytes=0-0\r\nRange: bytes=1-1\r\nAUTH\r\n", 200],
  [`GET /dav/${"a/".repeat(5000)} HTTP/1.1\r\nHost: x\r\nAUTH\r\n`, 404],
] as const)("hostile bytes get an answer: %j", async (text, status) => {
  const answer = await exchange(port, text.replace("AUTH", basic()));
  expect(answer).toMatch(new RegExp(`^HTTP/1.1 ${status} `));
  expect((await send("GET", "/healthz")).status).toBe(200);
});

test("random requests never take the gateway down", async () => {
  const method = fc.constantFrom(
    "GET",
    "HEAD",
    "PROPFIND",
    "OPTIONS",
    "PUT",
    "LOCK",
    "TRACE",
    "CONNECT",
    "QUERY",
  );
  const piece = fc.oneof(
    fc.constantFrom(
      "/dav/",
      "alice/",
      "%2e%2e/",
      "%00",
      "%ff",
      "?archive=zip",
      "?from=-1",
      "//",
      "#",
      "\\",
      "pc/files/",
    ),
    fc.string({ unit: "binary-ascii", maxLength: 12 }),
  );
  const header = fc.tuple(
    fc.constantFrom(
      "depth",
      "range",
      "if-range",
      "if-match",
      "if-none-match",
      "accept-encoding",
      "content-type",
      "expect",
    ),
    fc.oneof(
      fc.constantFrom("0", "1", "bytes=0-", "*", "gzip", "100-continue"),
      fc.string({ maxLength: 20 }),
    ),
  );
  const once = fc.tuple(
    method,
    fc.array(piece, { maxLength: 5 }),
    fc.array(header, { maxLength: 4 }),
    fc.string(),
  );
  await fc.assert(
    fc.asyncProperty(once, async ([verb, pieces, headers, body]) => {
      const lines = headers.map(([name, value]) => `${name}: ${value.replace(/[\r\n]/g, "")}\r\n`);
      const target = `/dav${pieces.join("")}`.replace(/[\s]/g, "");
      const head = `${verb} ${target} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${basic()}${lines.join("")}`;
      await exchange(port, `${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`, 100);
      expect((await send("GET", "/healthz")).status).toBe(200);
    }),
    { numRuns: 60 },
  );
});

test("a read that fails after the headers cuts the connection", async () => {
  view.beforeRead = (_node, offset) => {
    if (offset >= 3n * BigInt(MiB)) throw new HoldfastError("chunk-damaged", "chunk 12 is damaged");
  };
  const response = await open("GET", `${top}/disk`, { auth: login() });
  expect(response.statusCode).toBe(200);
  let bytes = 0;
  const reading = (async () => {
    for await (const piece of response) bytes += (piece as Buffer).length;
  })();
  await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
  expect(bytes).toBeLessThanOrEqual(3 * MiB);
});

async function until(reached: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await reached())) await pause(10);
}

test("a client that leaves or takes nothing is read for no further", async () => {
  const response = await open("GET", `${top}/disk`, { auth: login() });
  await once(response, "readable");
  // What fits into socket buffers is read; then it waits.
  let before = -1;
  await until(() => {
    const steady = view.counts.read === before;
    before = view.counts.read;
    return steady;
  });
  expect(view.counts.read).toBeLessThan(100);
  response.destroy();
  await pause(50);
  const after = view.counts.read;
  await pause(100);
  expect(view.counts.read).toBe(after);
});

test("a download ends when its app password is revoked", async () => {
  const made = await fixture.administration.addAppPassword("alice", { label: "short" });
  const response = await open("GET", `${top}/disk`, { auth: `alice:${made.password}` });
  await once(response, "readable");
  await fixture.administration.revokeAppPassword("alice", "short");
  const reading = (async () => {
    for await (const _piece of response);
  })();
  await expect(reading).rejects.toMatchObject({ code: "ECONNRESET" });
  expect((await list(top, `alice:${made.password}`)).status).toBe(401);
});

test("no connection stays behind", async () => {
  agent.destroy();
  await until(
    () =>
      new Promise<boolean>((resolve) => app.server.getConnections((_error, count) => resolve(count === 0))),
  );
});
