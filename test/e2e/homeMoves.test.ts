// A home that moves while a backup runs: the box is sealed in the middle of it, by real processes.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { seededBytes } from "../vault/seeded.ts";
import { freePort } from "./freePort.ts";
import { done, enroll, holdfast, lastEvent, makeSource, openSite, Program, runGateway } from "./program.ts";

test("a box that is sealed under a running backup: it starts over at the datacentre", {
  timeout: 120_000,
}, async () => {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  for (let i = 0; i < 12; i++) writeFileSync(join(source, `part ${i}`), seededBytes(`part ${i}`, 2 ** 20));
  const [box, passphrase] = [join(site.folder, "box"), join(site.folder, "passphrase")];
  writeFileSync(passphrase, "six words by dice make it\n");
  await done(
    ...["seed", "prepare", box, "--data", site.data, "--account", "alice", "--passphrase-file", passphrase],
    ...[
      "--listen",
      `127.0.0.1:${await freePort()}`,
      "--datacentre-url",
      site.url,
      "--kdf-iterations",
      "210000",
    ],
  );
  const carried = new Program(["gateway", "run", "--data", box, "--passphrase-file", passphrase]);
  onTestFinished(async () => {
    await carried.stop("SIGKILL");
  });
  await carried.printed(/gateway is listening/);
  const backup = new Program([...["agent", "backup", source, "--state", state, "--limit-upload", "2MiB"]]);
  await carried.printed(/POST.*\/v1\/sessions|session/);
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(backup.child.exitCode).toBe(null);
  await done("seed", "seal", "--data", box);
  const ended = await backup.ended();
  expect(ended.stdout + ended.stderr).toContain("starting over there");
  expect(ended.status).toBe(0);
  await carried.stop();
  await done(..."seed import".split(" "), box, "--data", site.data);
  const target = join(site.folder, "restored");
  await done("agent", "restore", "latest", "--target", target, "--state", state);
  expect(compareTrees(source, join(target, source))).toEqual([]);
});

test("home move, undo, and a home that does not answer", async () => {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  await done("agent", "backup", source, "--state", state);
  const other = join(site.folder, "other");
  await done(
    "gateway",
    "init",
    "--data",
    other,
    "--listen",
    `127.0.0.1:${await freePort()}`,
    "--recovery-key-file",
    join(site.folder, "other-key"),
  );
  const elsewhere = await runGateway(other);
  onTestFinished(async () => {
    await elsewhere.stop("SIGKILL");
  });
  const status = JSON.parse(await done("gateway", "status", "--data", other, "--json")) as {
    url: string;
    fingerprint: string;
  };
  const move = [
    "home",
    "move",
    "alice",
    "--data",
    site.data,
    "--to",
    status.url,
    "--fingerprint",
    status.fingerprint,
  ];
  const refused = await holdfast(...move);
  expect(refused.status).toBe(1);
  expect(refused.stderr).toMatch(/carries neither.*--force/s);
  await done(...move, "--force");
  // It has no account alice: the agent is there, and its token is nobody's.
  const stranger = await holdfast("agent", "backup", source, "--state", state);
  expect(stranger.status).toBe(1);
  expect(stranger.stderr).toMatch(/token/);
  await elsewhere.stop();
  await done("home", "undo", "alice", "--data", site.data);
  expect(lastEvent(await done("agent", "backup", source, "--state", state, "--json"))).toMatchObject({
    event: "done",
  });
  expect(await done("home", "show", "--data", site.data)).toMatch(/alice +\* +\S+ \(here\)/);
});
