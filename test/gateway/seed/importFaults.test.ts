// Imports by an administrator, with whatever can be wrong about boxes: halves, doubles, late ones, and lines that break.

import { createHash } from "node:crypto";
import { readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import type { ImportReport, ImportRequest } from "../../../gateway/admin/importOperations.ts";
import { parseCustody } from "../../../vault/seed/custody.ts";
import { FaultProxy } from "../../faults/faultProxy.ts";
import { contentOf, split } from "./boxDisks.ts";
import {
  type Committed,
  commitOn,
  makeBox,
  makeSite,
  type OpenBox,
  removeSites,
  type Site,
  seal,
  unwatched,
} from "./boxFixture.ts";

const proxies: FaultProxy[] = [];
const open: OpenBox[] = [];
afterEach(async () => {
  for (const proxy of proxies.splice(0)) await proxy.close();
  for (const box of open.splice(0)) await box.close();
  await removeSites();
});

type Filled = { readonly box: OpenBox; readonly directory: string; readonly snapshots: readonly Committed[] };

/** A box with some snapshots, sealed; its manifest is sent unless `silent`. */
async function filled(
  site: Site,
  name: string,
  options: { silent?: boolean; url?: string } = {},
): Promise<Filled> {
  const directory = join(site.scratch, name);
  const rest = options.url === undefined ? {} : { urls: [options.url] };
  const box = await makeBox(site.datacentre, directory, ["acme"], rest);
  open.push(box);
  const snapshots: Committed[] = [];
  for (let n = 0; n < 4; n++)
    snapshots.push(await commitOn(box.client(site.device.token), site.device, `${name} ${n % 2}`));
  await seal(box);
  if (options.silent !== true) await box.administration.seed.send(unwatched);
  return { box, directory, snapshots };
}

function take(
  site: Site,
  sources: readonly string[],
  rest: Partial<ImportRequest> = {},
): Promise<ImportReport> {
  const request = { sources, finish: false, dryRun: false, ...rest };
  return site.datacentre.administration.imports.run(request, unwatched);
}

/** Which of these snapshots are whole at the datacentre, with every record of theirs readable there. */
async function wholeOnes(site: Site, snapshots: readonly Committed[]): Promise<boolean[]> {
  const { client, vault, group } = site.device;
  const rows = await client.snapshots();
  const answers: boolean[] = [];
  for (const { snapshot, root, chunks } of snapshots) {
    const read = await client.readAll(vault, group, [root, ...chunks]);
    const here = read.every((found) => found?.state === "record");
    const row = rows.find(({ id }) => id === snapshot);
    expect(row !== undefined && row.pending === undefined).toBe(here);
    answers.push(here);
  }
  return answers;
}

test("half and half from two disks, in either order, and twice", async () => {
  for (const first of ["disk", "box"] as const) {
    const site = await makeSite();
    const { box, directory, snapshots } = await filled(site, "box");
    await box.close();
    open.splice(0);
    const disk = join(site.scratch, "disk");
    split(site.device.vault, directory, disk, (n) => n % 2 === 0);
    const [one, other] = first === "disk" ? [disk, directory] : [directory, disk];
    const half = await take(site, [one], { box: 1 });
    expect(half).toMatchObject({ state: "importing", refused: 0, receipt: null });
    expect(half.left).toBeGreaterThan(0);
    const whole = await take(site, [other], { box: 1 });
    expect(whole).toMatchObject({ state: "imported", left: 0, refused: 0, snapshots: 4, whole: 4, needs: 0 });
    const { kept, merged, present } = whole.outcomes;
    expect(kept + merged + present).toBe(whole.packs);
    expect(half.takenBytes + whole.takenBytes).toBeLessThanOrEqual(whole.packBytes);
    expect(await wholeOnes(site, snapshots)).toEqual([true, true, true, true]);
    const again = await take(site, [directory, disk]);
    expect(again).toMatchObject({
      outcomes: whole.outcomes,
      takenBytes: 0,
      left: 0,
      state: "imported",
      strays: [],
    });
    const receipt = readFileSync(again.receipt!, "utf8").split("\n")[0]!;
    expect(JSON.parse(receipt)).toMatchObject({
      packs: whole.packs,
      taken: kept + merged,
      present,
      needs: 0,
      whole: 4,
    });
    const custody = parseCustody(readFileSync(join(site.datacentre.path, "seed", "1", "custody")));
    const events = custody.entries.map(({ event }) => event);
    expect(events.slice(-2)).toEqual(["importing", "imported"]);
    expect(events).toHaveLength(new Set(events).size);
  }
});

test("a dry run writes nothing", async () => {
  const site = await makeSite();
  const { box, directory } = await filled(site, "box");
  await box.close();
  open.splice(0);
  // What the manifest brought is settled first.
  const vault = await site.datacentre.gateway.vault(site.device.vault);
  await vault.waits.settle();
  const [before, onDisk] = [contentOf(site.datacentre.path), contentOf(directory)];
  const report = await take(site, [directory], { dryRun: true });
  expect(report).toMatchObject({ state: "sealed", left: 0, receipt: null });
  expect(report.takenBytes).toBeGreaterThan(0);
  expect(contentOf(site.datacentre.path)).toEqual(before);
  expect(contentOf(directory)).toEqual(onDisk);
});

test("a box without a line brings its manifest; one that is forged, and one of another datacentre, bring nothing", async () => {
  const site = await makeSite();
  const { box, directory, snapshots } = await filled(site, "box", { silent: true });
  await box.close();
  open.splice(0);
  await expect(take(site, [directory], { dryRun: true })).rejects.toMatchObject({ code: "not-found" });
  const manifest = join(directory, "seed", "manifest");
  const bytes = readFileSync(manifest);
  writeFileSync(manifest, bytes.toString().replace(/"packs":\d+/, '"packs":1'));
  await expect(take(site, [directory])).rejects.toMatchObject({ code: "seal-invalid" });
  writeFileSync(manifest, bytes.subarray(0, 100));
  await expect(take(site, [directory])).rejects.toMatchObject({ code: "truncated" });
  const other = await makeSite();
  await expect(take(other, [directory])).rejects.toMatchObject({ code: "exists" });
  expect(site.datacentre.gateway.catalog.boxes.get(1)).toMatchObject({ state: "prepared", seal: null });
  writeFileSync(manifest, bytes);
  expect(await take(site, [directory])).toMatchObject({ state: "imported", snapshots: 4, whole: 4 });
  expect(await wholeOnes(site, snapshots)).toEqual([true, true, true, true]);
  // What is here counts now, whatever becomes of the one on the disk.
  writeFileSync(manifest, "nothing\n");
  expect(await take(site, [directory])).toMatchObject({ state: "imported", left: 0 });
});

test("a box that was given up turns up after all, with its manifest known or not", async () => {
  for (const silent of [false, true]) {
    const site = await makeSite();
    const { imports } = site.datacentre.administration;
    const { box, directory, snapshots } = await filled(site, "box", { silent });
    expect(await imports.abandon({ box: 1, dryRun: true }, unwatched)).toMatchObject({ box: 1 });
    await imports.abandon({ box: 1, dryRun: false }, unwatched);
    await imports.abandon({ box: 1, dryRun: false }, unwatched);
    if (silent) {
      // Not by itself, since its token may be in other hands.
      await expect(box.administration.seed.send(unwatched)).rejects.toMatchObject({
        code: "sequence-conflict",
      });
    } else expect(await wholeOnes(site, snapshots)).toEqual([false, false, false, false]);
    await box.close();
    open.splice(0);
    // Pages before what they name: nothing rests on a promise any more.
    const disk = join(site.scratch, "disk");
    split(site.device.vault, directory, disk, (n) => n % 2 === 0);
    const half = await take(site, [directory], { box: 1 });
    expect(half.left).toBeGreaterThan(0);
    expect(await take(site, [directory, disk])).toMatchObject({
      ...{ state: "imported", left: 0, refused: 0, snapshots: 4, whole: 4, needs: 0 },
    });
    expect(await wholeOnes(site, snapshots)).toEqual([true, true, true, true]);
    await expect(imports.abandon({ box: 1, dryRun: false }, unwatched)).rejects.toMatchObject({
      code: "exists",
    });
  }
});

test("two boxes promise the same: one is given up while the other is open, whose import makes both whole", async () => {
  const site = await makeSite();
  const { imports } = site.datacentre.administration;
  const { device } = site;
  const contents = [1, 2, 3].map((n) => createHash("sha512").update(`shared ${n}`).digest());
  const boxes: { box: OpenBox; directory: string; snapshot: Committed }[] = [];
  for (const name of ["one", "two"]) {
    const directory = join(site.scratch, name);
    const box = await makeBox(site.datacentre, directory, ["acme"]);
    open.push(box);
    boxes.push({
      box,
      directory,
      snapshot: await commitOn(box.client(device.token), device, "files", contents),
    });
  }
  for (const { box } of boxes) {
    await seal(box);
    await box.administration.seed.send(unwatched);
  }
  const snapshots = boxes.map(({ snapshot }) => snapshot);
  for (const { box } of boxes) await box.close();
  open.splice(0);
  const vault = await site.datacentre.gateway.vault(device.vault);
  expect(vault.store.promised.have(device.group, Buffer.concat([...snapshots[0]!.chunks]))).toEqual([
    true,
    true,
    true,
  ]);
  await imports.abandon({ box: 1, dryRun: false }, unwatched);
  // All of it comes with the other one.
  expect(vault.store.promised.have(device.group, Buffer.concat([...snapshots[0]!.chunks]))).toEqual([
    true,
    true,
    true,
  ]);
  expect(vault.catalog.waiting.list().flatMap(([, waits]) => waits.map(({ box }) => box))).not.toContain(1);
  expect(await take(site, [boxes[1]!.directory])).toMatchObject({ state: "imported", whole: 1, needs: 0 });
  expect(await wholeOnes(site, snapshots)).toEqual([true, true]);
  // The first one had nothing that is missed.
  expect(await take(site, [boxes[0]!.directory])).toMatchObject({
    state: "imported",
    whole: 1,
    takenBytes: 0,
  });
});

test("over the network: a line that is cut, another machine at the address, a box that is not there", async () => {
  const site = await makeSite();
  const { imports } = site.datacentre.administration;
  const { box, snapshots } = await filled(site, "box");
  const other = await filled(site, "other", { silent: true });
  let cuts = 0;
  const proxy = await FaultProxy.start("tcp", box.listening.url, () =>
    cuts++ < 3 ? { kind: "reset", direction: "down", afterBytes: 40_000 } : undefined,
  );
  proxies.push(proxy);
  const url = `https://127.0.0.1:${proxy.port}`;
  await expect(take(site, [url])).rejects.toMatchObject({ code: "usage" });
  // Another box has taken the place of this one.
  await expect(take(site, [other.box.listening.url], { box: 1 })).rejects.toMatchObject({
    code: "fingerprint-mismatch",
  });
  const stop = new AbortController();
  const gone = await FaultProxy.start("tcp", box.listening.url);
  const { port } = gone;
  await gone.close();
  const waiting = imports.run(
    { sources: [`https://127.0.0.1:${port}`], box: 1, finish: false, dryRun: false },
    { onProgress: () => undefined, signal: stop.signal },
  );
  setTimeout(() => stop.abort(), 300);
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  expect(await take(site, [url], { box: 1 })).toMatchObject({ state: "imported", left: 0, whole: 4 });
  expect(proxy.fired.reset).toBeGreaterThan(0);
  expect(await wholeOnes(site, snapshots)).toEqual([true, true, true, true]);
});

test("a disk that is pulled in the middle: what came counts, and the same goes on", async () => {
  const site = await makeSite();
  const { box, directory, snapshots } = await filled(site, "box");
  await box.close();
  open.splice(0);
  const total = readdirSync(join(directory, "vaults", site.device.vault, "packs"), {
    recursive: true,
  }).filter((path) =>
    statSync(join(directory, "vaults", site.device.vault, "packs", String(path))).isFile(),
  ).length;
  const ends: unknown[] = [];
  for (const after of [0, 1, 3]) {
    const pulled = `${directory}.pulled`;
    const request = { sources: [directory], box: 1, finish: true, dryRun: false };
    const running = site.datacentre.administration.imports.run(request, {
      signal: unwatched.signal,
      onProgress: ({ packsDone }) => {
        if (packsDone === after) renameSync(directory, pulled);
      },
    });
    ends.push(await running.then(({ state }) => state).catch((error: { code?: string }) => error.code));
    renameSync(pulled, directory);
    if (ends.at(-1) !== "imported")
      expect(site.datacentre.gateway.catalog.boxes.get(1)?.state).toBe("importing");
  }
  // Before the first pack was read nothing could come; `--finish` gives up nothing of a disk that is away.
  expect(ends[0]).toBe("seed-source-gone");
  expect(await take(site, [directory])).toMatchObject({ state: "imported", left: 0, packs: total, whole: 4 });
  expect(await wholeOnes(site, snapshots)).toEqual([true, true, true, true]);
  rmSync(directory, { recursive: true });
  await expect(take(site, [directory], { box: 1 })).resolves.toMatchObject({ takenBytes: 0, left: 0 });
});
