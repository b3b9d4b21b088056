import { once } from "node:events";
import { Worker } from "node:worker_threads";
import { describe, expect, it } from "vitest";
import {
  entryNumbers,
  RING_NUMBERS,
  receiveStores,
  StoreSender,
  storeMemory,
} from "../../../fs/fuse/kernel/storeRing.ts";

const ringModule = new URL("../../../fs/fuse/kernel/storeRing.ts", import.meta.url).href;

type Entry = {
  readonly nodeId: number;
  readonly size: number;
  readonly places: number[];
  readonly skipped: boolean;
};

/** What the thread's end gets until it is told to stop. */
function received(memory: ReturnType<typeof storeMemory>): Entry[] {
  const entries: Entry[] = [];
  receiveStores(
    memory,
    () => undefined,
    (next, skipped) => {
      const [nodeId, size, pieces] = [next(), next(), next()];
      const places = Array.from({ length: pieces * 2 }, () => next());
      entries.push({ nodeId, size, places, skipped });
    },
  );
  return entries;
}

describe("the ring of files to store", () => {
  it("gives entries in order, with addresses and ids beyond 32 bits", () => {
    const memory = storeMemory();
    const sender = new StoreSender(memory);
    const places = [0x7fff_1234_5678, 10, 0x7fff_0000_0010, 7];
    expect(sender.write(2 ** 52 + 1, 17, places)).toBe(entryNumbers(2));
    sender.write(2 ** 34, 1, [64, 1]);
    sender.send();
    sender.stop();
    expect(sender.waiting).toBe(2);
    expect(received(memory)).toEqual([
      { nodeId: 2 ** 52 + 1, size: 17, places, skipped: false },
      { nodeId: 2 ** 34, size: 1, places: [64, 1], skipped: false },
    ]);
    expect(sender.waiting).toBe(0);
  });

  it("skips what was written before a barrier, and nothing after it", () => {
    const memory = storeMemory();
    const sender = new StoreSender(memory);
    for (let file = 1; file <= 3; file++) sender.write(file, 1, [file, 1]);
    sender.skip();
    sender.write(4, 1, [4, 1]);
    sender.send();
    sender.stop();
    expect(received(memory).map(({ nodeId, skipped }) => [nodeId, skipped])).toEqual([
      [1, true],
      [2, true],
      [3, true],
      [4, false],
    ]);
  });

  it("goes round its memory any number of times", async () => {
    const memory = storeMemory();
    const sender = new StoreSender(memory);
    const source = `
      import { receiveStores } from ${JSON.stringify(ringModule)};
      import { parentPort, workerData } from "node:worker_threads";
      let sum = 0;
      receiveStores(workerData, () => {}, (next) => {
        const [nodeId, size, pieces] = [next(), next(), next()];
        for (let at = 0; at < 2 * pieces; at++) sum += next() === nodeId + at ? size : NaN;
      });
      parentPort.postMessage(sum);
    `;
    const worker = new Worker(new URL(`data:text/javascript,${encodeURIComponent(source)}`), {
      workerData: memory,
    });
    const told = once(worker, "message");
    let expected = 0;
    let written = 0;
    for (let file = 1; written < 5 * RING_NUMBERS; file++) {
      const pieces = 1 + (file % 64);
      // As many as fit may wait: here half of the ring, to have it simple.
      while (sender.waiting * entryNumbers(64) > RING_NUMBERS / 2) await sender.progress();
      const places = Array.from({ length: 2 * pieces }, (_, at) => file + at);
      written += sender.write(file, pieces, places);
      expected += 2 * pieces * pieces;
      sender.send();
    }
    sender.stop();
    expect(await told).toEqual([expected]);
  });
});
