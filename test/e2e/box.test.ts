// A box as a technician uses it: the commands of the checklist (docs/operations.md), by real processes.

import { appendFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { freePort } from "./freePort.ts";
import { done, enroll, holdfast, lastEvent, makeSource, openSite, Program } from "./program.ts";

const taking = ["seed", "import"] as const;

test("prepare, run, back up, seal, back up at the datacentre", async () => {
  const site = await openSite();
  const config = join(site.data, "config.toml");
  writeFileSync(config, readFileSync(config, "utf8").replace(/^public-url.*/m, `public-url = "${site.url}"`));
  site.gateway.child.kill("SIGHUP");
  await site.gateway.printed(/settings were read again/);
  const state = await enroll(site, "laptop");
  const source = makeSource(site.folder);
  await done("agent", "backup", source, "--state", state);
  const [box, passphrase, wrong] = ["box", "passphrase", "wrong"].map((name) => join(site.folder, name));
  writeFileSync(passphrase!, "six words by dice make it\n");
  writeFileSync(wrong!, "six words by dice make if\n");
  const data = ["--data", site.data] as const;
  const prepare = [
    ...["seed", "prepare", box!, ...data, "--account", "alice", "--passphrase-file", passphrase!],
    ...["--listen", `127.0.0.1:${await freePort()}`, "--kdf-iterations", "210000", "--json"],
  ];
  expect(lastEvent(await done(...prepare, "--dry-run"))).toMatchObject({
    dry_run: true,
    accounts: [{ name: "alice", devices: [{ name: "laptop", items: 1 }] }],
    ...{ eta_from: "assumed", backup: { eta_from: "assumed" } },
  });
  expect(lastEvent(await done(...prepare))).toMatchObject({ event: "done", box: 1, directory: box });
  const again = await holdfast(...prepare);
  expect(again).toMatchObject({ status: 1 });
  expect(again.stdout).toContain('"exists"');

  for (const command of [
    ["gateway", "run"],
    ["seed", "status"],
  ]) {
    const refused = await holdfast(...command, "--data", box!, "--passphrase-file", wrong!);
    expect(refused.status).toBe(1);
    expect(refused.stderr).toMatch(/not the passphrase of box 1/);
    const unasked = await holdfast(...command, "--data", box!);
    expect(unasked.stderr).toMatch(/a passphrase is needed/);
  }
  const running = new Program(["gateway", "run", "--data", box!], {
    HOLDFAST_PASSPHRASE: "six words by dice make it",
  });
  onTestFinished(async () => {
    await running.stop("SIGKILL");
  });
  await running.printed(/gateway is listening/);
  appendFileSync(join(source, "a.txt"), "more\n");
  // The datacentre sends it to the box, which has none of its snapshots: everything is read.
  expect(lastEvent(await done("agent", "backup", source, "--state", state, "--json"))).toMatchObject({
    event: "done",
    files: 5,
    files_read: 4,
    warnings: 0,
  });
  const target = join(site.folder, "restored");
  await done("agent", "restore", "latest", "--target", target, "--state", state);
  expect(compareTrees(source, join(target, source))).toEqual([]);

  const boxData = ["--data", box!] as const;
  const plan = lastEvent(await done("seed", "seal", ...boxData, "--dry-run", "--json"));
  // Nothing is in a closed pack yet, so nothing can be measured.
  expect(plan).toMatchObject({ dry_run: true, left_bytes: plan.pack_bytes, eta_from: "assumed" });
  expect(plan).toMatchObject({ sending: { eta_from: "assumed", bytes: expect.any(Number) } });
  const disk = join(site.folder, "disk");
  mkdirSync(disk);
  const extend = ["seed", "extend", ...boxData, "--disk", disk, "--dry-run"] as const;
  expect(lastEvent(await done(...extend, "--json"))).toMatchObject({
    ...{ dry_run: true, bytes: plan.pack_bytes, eta_from: "assumed" },
  });
  expect((await holdfast("seed", "seal", ...boxData, "--reopen", "--dry-run")).stderr).toContain(
    "is not sealed",
  );
  const sealed = await done("seed", "seal", ...boxData);
  expect(sealed).toMatch(/Box 1 is sealed \(seal 1\).*\nCode: HFB-1-[0-9A-Z]{4}-[0-9A-Z]{4}\n[█▀▄ \n]+/);
  expect(sealed).toMatch(/its manifest|has the manifest/);
  const code = /HFB-[0-9A-Z-]+/.exec(sealed)![0];
  expect(await done("seed", "seal", ...boxData, "--reopen", "--dry-run")).toContain(
    "Would ask the datacentre",
  );
  const onBoard = lastEvent(await done("seed", "seal", ...boxData, "--dry-run", "--json"));
  expect(onBoard).toMatchObject({ already: true, left_bytes: 0, eta_seconds: 0 });
  const bytes = onBoard.pack_bytes;
  const extending = await holdfast(...extend);
  expect(extending).toMatchObject({ status: 2, stderr: expect.stringContaining("the box is sealed") });
  await done("seed", "custody", ...boxData, "--add", "handed to the courier");
  const entries = await done("seed", "custody", ...boxData, "--json");
  expect(entries.match(/"event":"[a-z]+"/g)).toEqual(
    ["prepared", "started", "sealed", "note"].map((event) => `"event":"${event}"`),
  );
  const { stderr } = await running.stop();
  expect(stderr).not.toMatch(/six words|hfx_|hfd_/);

  expect(lastEvent(await done("seed", "status", "1", ...data, "--json"))).toMatchObject({
    ...{ box: 1, state: "sealed", code, pending_snapshots: 1 },
  });
  expect(lastEvent(await done("seed", "abandon", "1", ...data, "--dry-run", "--json"))).toMatchObject({
    ...{ dry_run: true, box: 1, lost_bytes: bytes, eta_from: "measured" },
    sending: { bytes, eta_from: "assumed" },
  });
  expect(lastEvent(await done(...taking, box!, ...data, "--dry-run", "--json"))).toMatchObject({
    ...{ dry_run: true, read_bytes: bytes, eta_from: "measured" },
  });
  const moving = await done("home", "move", "alice", "--here", ...data, "--dry-run", "--json");
  expect(lastEvent(moving)).toMatchObject({ dry_run: true, bytes: 0, devices: [], eta_from: "assumed" });
  appendFileSync(join(source, "a.txt"), "and more\n");
  expect(lastEvent(await done("agent", "backup", source, "--state", state, "--json"))).toMatchObject({
    event: "done",
    files_read: 1,
  });
  expect(await done("agent", "snapshots", "--state", state)).toContain("completes when box 1 arrives");
});

test("without a line the manifest is carried in a file", async () => {
  const site = await openSite();
  const state = await enroll(site, "laptop");
  const [box, passphrase, file] = ["box", "passphrase", "box.hfb"].map((name) => join(site.folder, name));
  writeFileSync(passphrase!, "six words by dice make it\n");
  const withBox = ["--data", box!, "--passphrase-file", passphrase!] as const;
  await done(
    ...["seed", "prepare", box!, "--data", site.data, "--account", "alice", "--passphrase-file", passphrase!],
    ...["--url", "https://127.0.0.1:9", "--kdf-iterations", "210000"],
  );
  expect((await holdfast("seed", "promise", file!, "--data", site.data)).status).toBe(1);
  // It is not known where the datacentre is: sealed all the same, and told.
  const sealed = await holdfast("seed", "seal", ...withBox);
  expect(sealed).toMatchObject({ status: 2 });
  expect(sealed.stderr).toContain("--manifest-out FILE");
  await done("seed", "seal", ...withBox, "--offline", "--manifest-out", file!);
  const look = await done("seed", "promise", file!, "--data", site.data, "--dry-run", "--json");
  expect(lastEvent(look)).toMatchObject({ dry_run: true, box: 1, already: false, eta_from: "measured" });
  expect(await done("seed", "promise", file!, "--data", site.data)).toContain(
    "Box 1, seal 1: 0 chunks promised",
  );
  expect(await done("seed", "promise", file!, "--data", site.data)).toContain("taken in before");
  expect(await done("seed", "status", ...withBox)).toContain("sealed, code HFB-1-");
  await done("agent", "backup", makeSource(site.folder), "--state", state);
});
