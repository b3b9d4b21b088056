// In a group that was empty nothing is asked, until something of others is there or the run forgets what it sent.

import { expect, test } from "vitest";
import { EmptyGroup } from "../../../agent/upload/emptyGroup.ts";
import type { UploadPort } from "../../../agent/upload/port.ts";
import { idsMax, RecentIds } from "../../../agent/upload/recentIds.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";

function answering(statuses: readonly number[]): UploadPort {
  return {
    have: async (ids) => Buffer.alloc(Math.ceil(ids.length / 8)),
    records: async () => ({ statuses: Uint8Array.from(statuses), missing: [] }),
    read: async () => [],
    suspect: async () => [],
  };
}

test("a group that was not empty is asked", () => {
  expect(new EmptyGroup(false).lacks()).toBe(false);
});

test("one that was is asked from the first record on that was there already", async () => {
  const group = new EmptyGroup(true);
  await group.watched(answering([RecordStatus.stored, RecordStatus.stored])).records([]);
  expect(group.lacks()).toBe(true);
  await group.watched(answering([RecordStatus.stored, RecordStatus.present])).records([]);
  expect(group.lacks()).toBe(false);
});

test("it is asked before the run forgets what it sent", () => {
  const group = new EmptyGroup(true);
  const sent = new RecentIds();
  let count = 0;
  for (; group.lacks(); count++) sent.add(`${count}`);
  expect(count).toBe(idsMax);
  expect(sent.has("0")).toBe(true);
  expect(group.lacks()).toBe(false);
});
