// Every record is sent once and acknowledged once, in bounded requests; a refused or lost request fails its records.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { UploadPort } from "../../../agent/upload/port.ts";
import { RecordSender } from "../../../agent/upload/recordSender.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";

const MiB = 1024 * 1024;

function portOf(records: UploadPort["records"]): UploadPort {
  const no = (): never => {
    throw new Error("not asked for");
  };
  return { records, have: no, read: no, suspect: no };
}

function record(size: number, name: number): Buffer {
  const bytes = Buffer.alloc(Math.max(4, size));
  bytes.writeUInt32LE(name);
  return bytes;
}

describe("sending records", () => {
  test("each arrives once, is acknowledged after it arrived, and requests are bounded", async () => {
    const size = fc.oneof(fc.nat(2000), fc.nat(300_000), fc.nat(5 * MiB));
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ size, pause: fc.nat(2) }), { minLength: 1, maxLength: 30 }),
        fc.infiniteStream(
          fc.record({ turns: fc.nat(5), fails: fc.integer({ min: 0, max: 12 }).map((n) => n === 0) }),
        ),
        async (items, requests) => {
          const arrived = new Map<number, number>();
          const lost = new Set<number>();
          let atOnce = 0;
          const sender = new RecordSender(
            portOf(async (records) => {
              expect(++atOnce).toBeLessThanOrEqual(3);
              const names = records.map((bytes) => Buffer.from(bytes).readUInt32LE());
              const bytes = records.reduce((sum, each) => sum + each.length, 0);
              expect(bytes - Math.max(...records.map((each) => each.length))).toBeLessThan(4 * MiB);
              const { turns, fails } = requests.next().value ?? { turns: 0, fails: false };
              for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
              atOnce -= 1;
              for (const name of names) {
                if (fails) lost.add(name);
                else arrived.set(name, (arrived.get(name) ?? 0) + 1);
              }
              if (fails) throw new HoldfastError(ErrorCode.diskFull, "no room");
              return { statuses: new Uint8Array(records.length), missing: [] };
            }),
          );
          const sent: Promise<void>[] = [];
          for (const [name, { size: bytes, pause }] of items.entries()) {
            sent.push(
              sender.send(record(bytes, name), { worker: 0, order: name }).then(
                () => expect(arrived.get(name)).toBe(1),
                (error: unknown) => {
                  expect(error).toMatchObject({ code: ErrorCode.diskFull });
                  expect(lost.has(name)).toBe(true);
                },
              ),
            );
            for (let turn = 0; turn < pause; turn++) await new Promise((resolve) => setImmediate(resolve));
          }
          await Promise.all(sent);
          expect(arrived.size + lost.size).toBe(items.length);
          expect(sender.sentRecords).toBe(arrived.size);
        },
      ),
      { numRuns: 40 },
    );
  });

  test("those of one request lie in the order in which their content was read, worker by worker", async () => {
    const requests: number[][] = [];
    const sender = new RecordSender(
      portOf(async (records) => {
        requests.push(records.map((bytes) => Buffer.from(bytes).readUInt32LE()));
        return { statuses: new Uint8Array(records.length), missing: [] };
      }),
    );
    const reads = [1, 0, 1, 0, 0].map((worker, index) => ({ worker, order: 9 - index }));
    await Promise.all(reads.map((at) => sender.send(record(10, at.worker * 100 + at.order), at)));
    expect(requests).toEqual([[5, 6, 8, 107, 109]]);
  });

  test("very small records fill requests by number", async () => {
    const counts: number[] = [];
    const sender = new RecordSender(
      portOf(async (records) => {
        counts.push(records.length);
        return { statuses: new Uint8Array(records.length), missing: [] };
      }),
    );
    await Promise.all(
      Array.from({ length: 10_000 }, (_, name) => sender.send(record(4, name), { worker: 0, order: name })),
    );
    expect(Math.max(...counts)).toBeLessThanOrEqual(4096);
    expect(counts.reduce((sum, count) => sum + count, 0)).toBe(10_000);
  });

  test("a record that the gateway lets wait is a failure", async () => {
    const sender = new RecordSender(
      portOf(async () => ({ statuses: Uint8Array.of(RecordStatus.stored, RecordStatus.waits), missing: [] })),
    );
    const [first, second] = [1, 2].map((name) => sender.send(record(10, name), { worker: 0, order: name }));
    await expect(first).resolves.toBe(false);
    await expect(second).rejects.toMatchObject({ code: ErrorCode.protocol });
  });
});
