// Every route of the gateway's listener, asked in ways that nobody should. A route without a line here fails the test.
//
// A request that found something goes to corpus/listener.json, with names in braces for ids and tokens, and is asked first from then on.

import { readFileSync } from "node:fs";
import { Agent } from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildApp } from "../../gateway/api/server.ts";
import { encodeRecordBody } from "../../ingest/wire/recordBody.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { directory, file } from "../fs/memoryView.ts";
import { davOver, namespaceOf } from "../fs/webdav/asking.ts";
import { dataRecord, GatewayFixture, snapshotOf, type TestDevice } from "../gateway/gatewayFixture.ts";
import { addInvite } from "../gateway/inviteFixture.ts";
import { addPeer } from "../gateway/peer/peerFixture.ts";
import { exchange } from "../gateway/rawHttps.ts";
import { commitOn, makeBox, type OpenBox } from "../gateway/seed/boxFixture.ts";
import { type AppRoute, withRoutes } from "./appRoutes.ts";
import { type FuzzAnswer, type FuzzRequest, requestsOf, send, type Where, waiting } from "./requests.ts";
import { type Key, keys } from "./routeKeys.ts";
import { runs } from "./runs.ts";

/** Answers of 500 and more that a client may cause: it is told to wait, or what it asked for is full. */
const mayFail = ["busy", "replica-full", "cancelled"];
const rssGrowthMax = 600 * 2 ** 20;

let fixture: GatewayFixture;
let box: OpenBox;
let app: Awaited<ReturnType<typeof buildApp>>;
let routes: AppRoute[];
let where: Where;
let clockMs = 0;
/** Ids, names and tokens, by the name that a corpus gives them. */
const facts: Record<string, string> = {};
let victim: TestDevice;
/** What only the victim may see. */
let marks: readonly string[];
/** Names that the asker sent itself. */
const told = new Set<string>();
let seeds: readonly Buffer[];
let before: unknown;
let rssBefore = 0;
const agent = new Agent({ keepAlive: true, maxSockets: 4, rejectUnauthorized: false });

/** All that belongs to the victim, as the victim sees it. */
async function ofVictim(): Promise<unknown> {
  const { client, vault } = victim;
  return [
    await client.items(),
    await client.snapshots(),
    await client.devices(),
    await client.keysDocument(vault),
    await client.snapshotObject(facts.victimSnapshot!),
    await fixture.administration.appPasswords("victim-mark"),
  ];
}

beforeAll(async () => {
  fixture = await GatewayFixture.create({ monotonicMs: () => clockMs, packBytesTarget: 50_000 });
  const account = await fixture.account("alice");
  const other = await fixture.account("victim-mark");
  // Whose account is on a box has its home there, and is sent there.
  await fixture.account("carol");
  const device = await fixture.device(account, "laptop");
  const revoked = await fixture.device(account, "revoked");
  await fixture.administration.revokeDevice("alice", "revoked");
  victim = await fixture.device(other, "device-mark");
  const committed = await commitOn(device.client, device, "files");
  const marked = await commitOn(victim.client, victim, "item-mark");
  const item = await device.client.putItem("fuzzed");
  const theirs = await victim.client.putItem("item-mark");
  const session = await device.client.startSession({
    vault: device.vault,
    item: item.id,
    highestSequence: 0,
  });
  const victimSession = await victim.client.startSession({
    vault: victim.vault,
    item: theirs.id,
    highestSequence: 0,
  });
  const expired = (await fixture.client().login("alice", account.l)).token;
  clockMs += 60 * 60_000;
  const login = (await fixture.client().login("alice", account.l)).token;
  const app1 = await fixture.administration.addAppPassword("alice", { label: "fuzz" });
  await fixture.administration.addAppPassword("victim-mark", { label: "label-mark" });
  const peer = await addPeer(fixture, "peer", { quotaBytes: 5_000_000 });
  const peerMark = await addPeer(fixture, "peer-mark", {});
  box = await makeBox(fixture, join(fixture.path, "..", "box"), ["carol"]);
  const invite = await addInvite(fixture, account);
  const inviteMark = await addInvite(fixture, other, { device: "invite-mark" });
  const bearer = (token: string): string => `Bearer ${token}`;
  Object.assign(facts, {
    account: account.id,
    vault: device.vault,
    device: device.id,
    item: item.id,
    session: session.session,
    snapshot: committed.snapshot,
    root: toHex(committed.root),
    chunk: toHex(committed.chunks[0]!),
    victimVault: victim.vault,
    victimItem: theirs.id,
    victimSession: victimSession.session,
    victimSnapshot: marked.snapshot,
    victimChunk: toHex(marked.chunks[0]!),
    deviceKey: bearer(device.token),
    loginKey: bearer(login),
    revokedKey: bearer(revoked.token),
    expiredKey: bearer(expired),
    peerKey: bearer(peer.token.token),
    inviteKey: bearer(invite.token),
    boxKey: bearer(box.gateway.dataDir.box!.secrets.token),
    appPasswordKey: `Basic ${Buffer.from(`alice:${app1.password}`).toString("base64")}`,
  });
  marks = [
    ...[victim.id, victim.vault, other.id, marked.snapshot, toHex(marked.root), toHex(marked.chunks[0]!)],
    ...[
      theirs.id,
      victimSession.session,
      peerMark.id,
      inviteMark.id,
      "device-mark",
      "invite-mark",
      "item-mark",
      "label-mark",
      "peer-mark",
    ],
  ];
  const mark = await victim.client.readAll(victim.vault, victim.group, [marked.chunks[0]!]);
  if (mark[0]?.state !== "record") throw new Error("the victim does not read its own record");
  marks = [...marks, mark[0].record.toString("latin1", 100, 140)];
  const ids = Buffer.concat([committed.root, ...committed.chunks, ...marked.chunks]);
  const group = Buffer.alloc(4);
  group.writeUInt32LE(device.group);
  seeds = [
    Buffer.concat(encodeRecordBody([dataRecord(device).record, dataRecord(device).record])),
    snapshotOf(device, item, 1, null, committed.root).bytes,
    ids,
    Buffer.concat([group, ids]),
    Buffer.from('{"manifest":1}\n{"signature":"00"}\n'),
  ];
  const front = davOver(() => namespaceOf(directory([["f", file("content")]]), ["x", directory([])]));
  ({ app, routes } = await withRoutes(() => buildApp(fixture.gateway, { front })));
  await app.listen({ host: "127.0.0.1", port: 0 });
  where = { agent, port: (app.server.address() as AddressInfo).port };
  before = await ofVictim();
  rssBefore = process.memoryUsage().rss;
});
afterAll(async () => {
  agent.destroy();
  await box.close();
  await app.close();
  await fixture.remove();
});

/** What must hold of any answer. */
function judge(request: FuzzRequest, answer: FuzzAnswer | undefined): void {
  const asked = `${request.path} ${Buffer.from(request.body ?? "", "base64").toString("latin1")}`;
  if (answer === undefined) {
    expect(request.path, "an answer that does not come").toMatch(waiting);
    return;
  }
  expect(answer.status).toBeGreaterThanOrEqual(200);
  if (answer.status >= 500) expect(mayFail, answer.text).toContain(answer.code);
  for (const mark of marks) {
    // What was sent may come back in a message; and a name for good, as that of an item.
    if (asked.includes(mark) && mark.endsWith("-mark")) told.add(mark);
    if (!asked.includes(mark) && !told.has(mark))
      expect(answer.text.includes(mark), `${mark} was shown`).toBe(false);
  }
}

const keyOf = (key: Key): string | undefined => facts[`${key}Key`];
const nameOf = ({ method, url }: AppRoute): string => `${method} ${url}`;

test("all routes are here, and none that is no more; a box has one besides, which is asked too", async () => {
  expect(routes.map(nameOf).sort()).toEqual(Object.keys(keys).sort());
  const ofBox = await withRoutes(() => buildApp(box.gateway));
  const own = ofBox.routes.map(nameOf).filter((route) => keys[route] === undefined);
  await ofBox.app.listen({ host: "127.0.0.1", port: 0 });
  const there = { agent, port: (ofBox.app.server.address() as AddressInfo).port };
  const carried = ofBox.routes.find(({ url }) => url.startsWith("/v1/carried/"))!;
  const right = `Bearer ${fixture.gateway.homes.importToken(box.gateway.dataDir.box!.document.id)}`;
  const making = { known: [facts.vault!, facts.chunk!], seeds, right, others: [undefined, facts.deviceKey] };
  await fc.assert(
    fc.asyncProperty(requestsOf(carried, making), async (request) =>
      judge(request, await send(there, request)),
    ),
    runs(25),
  );
  await ofBox.app.close();
  expect(own).toEqual(["GET /v1/carried/:vault/packs/:sha256"]);
});

test("what once found something", async () => {
  const text = readFileSync(join(import.meta.dirname, "corpus", "listener.json"), "utf8");
  const filled = text.replace(/\{(\w+)\}/g, (whole, name: string) => facts[name] ?? whole);
  const corpus = JSON.parse(filled) as readonly (FuzzRequest & {
    readonly why: string;
    readonly status: number;
  })[];
  for (const { why, status, ...request } of corpus) {
    const answer = await send(where, request);
    judge(request, answer);
    expect(answer?.status, why).toBe(status);
  }
});

describe("random requests", () => {
  test.each(Object.keys(keys))("%s", { timeout: 120_000 }, async (name) => {
    const route = routes.find((each) => nameOf(each) === name)!;
    const right = keyOf(keys[name]!);
    const others = [
      undefined,
      ...Object.entries(facts).flatMap(([fact, value]) => (fact.endsWith("Key") ? [value] : [])),
    ];
    const known = Object.entries(facts).flatMap(([fact, value]) => (fact.endsWith("Key") ? [] : [value]));
    const making = { known: [...known, "alice", "victim-mark", "files", "item-mark"], seeds, right, others };
    let opened = 0;
    await fc.assert(
      fc.asyncProperty(requestsOf(route, making), async (request) => {
        const answer = await send(where, request);
        judge(request, answer);
        if (request.method === route.method && answer?.status !== 401) opened++;
      }),
      runs(25),
    );
    expect(opened, "requests that got past the key").toBeGreaterThan(0);
  });
});

test("requests that are no HTTP, or end early: the connection ends or is answered, and the next request is", async () => {
  const port = where.port!;
  const heads = Object.entries(keys).map(([name, key]) => {
    const [method, url = ""] = name.split(" ");
    const path = url.replaceAll(/:\w+/g, (part) => facts[part.slice(1)] ?? "x").replace("*", "x");
    const auth = keyOf(key);
    return `${method} ${path} HTTP/1.1\r\nHost: x\r\n${auth === undefined ? "" : `Authorization: ${auth}\r\n`}`;
  });
  const tails = [
    "Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{",
    'Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{"a"',
    "Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\nfffffff0\r\nabc",
    "Content-Type: application/octet-stream\r\nContent-Length: 18446744073709551616\r\n\r\n",
    "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
    "Content-Length: 4\r\nContent-Length: 5\r\n\r\nabcde",
    `X-Many: ${"z".repeat(20_000)}\r\n\r\n`,
    `${"X: y\r\n".repeat(3000)}\r\n`,
    " folded: header\r\n\r\n",
    "Bad\0Header: x\r\n\r\n",
    "\r\nGET /v1/me HTTP/1.1\r\n",
  ];
  const one = fc.tuple(fc.constantFrom(...heads), fc.constantFrom(...tails));
  await fc.assert(
    fc.asyncProperty(fc.array(one, { minLength: 8, maxLength: 8 }), async (requests) => {
      const answers = await Promise.all(requests.map(([head, tail]) => exchange(port, head + tail, 100)));
      for (const answer of answers) expect(answer).not.toMatch(/^HTTP\/1\.1 5(?!03)/);
      const unknown = marks.filter((mark) => !told.has(mark));
      for (const answer of answers) expect(unknown.filter((mark) => answer.includes(mark))).toEqual([]);
      expect(await send(where, { method: "GET", path: "/healthz", headers: {} })).toMatchObject({
        status: 200,
      });
    }),
    runs(20),
  );
});

test("after all of it the other account has what it had, and memory is as it was", async () => {
  expect(await ofVictim()).toEqual(before);
  expect(process.memoryUsage().rss - rssBefore).toBeLessThan(rssGrowthMax);
  const [read] = await victim.client.readAll(victim.vault, victim.group, [fromHex(facts.victimChunk!, 32)]);
  expect(read?.state).toBe("record");
});
