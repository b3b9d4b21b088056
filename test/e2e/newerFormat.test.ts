// An agent before a gateway of a later version: what it does not know it refuses by name, and says to use a newer program;
// nothing is written to the vault and nothing is restored.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, expect, test } from "vitest";
import { AlteringRelay } from "./alteringRelay.ts";
import { done, enroll, holdfast, makeSource, openSite, type Ran, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
let site: Site;
let relay: AlteringRelay;
let state: string;
let source: string;

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
  relay = await AlteringRelay.open(site.url);
  undo.push(() => relay.close());
  state = await enroll({ ...site, url: relay.url, fingerprint: relay.fingerprint }, "one");
  source = makeSource(site.folder);
  await done("agent", "backup", source, "--state", state);
});
afterEach(() => {
  relay.alter = (_, body) => body;
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

/** Alters a JSON document that the gateway sends. */
function alterJson(path: RegExp, change: (document: Record<string, unknown>) => object): void {
  relay.alter = (asked, body) =>
    path.test(asked)
      ? Buffer.from(JSON.stringify(change(JSON.parse(body.toString()) as Record<string, unknown>)))
      : body;
}

const needs = (...features: string[]): void =>
  alterJson(/^\/v1\/vaults\/[^/]+\/document$/, (document) => ({
    ...document,
    features: {
      ...(document.features as object),
      ...Object.fromEntries(features.map((operation) => [operation, ["time-travel-1"]])),
    },
  }));

const target = (): string => join(site.folder, "target");
const backup = (): Promise<Ran> => holdfast("agent", "backup", source, "--state", state);
const restore = (): Promise<Ran> =>
  holdfast("agent", "restore", "latest", "--target", target(), "--state", state);

async function expectRefused(run: () => Promise<Ran>, what: RegExp): Promise<void> {
  const snapshots = async (): Promise<number> =>
    (JSON.parse(await done("agent", "snapshots", "--state", state, "--json")) as object[]).length;
  const { alter } = relay;
  const ran = await run();
  expect([ran.status, ran.stdout]).toEqual([1, ""]);
  expect(ran.stderr).toMatch(what);
  expect(ran.stderr.trim().split("\n")).toHaveLength(1);
  relay.alter = (_, body) => body;
  expect(await snapshots()).toBe(1);
  expect(existsSync(target())).toBe(false);
  relay.alter = alter;
}

test.each([
  ["vault", /\/document$/, /vault has format version 2.*newer version of this program/],
  ["keys document", /\/keys$/, /keys document has version 2.*newer version of this program/],
] as const)("a %s of a newer format: neither backup nor restore", async (_, path, what) => {
  alterJson(path, (document) => ({ ...document, version: 2 }));
  await expectRefused(backup, what);
  await expectRefused(restore, what);
});

test("a feature that reading needs: neither", async () => {
  needs("read", "write");
  await expectRefused(restore, /feature "time-travel-1" to read.*newer version/);
  await expectRefused(backup, /feature "time-travel-1" to write.*newer version/);
});

test("a snapshot of a newer format: it is not restored, and the message says so", async () => {
  relay.alter = (path, body) => {
    if (!/^\/v1\/snapshots\/[^/]+\/object$/.test(path)) return body;
    const altered = Buffer.from(body);
    altered[4] = 2;
    return altered;
  };
  await expectRefused(restore, /snapshot version 2 is not known.*newer version of this program/);
});

test("a feature that only verifying needs: check does not call good what it does not understand", async () => {
  needs("verify");
  const check = (): Promise<Ran> => holdfast("agent", "check", "--state", state);
  await expectRefused(check, /feature "time-travel-1" to verify.*newer version/);
  relay.alter = (_, body) => body;
  expect(await check()).toMatchObject({ status: 0 });
});

test("a feature that only writing needs: restores go on", async () => {
  needs("write");
  await expectRefused(backup, /feature "time-travel-1" to write/);
  expect(await restore()).toMatchObject({ status: 0, stderr: "" });
  expect(existsSync(join(target(), source, "a.txt"))).toBe(true);
});
