// What is known of copies of packs elsewhere: what strengthens it, and what takes it away.

import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type IndexEnvironment, openIndexEnvironment } from "../../../gateway/index/environment.ts";
import { PackPlaces } from "../../../gateway/index/packPlaces.ts";

const [one, two] = ["11".repeat(16), "22".repeat(16)] as [string, string];
let directory: string;
let environment: IndexEnvironment;
let places: PackPlaces;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-places-"));
  environment = openIndexEnvironment(join(directory, "index"));
  places = new PackPlaces(environment);
});
afterEach(async () => {
  await environment.close();
  await rm(directory, { recursive: true, force: true });
});

test("a listed copy that was found wrong is listed again when it is proven, also where a stop comes right behind that", () => {
  places.put(7, one, { listed: true, proof: "hashed", provenMs: 5 });
  places.clear(one, 7);
  expect([places.get(7, one), places.wrong(one)]).toEqual([undefined, [7]]);
  // Acknowledged without a proof: that mends nothing.
  places.put(7, one, { listed: false, proof: "none", provenMs: 0 });
  expect([places.get(7, one)?.listed, places.wrong(one)]).toEqual([false, [7]]);
  places.put(7, one, { listed: false, proof: "checksum", provenMs: 9 });
  expect(places.get(7, one)).toEqual({ listed: true, proof: "checksum", provenMs: 9 });
  expect(places.wrong(one)).toEqual([]);
});

test("a copy that is not counted any more is not counted again because somebody read it before that", () => {
  places.put(7, one, { listed: true, proof: "none", provenMs: 0 });
  places.hashed(7, one, 3);
  expect(places.get(7, one)).toEqual({ listed: true, proof: "hashed", provenMs: 3 });
  places.clear(one, 7);
  places.hashed(7, one, 4);
  expect([places.get(7, one), places.wrong(one)]).toEqual([undefined, [7]]);
  places.clear(one);
  places.hashed(7, one, 5);
  expect([places.get(7, one), places.wrong(one)]).toEqual([undefined, []]);
});

test("doubt takes the times of one replica's proofs away, and nothing else", () => {
  for (const replica of [one, two]) places.put(7, replica, { listed: true, proof: "hashed", provenMs: 3 });
  places.doubt(one);
  expect(places.get(7, one)).toEqual({ listed: true, proof: "hashed", provenMs: 0 });
  expect(places.get(7, two)).toEqual({ listed: true, proof: "hashed", provenMs: 3 });
});
