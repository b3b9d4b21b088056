// A check of content that was stopped goes on; whatever became of its file costs time only.

import { randomBytes } from "node:crypto";
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { ProvenChunks } from "../../../agent/inspect/provenChunks.ts";

const now = Date.UTC(2026, 10, 25);
const hourMs = 3600 * 1000;
let state: string;
let path: string;

beforeEach(() => {
  state = mkdtempSync(join(tmpdir(), "holdfast-proven-"));
  path = join(state, "check.partial");
});
afterEach(() => {
  rmSync(state, { recursive: true, force: true });
});

const ids = Array.from({ length: 200 }, () => randomBytes(32));

/** Opens, notes chunks and stops. */
function stopped(chunks: readonly Buffer[], share = "50%", nowMs = now): ProvenChunks {
  const proven = ProvenChunks.open(state, "here", share, nowMs);
  proven.add(chunks);
  proven.close();
  return proven;
}

test("goes on after a stop, with the same lot, and begins anew when it is done", () => {
  const first = stopped(ids.slice(0, 50));
  expect(statSync(path).mode & 0o777).toBe(0o600);
  const second = ProvenChunks.open(state, "here", "50%", now + hourMs);
  expect([second.resumed, second.startedMs]).toEqual([50, now]);
  for (const [index, id] of ids.entries()) {
    expect(second.has(id)).toBe(index < 50);
    expect(second.isDrawn(id, 0.5)).toBe(first.isDrawn(id, 0.5));
  }
  // What is known already is not noted twice.
  second.add(ids.slice(40, 60));
  second.close();
  expect(statSync(path).size).toBe(512 + 8 * 60);

  const third = ProvenChunks.open(state, "here", "50%", now + hourMs);
  expect(third.resumed).toBe(60);
  third.finish();
  expect(existsSync(path)).toBe(false);
  expect(stopped([]).resumed).toBe(0);
});

test("what another gateway's disk held proves nothing", () => {
  stopped(ids.slice(0, 3));
  const other = ProvenChunks.open(state, "there", "50%", now + hourMs);
  expect([other.resumed, other.has(ids[0] as Buffer)]).toEqual([0, false]);
  other.close();
});

test("a share is a share, and all is all", () => {
  const proven = ProvenChunks.unkept(now);
  const many = Array.from({ length: 4000 }, () => randomBytes(32));
  expect(many.every((id) => proven.isDrawn(id, 1))).toBe(true);
  expect(many.some((id) => proven.isDrawn(id, 0))).toBe(false);
  const drawn = many.filter((id) => proven.isDrawn(id, 0.25)).length;
  // 1,000 expected; the chance to be off by 7 standard deviations (27 each) is below one in 10^11.
  expect(Math.abs(drawn - 1000)).toBeLessThan(190);
});

test.each([
  ["another share", "5%", now],
  ["more than a day later", "50%", now + 25 * hourMs],
  ["a clock that went back", "50%", now - 1],
])("%s begins anew", (_, share, nowMs) => {
  stopped(ids);
  const next = stopped([], share, nowMs);
  expect([next.resumed, next.has(ids[0] as Buffer), next.startedMs]).toEqual([0, false, nowMs]);
});

test("a torn tail is cut, rubbish begins anew", () => {
  stopped(ids.slice(0, 3));
  appendFileSync(path, "12345");
  expect(stopped(ids.slice(3, 4)).resumed).toBe(3);
  expect(statSync(path).size).toBe(512 + 8 * 4);
  const last = stopped([]);
  expect([last.resumed, last.has(ids[3] as Buffer)]).toEqual([4, true]);
  for (const rubbish of ["", "short", "x".repeat(400), JSON.stringify({ share: 5 }).padEnd(264)]) {
    writeFileSync(path, rubbish);
    expect(stopped([]).resumed).toBe(0);
    expect(readFileSync(path, "latin1")).toContain('"share":"50%"');
  }
});

test("two at once, or no place for the file: the check works without", () => {
  const first = ProvenChunks.open(state, "here", "50%", now);
  const second = ProvenChunks.open(state, "here", "50%", now);
  second.add(ids);
  second.finish();
  first.add(ids.slice(0, 1));
  first.close();
  expect(statSync(path).size).toBe(512 + 8);
  const nowhere = ProvenChunks.open(join(state, "missing"), "here", "50%", now);
  nowhere.add(ids);
  expect(nowhere.has(ids[0] as Buffer)).toBe(true);
  nowhere.finish();
});
