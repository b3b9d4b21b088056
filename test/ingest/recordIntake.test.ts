import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import type { BatchAnswer } from "../../ingest/session/admission.ts";
import { RecordIntake } from "../../ingest/session/recordIntake.ts";
import { SlabPool } from "../../ingest/session/slabPool.ts";
import { encodeRecordBody } from "../../ingest/wire/recordBody.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";

const slabBytes = limits.recordBytesMax + 4;
const never = new AbortController().signal;

/** Takes every batch, remembers copies of its records, and settles after some turns of the event loop. */
function recordingPort(slabs: SlabPool, pauses = 3) {
  const seen: Buffer[] = [];
  return {
    seen,
    slabs,
    admit: async (records: readonly Buffer[]): Promise<BatchAnswer> => {
      for (const record of records) seen.push(Buffer.from(record));
      const before = records.map((record) => record[0]);
      for (let i = 0; i < pauses; i++) await new Promise((resolve) => setImmediate(resolve));
      // The memory of a batch must not be used again before it has settled.
      expect(records.map((record) => record[0])).toEqual(before);
      return { statuses: new Uint8Array(records.length), missing: [], stored: { bytes: 0, rawBytes: 0 } };
    },
  };
}

async function feed(intake: RecordIntake, pieces: readonly Buffer[]): Promise<void> {
  for (const piece of pieces) await intake.push(piece);
}

function cut(body: Buffer, size: number): Buffer[] {
  const pieces: Buffer[] = [];
  for (let at = 0; at < body.length; at += size) pieces.push(body.subarray(at, at + size));
  return pieces;
}

test("any cutting of a body brings the same records", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.integer({ min: 92, max: 5000 }), { maxLength: 30 }),
      fc.integer({ min: 1, max: 7000 }),
      fc.boolean(),
      async (sizes, piece, declared) => {
        const records = sizes.map((size) => randomBytes(size));
        const body = Buffer.concat(encodeRecordBody(records));
        const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes });
        const port = recordingPort(slabs);
        const intake = new RecordIntake(port, declared ? body.length : undefined, never);
        await feed(intake, cut(body, piece));
        const answer = await intake.finish();
        expect(answer.statuses.length).toBe(records.length);
        expect(port.seen).toEqual(records);
        expect(slabs.bytesOut).toBe(0);
      },
    ),
    { numRuns: 60 },
  );
});

/** The records of a body as the document says, and how it ends: the slow and obvious way. */
function splitPlainly(body: Buffer): { whole: Buffer[]; end: "whole" | "truncated" | "refused" } {
  const whole: Buffer[] = [];
  for (let at = 0; at < body.length; ) {
    if (body.length - at < 4) return { whole, end: "truncated" };
    const length = body.readUInt32LE(at);
    if (length < 92 || length > limits.recordBytesMax) return { whole, end: "refused" };
    if (body.length - at - 4 < length) return { whole, end: "truncated" };
    whole.push(body.subarray(at + 4, at + 4 + length));
    at += 4 + length;
  }
  return { whole, end: "whole" };
}

test("fuzz: any bytes are split as the document says or refused, and all memory comes back", async () => {
  const u32 = (value: number): Buffer => {
    const bytes = Buffer.alloc(4);
    bytes.writeUInt32LE(value, 0);
    return bytes;
  };
  const lengths = fc.oneof(fc.integer({ min: 80, max: 200 }), fc.integer({ min: 0, max: 0xffff_ffff }));
  const part = fc.oneof(
    fc.integer({ min: 92, max: 600 }).map((size) => Buffer.concat([u32(size), Buffer.alloc(size, size)])),
    fc
      .tuple(lengths, fc.uint8Array({ maxLength: 300 }))
      .map(([length, rest]) => Buffer.concat([u32(length), rest])),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.from(bytes)),
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(part, { maxLength: 12 }),
      fc.integer({ min: 1, max: 500 }),
      fc.option(fc.nat(200_000), { nil: undefined }),
      async (parts, piece, declared) => {
        const body = Buffer.concat(parts);
        const expected = splitPlainly(body);
        const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes });
        const port = recordingPort(slabs, 1);
        const intake = new RecordIntake(port, declared, never);
        try {
          await feed(intake, cut(body, piece));
          const { statuses } = await intake.finish();
          expect([expected.end, statuses.length]).toEqual(["whole", expected.whole.length]);
        } catch (error) {
          if (!(error instanceof HoldfastError)) throw error;
          await intake.abandon();
          const codes = expected.end === "truncated" ? ["truncated"] : ["corrupt", "limit-exceeded"];
          expect(expected.end === "whole" ? [] : codes).toContain(error.code);
        }
        expect(port.seen).toEqual(expected.whole);
        expect(slabs.bytesOut).toBe(0);
      },
    ),
    { numRuns: 300 },
  );
});

test("large records over many slabs, with memory for one or for several", async () => {
  for (const count of [1, 2, 5]) {
    const slabs = new SlabPool({ bytesMax: slabBytes * count, usual: slabBytes });
    const port = recordingPort(slabs, 20);
    const records = Array.from({ length: 12 }, (_, i) =>
      randomBytes(i === 5 ? limits.recordBytesMax : 1_500_000 + i),
    );
    const intake = new RecordIntake(port, undefined, never);
    await feed(intake, cut(Buffer.concat(encodeRecordBody(records)), 65_536));
    await intake.finish();
    expect(port.seen.length).toBe(records.length);
    expect(port.seen.every((record, i) => record.equals(records[i]!))).toBe(true);
    expect(slabs.bytesOut).toBe(0);
  }
});

test("many bodies at a time never wait for each other for ever", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes * 2, usual: slabBytes });
  const records = Array.from({ length: 8 }, () => randomBytes(1_300_000));
  const pieces = cut(Buffer.concat(encodeRecordBody(records)), 300_000);
  await Promise.all(
    Array.from({ length: 6 }, async () => {
      const port = recordingPort(slabs);
      const intake = new RecordIntake(port, undefined, never);
      await feed(intake, pieces);
      await intake.finish();
      expect(port.seen.length).toBe(records.length);
    }),
  );
  expect(slabs.bytesOut).toBe(0);
});

test("a body that ends within a record is truncated; what was whole is handed on", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes });
  const port = recordingPort(slabs);
  const records = [randomBytes(500), randomBytes(500)];
  const intake = new RecordIntake(port, undefined, never);
  await intake.push(Buffer.concat(encodeRecordBody(records)).subarray(0, 900));
  await expect(intake.finish()).rejects.toMatchObject({ code: "truncated" });
  expect(port.seen).toEqual(records.slice(0, 1));
  expect(slabs.bytesOut).toBe(0);
});

test("a declared 2 GiB record is refused at its length field", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes });
  const port = recordingPort(slabs);
  const intake = new RecordIntake(port, undefined, never);
  const good = randomBytes(400);
  await intake.push(Buffer.concat(encodeRecordBody([good])));
  const lie = Buffer.alloc(4);
  lie.writeUInt32LE(2 ** 31, 0);
  expect(() => intake.push(lie)).toThrow("declared");
  await intake.abandon();
  expect(port.seen).toEqual([good]);
  expect(slabs.bytesOut).toBe(0);
});

test("a failed batch fails the body and gives all memory back", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes * 3, usual: slabBytes });
  const intake = new RecordIntake(
    { slabs, admit: () => Promise.reject(new Error("disk on fire")) },
    undefined,
    never,
  );
  const pieces = cut(
    Buffer.concat(encodeRecordBody(Array.from({ length: 9 }, () => randomBytes(1_300_000)))),
    65_536,
  );
  await expect(feed(intake, pieces).then(() => intake.finish())).rejects.toThrow("disk on fire");
  await intake.abandon();
  expect(slabs.bytesOut).toBe(0);
});

test("who waits for memory is let go when his connection ends", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes });
  const held = await slabs.acquire(slabBytes);
  const controller = new AbortController();
  const waiting = slabs.acquire(1000, controller.signal);
  const next = slabs.acquire(1000);
  controller.abort();
  await expect(waiting).rejects.toMatchObject({ code: "cancelled" });
  slabs.release(held);
  slabs.release(await next);
  expect(slabs.bytesOut).toBe(0);
});

test("a body that drips gives way to those that wait, with all that was whole of it; one that moves on does not", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes, stepMs: 10 });
  const port = recordingPort(slabs);
  const slow = new RecordIntake(port, undefined, never);
  const gaveWay = new Promise<HoldfastError>((resolve) => {
    slow.onGiveWay = resolve;
  });
  const records = [randomBytes(500), randomBytes(500)];
  await slow.push(Buffer.concat(encodeRecordBody(records)).subarray(0, 900));
  const quick = new RecordIntake(recordingPort(slabs), undefined, never);
  const waiting = quick.push(Buffer.concat(encodeRecordBody([randomBytes(700)])));
  expect((await gaveWay).code).toBe("busy");
  expect(() => slow.push(Buffer.alloc(1))).toThrow("too slowly");
  await slow.abandon();
  await waiting;
  await quick.finish();
  expect(port.seen).toEqual(records.slice(0, 1));
  expect(slabs.bytesOut).toBe(0);
});

test("what was handed on is not given up: a body that has ended is answered", async () => {
  const slabs = new SlabPool({ bytesMax: slabBytes, usual: slabBytes, stepMs: 1 });
  let settle = (): void => undefined;
  const admit = (records: readonly Buffer[]): Promise<BatchAnswer> =>
    new Promise((resolve) => {
      settle = () =>
        resolve({ statuses: new Uint8Array(records.length), missing: [], stored: { bytes: 0, rawBytes: 0 } });
    });
  const ended = new RecordIntake({ slabs, admit }, undefined, never);
  await ended.push(Buffer.concat(encodeRecordBody([randomBytes(500)])));
  const answer = ended.finish();
  const waiting = slabs.acquire(1000);
  await new Promise((resolve) => setTimeout(resolve, 40));
  settle();
  expect((await answer).statuses.length).toBe(1);
  slabs.release(await waiting);
});
