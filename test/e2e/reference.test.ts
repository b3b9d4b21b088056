// A second machine of an account, after the first one's tree was edited: real processes from end to end.

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { compareTrees } from "../fidelity/compareTrees.ts";
import { done, enroll, enrollArguments, lastEvent, openSite, type Site } from "./program.ts";

let site: Site;
let source: string;
let firstSnapshot: unknown;
let firstSent: number;
const undo: (() => void | Promise<void>)[] = [];
const files = 600;

/** A file of 4 to 16 KB that compresses like text. */
function put(index: number, text: string): void {
  const folder = join(source, `d${index % 9}`);
  mkdirSync(folder, { recursive: true });
  const line = `${text} ${index} ${(index * 2654435761) % 1_000_003}\n`;
  writeFileSync(
    join(folder, `f${index}`),
    line.repeat(4 + Math.ceil((4000 + (index % 7) * 2000) / line.length)),
  );
}

async function backup(state: string, ...more: string[]): Promise<Record<string, unknown>> {
  return lastEvent(await done("agent", "backup", source, "--state", state, "--json", ...more));
}

beforeAll(async () => {
  site = await openSite((step) => undo.push(step));
  source = join(site.folder, "source");
  for (let index = 0; index < files; index++) put(index, "first");
  const first = await enroll(site, "first");
  const whole = await backup(first);
  expect(whole.reference).toBeNull();
  firstSent = whole.sent_bytes as number;
  for (let index = 0; index < files; index += 30) put(index, "edited");
  firstSnapshot = (await backup(first)).snapshot;
});

afterAll(async () => {
  for (const step of undo.reverse()) await step();
});

test("it sends next to nothing, says where its files are, and restores", async () => {
  const state = await enroll(site, "second");
  const event = await backup(state);
  expect(event).toMatchObject({ files, files_read: files, warnings: 0 });
  expect(event.reference).toMatchObject({ snapshot: firstSnapshot, device: "first", item: "files" });
  // Folders above the source differ by the state of this very test; those few pages are all that is sent.
  expect(event.sent_bytes).toBeLessThan(20_000);
  expect(event.read_back_bytes).toBeGreaterThan(0);
  const target = join(site.folder, "restored");
  await done("agent", "restore", "latest", "--target", target, "--state", state);
  await done("agent", "check", "--read-data", "100%", "--state", state);
  const restored = join(target, source);
  expect(compareTrees(source, restored)).toEqual([]);
  const next = await backup(state);
  expect(next.reference).toBeNull();
});

test("another item of the same machine profits likewise", async () => {
  const event = await backup(join(site.folder, "state-first"), "--item", "more");
  expect(event.reference).toMatchObject({ item: "files" });
  expect(event.sent_bytes).toBeLessThan(20_000);
});

test("not when it is not to, and not in a group of its own", async () => {
  const third = await enroll(site, "third");
  const event = await backup(third, "--no-reference");
  expect(event.reference).toBeNull();
  expect(event.sent_bytes).toBeGreaterThan(20_000);
  await done(...enrollArguments(site, "alone"), "--isolated");
  const alone = await backup(join(site.folder, "state-alone"));
  expect(alone.reference).toBeNull();
  expect(alone.read_back_bytes).toBe(0);
  expect(alone.sent_bytes).toBeGreaterThan(firstSent * 0.9);
});
