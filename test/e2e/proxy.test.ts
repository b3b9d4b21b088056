// Agents and replicas through a real squid that wants a password, and through bad ones. The gateway is reached by a name that squid alone
// knows, so nothing here works by another way.

import { execFileSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import * as http from "node:http";
import * as https from "node:https";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { createCertificate } from "../../gateway/certificate.ts";
import { openS3Store } from "../../gateway/replica/s3/s3Store.ts";
import { Proxies } from "../../ingest/line/proxies.ts";
import { FaultProxy } from "../faults/faultProxy.ts";
import { describeTree } from "../faults/sourceTree.ts";
import { Squid } from "../testbeds/squid.ts";
import { seededBytes } from "../vault/seeded.ts";
import { done, enrollArguments, makeSource, openSite, Program, type Ran, type Site } from "./program.ts";

const undo: (() => void | Promise<void>)[] = [];
const later = (step: () => void | Promise<void>): void => void undo.push(step);
const host = "gateway.test";
const password = "s3cr:t@%";
const login = `al:${encodeURIComponent(password)}@`;
let squid: Squid;
let site: Site;
/** The site by the name that squid knows. */
let known: Site;
let state: string;
let source: string;

beforeAll(async () => {
  [squid, site] = await Promise.all([Squid.start({ name: "al", password }, [host]), openSite(later)]);
  later(() => squid.stop());
  known = { ...site, url: `https://${host}:${new URL(site.url).port}` };
  state = join(site.folder, "state-laptop");
  source = makeSource(site.folder);
  writeFileSync(join(source, "large"), seededBytes("proxy", 12_000_000));
});
afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

function run(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  return new Program(args, environment).ended();
}

/** With no secret in what it printed. */
async function succeeds(args: readonly string[], environment: NodeJS.ProcessEnv = {}): Promise<Ran> {
  const ran = await run(args, environment);
  expect(ran.status, ran.stderr + ran.stdout).toBe(0);
  expect(ran.stderr + ran.stdout).not.toMatch(/s3cr/);
  return ran;
}

const proxyAt = (port: number, credentials = ""): string => `http://${credentials}127.0.0.1:${port}`;
const config = (folder: string, text: string): void => {
  mkdirSync(folder, { recursive: true, mode: 0o700 });
  writeFileSync(join(folder, "config.toml"), text);
  chmodSync(join(folder, "config.toml"), 0o600);
};

test("a password that is missing, wrong, or in sight is said, with what to do", async () => {
  const args = enrollArguments(known, "laptop");
  const missing = await run(args, { HTTPS_PROXY: proxyAt(squid.port) });
  expect(missing.status).toBe(1);
  expect(missing.stderr).toContain(
    `the proxy at 127.0.0.1:${squid.port} wants a name and password. Write them into`,
  );
  const wrong = await run(args, { https_proxy: proxyAt(squid.port, "al:wrong-one@") });
  expect(wrong.status).toBe(1);
  expect(wrong.stderr).toContain("does not take the name and password that it was given");
  expect(wrong.stderr).not.toContain("wrong-one");
  const inSight = await run([...args, "--proxy", proxyAt(squid.port, login)]);
  expect(inSight.status).toBe(2);
  expect(inSight.stderr).toContain("config.toml");
  expect(inSight.stderr).not.toContain("s3cr");

  config(state, `proxy = "${proxyAt(squid.port, login)}"\n`);
  chmodSync(join(state, "config.toml"), 0o644);
  const readable = await run(args);
  expect(readable.status).toBe(2);
  expect(readable.stderr).toContain("chmod 600");
});

test("through squid: enrolled by the environment, backed up and restored by config.toml; the pin is checked inside", async () => {
  const environment = { HTTPS_PROXY: proxyAt(squid.port, login) };
  config(state, "");
  const pinned = enrollArguments({ ...known, fingerprint: `SHA256:${"0".repeat(64)}` }, "laptop");
  const mismatch = await run(pinned, environment);
  expect(mismatch.stderr).toContain("is pinned");
  await succeeds(enrollArguments(known, "laptop"), environment);
  config(state, `proxy = "${proxyAt(squid.port, login)}"\n[backup]\nexclude = ["*.tmp"]\n`);
  await succeeds(["config", "check", "--state", state]);
  await succeeds(["agent", "backup", source, "--state", state]);
  const target = join(site.folder, "back");
  await succeeds(["agent", "restore", `latest:${source}`, "--target", target, "--state", state]);
  expect(describeTree(target)).toEqual(describeTree(source));
  expect(squid.log).toMatch(new RegExp(`TCP_TUNNEL/200 \\d+ CONNECT ${host}:`));
});

test("a gateway on this machine: by no proxy of the environment, by one of config.toml unless it is an exception", async () => {
  const nobody = proxyAt(1);
  const loopback = join(site.folder, "state-loopback");
  await succeeds(enrollArguments(site, "loopback"), { HTTPS_PROXY: nobody });
  config(loopback, `proxy = "${nobody}"\n`);
  const list = ["agent", "snapshots", "--state", loopback];
  const away = await run(list);
  expect(away.status).toBe(1);
  expect(away.stderr).toContain("the proxy at 127.0.0.1:1 opens no way");
  await succeeds(list, { NO_PROXY: "127.0.0.0/8" });
  await succeeds([...list, "--no-proxy", "127.0.0.1"]);
  await succeeds([...list, "--proxy", "none"]);
});

test("a proxy that cuts ways in the middle of a backup, and refuses some, is a broken line", async () => {
  const bad = await FaultProxy.start("tcp", proxyAt(squid.port), ({ number }) => {
    if (number === 0) return { kind: "reset", direction: "down", afterBytes: 0 };
    // TLS and the first requests pass; then it is in the middle of records.
    return number < 5 ? { kind: "reset", direction: "up", afterBytes: 900_000 } : undefined;
  });
  try {
    const more = join(site.folder, "more");
    mkdirSync(more);
    for (let file = 0; file < 6; file++)
      writeFileSync(join(more, `f${file}`), seededBytes(`proxy ${file}`, 5_000_000));
    config(state, `proxy = "${proxyAt(bad.port, login)}"\n`);
    await succeeds(["agent", "backup", more, "--item", "more", "--state", state]);
    expect(bad.fired.reset).toBeGreaterThan(2);
    const target = join(site.folder, "more back");
    await succeeds([
      "agent",
      "restore",
      `latest:${more}`,
      "--item",
      "more",
      "--target",
      target,
      "--state",
      state,
    ]);
    expect(describeTree(target)).toEqual(describeTree(more));
  } finally {
    await bad.close();
  }
});

test("a replica on another gateway by the proxy of the gateway's config.toml", async () => {
  const office = await openSite();
  const token = join(office.folder, "office.token");
  await done("peer", "add", "office", "--token-file", token, "--url", known.url, "--data", site.data);
  const add = ["replica", "add", "offsite", known.url, "--token-file", token, "--data", office.data];
  const file = join(office.data, "config.toml");
  const before = readFileSync(file, "utf8");
  const by = async (credentials: string): Promise<void> => {
    writeFileSync(file, before.replace(/^proxy = .*$/m, `proxy = "${proxyAt(squid.port, credentials)}"`));
    const { stderr, stdout } = office.gateway;
    office.gateway.child.kill("SIGHUP");
    const said = () =>
      office.gateway.stdout.slice(stdout.length) + office.gateway.stderr.slice(stderr.length);
    await expect.poll(said).toMatch(/settings were read again/);
  };
  await by("al:no@");
  expect((await run(add)).stderr).toContain("does not take the name and password");
  await by(login);
  await succeeds(add);
  await succeeds(["replica", "run", "offsite", "--data", office.data]);
  expect(squid.log.split("\n").filter((line) => line.includes("TCP_TUNNEL/200")).length).toBeGreaterThan(3);
  expect(office.gateway.stdout + office.gateway.stderr).not.toContain("s3cr");
});

test("S3 by a proxy, with TLS and without", async () => {
  const { certificate, key } = await createCertificate("s3", ["s3.test", "gateway.test"], new Date());
  const file = join(site.folder, "s3.pem");
  writeFileSync(file, certificate);
  const object = Buffer.from("of a bucket");
  const answer: http.RequestListener = (request, response) => {
    request.resume();
    response.writeHead(206, { "content-range": `bytes 0-10/11`, "content-length": "11" }).end(object);
  };
  const servers = [https.createServer({ cert: certificate, key }, answer), http.createServer(answer)];
  const proxies = new Proxies({ proxy: proxyAt(squid.port, login) }, {});
  for (const [at, server] of servers.entries()) {
    server.listen(0, "127.0.0.1");
    await once(server, "listening");
    const { port } = server.address() as AddressInfo;
    const replica = {
      url: "s3://bucket/box",
      options: { endpoint: `${at === 0 ? "https" : "http"}://${host}:${port}`, caFile: file },
      conditionalPuts: true,
    };
    const environment = { AWS_ACCESS_KEY_ID: "K", AWS_SECRET_ACCESS_KEY: "s" };
    const tuning = { triesMax: 2, firstPauseMs: 1, pauseMaxMs: 1 };
    const context = { now: () => new Date(), environment, tuning };
    const store = await openS3Store(replica, { ...context, proxies });
    expect(await store.getRange("vaults/a", 0, 11)).toEqual(object);
    await store.close();
    const refused = await openS3Store(replica, {
      ...context,
      proxies: new Proxies({ proxy: proxyAt(squid.port) }, {}),
    });
    await expect(refused.head("vaults/a")).rejects.toMatchObject({
      code: "replica-refused",
      message: expect.stringContaining("wants a name and password"),
    });
    await refused.close();
    server.closeAllConnections();
    server.close();
  }
});

test("what runs in the background shows no password to who lists processes", async () => {
  config(state, `proxy = "${proxyAt(squid.port, login)}"\n`);
  const runner = new Program(["agent", "run", "--state", state, "--no-proxy", "nobody.test"]);
  await runner.printed(/Backing up/);
  const listed = execFileSync("ps", ["-eo", "args"], { encoding: "utf8" });
  expect(listed).toContain("nobody.test");
  expect(listed).not.toContain("s3cr");
  await runner.stop();
});
