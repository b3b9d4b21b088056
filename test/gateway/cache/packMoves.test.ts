// Bringing packs and their tails back from replicas, leaving a replica, and what a stop left half done.

import {
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closedPackPath } from "../../../gateway/store/packPaths.ts";
import { tailPath } from "../../../gateway/store/packTails.ts";
import { EvictFixture } from "./evictFixture.ts";
import { replicaPack } from "./replicaFolder.ts";

let here: EvictFixture;
beforeEach(async () => {
  here = await EvictFixture.create();
});
afterEach(() => here.remove());

test("a tail that is lost or damaged is taken from a whole copy", async () => {
  await here.replicate(here.first);
  await here.evictAll();
  await here.reopen();
  const [a, b] = here.packs();
  rmSync(tailPath(here.directory, a!.name!));
  const tail = readFileSync(tailPath(here.directory, b!.name!));
  tail[40]! ^= 1;
  writeFileSync(tailPath(here.directory, b!.name!), tail);
  expect(await here.readAll()).toEqual(here.allSame());
  tail[40]! ^= 1;
  expect(readFileSync(tailPath(here.directory, b!.name!)).equals(tail)).toBe(true);
});

test("fetching back: whole, from the next replica when the first is wrong, and only what has the right hash", async () => {
  await here.replicate(here.first);
  await here.replicate(here.second, "hashed");
  await here.evictAll();
  const { moves } = here.elsewhere;
  const [a, b, c] = here.packs();
  for (const replica of [here.first, here.second])
    truncateSync(replicaPack(replica, here.vault.id, b!.name!), 10);
  writeFileSync(replicaPack(here.first, here.vault.id, c!.name!), Buffer.alloc(c!.bytes, 1));
  await moves.fetchBack(a!.ordinal);
  await moves.fetchBack(c!.ordinal);
  await expect(moves.fetchBack(b!.ordinal)).rejects.toMatchObject({ code: "replica-damaged" });
  const states = here.packs().map(({ state }) => state);
  expect(states.slice(0, 4)).toEqual(["closed", "evicted", "closed", "evicted"]);
  for (const row of [a!, c!]) expect(existsSync(closedPackPath(here.directory, row.name!))).toBe(true);
  const left = readdirSync(join(here.directory, "packs"), { recursive: true, encoding: "utf8" });
  expect(left.filter((name) => name.endsWith(".tmp"))).toEqual([]);
});

test("leaving a replica brings back what is proven nowhere else, and leaves the rest evicted", async () => {
  await here.replicate(here.first);
  await here.evictAll();
  const rows = here.packs();
  const { moves, places } = here.elsewhere;
  // Proven in the second: two of them; one more is known there, unproven.
  for (const [i, row] of rows.slice(0, 3).entries()) {
    places.put(row.ordinal, here.second.id, { listed: true, proof: i < 2 ? "hashed" : "none", provenMs: 1 });
  }
  let count = 0;
  renameSync(here.first.path, `${here.first.path}-away`);
  const leave = () => moves.fetchOnlyIn(here.first.id, () => void count++);
  await expect(leave()).rejects.toMatchObject({ code: "replica-unreachable" });
  expect(
    rows.map((row) => places.get(row.ordinal, here.first.id)?.proof),
    "nothing was taken out",
  ).toEqual(rows.map(() => "hashed"));
  renameSync(`${here.first.path}-away`, here.first.path);
  await expect.poll(() => leave().then(() => "left", String)).toBe("left");
  expect(count).toBe(rows.length - 2);
  expect(moves.isNeeded(here.first.id)).toBe(false);
  expect(here.packs().map(({ state }) => state)).toEqual(rows.map((_, i) => (i < 2 ? "evicted" : "closed")));
});

test("evictions that stopped half way are finished when the vault is opened, and half-fetched files go", async () => {
  await here.replicate(here.first, "hashed");
  const [a, b, c] = here.packs();
  const bytes = readFileSync(closedPackPath(here.directory, a!.name!));
  await here.evictAll();
  // After the transaction, before the file was gone; with and without its tail.
  for (const row of [a!, b!]) {
    const copy = readFileSync(replicaPack(here.first, here.vault.id, row.name!));
    writeFileSync(closedPackPath(here.directory, row.name!), copy);
  }
  rmSync(tailPath(here.directory, a!.name!));
  writeFileSync(`${closedPackPath(here.directory, c!.name!)}.tmp`, bytes.subarray(0, 1000));
  // Fetched back, before the transaction, and its copy was found wrong: this file may be all that is left.
  writeFileSync(
    closedPackPath(here.directory, c!.name!),
    readFileSync(replicaPack(here.first, here.vault.id, c!.name!)),
  );
  here.elsewhere.places.clear(here.first.id, c!.ordinal);
  here.elsewhere.places.put(c!.ordinal, here.first.id, { listed: true, proof: "none", provenMs: 0 });
  await here.reopen();
  const left = readdirSync(join(here.directory, "packs"), { recursive: true, encoding: "utf8" });
  expect(left.filter((name) => name.includes("/"))).toEqual([
    closedPackPath("", c!.name!).slice("packs/".length),
  ]);
  expect(here.vault.store.packs.get(c!.ordinal)?.state).toBe("closed");
  expect(existsSync(tailPath(here.directory, a!.name!))).toBe(true);
  expect(await here.readAll()).toEqual(here.allSame());
});
