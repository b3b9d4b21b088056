// Which wishes for records travel together, and what becomes of a request that breaks off.

import { setImmediate as turn } from "node:timers/promises";
import { expect, test } from "vitest";
import { RecordFetcher } from "../../../agent/restore/recordFetcher.ts";
import type { RecordResult, RecordSource } from "../../../fs/view/ports.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

const MiB = 1024 * 1024;

type Request = {
  readonly ids: number[];
  answer(): Promise<void>;
  fail(error: Error): Promise<void>;
};

/** A fetcher whose requests wait until the test answers them. */
function fetching() {
  const requests: Request[] = [];
  const source: RecordSource = {
    readEach: async (_vault, _group, ids, take) => {
      const { promise, resolve, reject } = Promise.withResolvers<void>();
      const settled = async (settle: () => void) => {
        settle();
        await twoTurns();
      };
      requests.push({
        ids: ids.map((id) => (id as Buffer).readUInt32LE()),
        answer: () => settled(resolve),
        fail: (error) => settled(() => reject(error)),
      });
      await promise;
      for (const [index, id] of ids.entries()) {
        const result: RecordResult = { state: "record", record: Buffer.from(id) };
        take(index, result);
      }
    },
  };
  const stop = new AbortController();
  const fetcher = new RecordFetcher(source, "aa".repeat(16), 7, stop.signal);
  let next = 0;
  /** The number of the record that each promise brought. */
  const ask = (count: number, bytes: number): Promise<number>[] =>
    Array.from({ length: count }, async () => {
      const id = Buffer.alloc(32);
      id.writeUInt32LE(next++);
      const result = await fetcher.fetch(id, bytes);
      return result.state === "record" ? Buffer.from(result.record).readUInt32LE() : -1;
    });
  return { fetcher, requests, ask };
}

/** Requests leave at the end of a turn, and what follows an answer at the end of the next. */
async function twoTurns(): Promise<void> {
  await turn();
  await turn();
}

test("what is asked for in one turn is one request, and each gets its own record", async () => {
  const { fetcher, requests, ask } = fetching();
  const numbers = Promise.all(ask(100, 100));
  expect(requests).toEqual([]);
  await twoTurns();
  expect(requests.map(({ ids }) => ids.length)).toEqual([100]);
  await requests[0]?.answer();
  expect(await numbers).toEqual(Array.from({ length: 100 }, (_, i) => i));
  expect({ records: fetcher.fetchedRecords, bytes: fetcher.fetchedBytes }).toEqual({
    records: 100,
    bytes: 3200,
  });
});

test("small wishes gather while an answer is on its way", async () => {
  const { requests, ask } = fetching();
  const all = ask(1, 1000);
  await twoTurns();
  for (let i = 0; i < 50; i++) {
    all.push(...ask(1, 1000));
    await twoTurns();
  }
  expect(requests.map(({ ids }) => ids.length)).toEqual([1]);
  await requests[0]?.answer();
  expect(requests.map(({ ids }) => ids.length)).toEqual([1, 50]);
  await requests[1]?.answer();
  expect(await Promise.all(all)).toEqual(Array.from({ length: 51 }, (_, i) => i));
});

test("enough to gather leaves at once, in three requests at a time and no more", async () => {
  const { requests, ask } = fetching();
  const all: Promise<number>[] = [];
  for (let i = 0; i < 5; i++) {
    all.push(...ask(2, MiB));
    await twoTurns();
  }
  expect(requests.map(({ ids }) => ids)).toEqual([
    [0, 1],
    [2, 3],
    [4, 5],
  ]);
  await requests[1]?.answer();
  expect(requests.map(({ ids }) => ids).slice(3)).toEqual([[6, 7, 8, 9]]);
  for (const request of [0, 2, 3]) await requests[request]?.answer();
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
});

test("a request has 128 ids at the most, and 8 MiB and the record that goes beyond them", async () => {
  const many = fetching();
  const small = many.ask(300, 1);
  await twoTurns();
  expect(many.requests.map(({ ids }) => ids.length)).toEqual([128]);
  await many.requests[0]?.answer();
  await many.requests[1]?.answer();
  await many.requests[2]?.answer();
  expect(many.requests.map(({ ids }) => ids.length)).toEqual([128, 128, 44]);
  expect((await Promise.all(small)).length).toBe(300);

  const large = fetching();
  const all = large.ask(5, 3 * MiB);
  await twoTurns();
  expect(large.requests.map(({ ids }) => ids)).toEqual([
    [0, 1, 2],
    [3, 4],
  ]);
  for (const { answer } of large.requests) await answer();
  expect(await Promise.all(all)).toEqual([0, 1, 2, 3, 4]);
});

const brokenOff = new HoldfastError(ErrorCode.gatewayUnreachable, "the connection ended");

test("an answer that breaks off is asked for again, three times in all", async () => {
  const { requests, ask } = fetching();
  const [first, second] = ask(2, 1) as [Promise<number>, Promise<number>];
  await twoTurns();
  await requests[0]?.fail(brokenOff);
  await requests[1]?.fail(brokenOff);
  await requests[2]?.answer();
  expect(requests.map(({ ids }) => ids)).toEqual([
    [0, 1],
    [0, 1],
    [0, 1],
  ]);
  expect(await Promise.all([first, second])).toEqual([0, 1]);

  const refused = expect(Promise.all(ask(1, 1))).rejects.toBe(brokenOff);
  await twoTurns();
  for (const request of [3, 4, 5]) await requests[request]?.fail(brokenOff);
  await refused;
  expect(requests.length).toBe(6);
});

test("any other failure is told at once, to all whom it concerns, and what waits goes on", async () => {
  const { requests, ask } = fetching();
  const failed = ask(2, MiB).map((promise) => promise.catch((error: Error) => error.message));
  await twoTurns();
  const waiting = ask(1, 1);
  await requests[0]?.fail(new Error("the disk is full"));
  expect(await Promise.all(failed)).toEqual(["the disk is full", "the disk is full"]);
  expect(requests.map(({ ids }) => ids)).toEqual([[0, 1], [2]]);
  await requests[1]?.answer();
  expect(await Promise.all(waiting)).toEqual([2]);
});
