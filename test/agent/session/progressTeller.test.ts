// What an agent tells of a backup that runs: now and then, one at a time, and nothing that could hold the backup up.

import { expect, test } from "vitest";
import { ProgressTeller } from "../../../agent/session/progressTeller.ts";
import type { ProgressRequest } from "../../../ingest/wire/messages.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

const counts = { files: 1, bytes: 2, totalFiles: 0, totalBytes: 0, sentBytes: 0, warnings: 0 };
const over = { result: "failed", code: ErrorCode.ioError } as const;

function teller(answer: (told: ProgressRequest) => Promise<void>) {
  const heard: ProgressRequest[] = [];
  const stops: unknown[] = [];
  const tell = async (told: ProgressRequest): Promise<void> => {
    heard.push(told);
    await answer(told);
  };
  const made = new ProgressTeller({
    tell,
    told: () => counts,
    stop: (why) => void stops.push(why),
    everyMs: 1,
  });
  return { made, heard, stops };
}

test("one is told after the other, never two at a time; the end is told once", async () => {
  const held = Promise.withResolvers<void>();
  const { made, heard } = teller(() => held.promise);
  await expect.poll(() => heard.length).toBe(1);
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toEqual([counts]);
  held.resolve();
  await expect.poll(() => heard.length).toBeGreaterThan(2);
  await made.end(over);
  const last = heard.length;
  expect(heard[last - 1]).toEqual({ ...counts, over });
  await new Promise((resolve) => setTimeout(resolve, 20));
  expect(heard).toHaveLength(last);
});

test("a gateway that asks it to stop is heard; one that is away changes nothing; one of before is asked no more", async () => {
  const cancelled = teller(async () => {
    throw new HoldfastError(ErrorCode.backupCancelled, "planted");
  });
  await expect.poll(() => cancelled.stops.length).toBeGreaterThan(0);
  expect(cancelled.stops[0]).toMatchObject({ code: ErrorCode.backupCancelled });
  await cancelled.made.end();

  const away = teller(async () => {
    throw new HoldfastError(ErrorCode.gatewayUnreachable, "planted");
  });
  await expect.poll(() => away.heard.length).toBeGreaterThan(2);
  await away.made.end(over);
  expect([away.heard.at(-1), away.stops]).toEqual([{ ...counts, over }, []]);

  const before = teller(async () => {
    throw new HoldfastError(ErrorCode.notFound, "planted");
  });
  await expect.poll(() => before.heard.length).toBe(1);
  await before.made.end(over);
  expect(before.heard).toEqual([counts]);
});
