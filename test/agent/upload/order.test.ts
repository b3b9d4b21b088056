// Chunks and pages on their way through questions, sealing and requests of random duration: a page never arrives before
// everything it refers to, nothing that is there is sent, and every window place is given back once.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Place } from "../../../agent/backup/messages.ts";
import { ChunkUpload } from "../../../agent/upload/chunkUpload.ts";
import { EmptyGroup } from "../../../agent/upload/emptyGroup.ts";
import { MetadataUpload } from "../../../agent/upload/metadataUpload.ts";
import type { UploadPort } from "../../../agent/upload/port.ts";
import { RecordSender } from "../../../agent/upload/recordSender.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../../ingest/wire/recordStatus.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { RecordType } from "../../../vault/magic.ts";
import { parseRecordHeader, sealRecord } from "../../../vault/record.ts";
import { seededId } from "../../vault/seeded.ts";
import { testKeys } from "../backup/memoryGateway.ts";

const hex = (id: Uint8Array): string => Buffer.from(id).toString("hex");
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

type Chance = { turns: number };

/** A gateway that admits a record only when its references are there, as the real one does. */
class StrictGateway implements UploadPort {
  readonly there = new Set<string>();
  readonly sent: string[] = [];
  /** Ids that it was asked of. */
  asked = 0;
  readonly #pause: () => Promise<void>;

  constructor(pause: () => Promise<void>) {
    this.#pause = pause;
  }

  async have(ids: readonly Uint8Array[]): Promise<Buffer> {
    this.asked += ids.length;
    await this.#pause();
    const bitmap = createBitmap(ids.length);
    for (const [index, id] of ids.entries()) if (this.there.has(hex(id))) setBit(bitmap, index);
    return bitmap;
  }

  async records(records: readonly Uint8Array[]) {
    await this.#pause();
    const statuses = new Uint8Array(records.length);
    const missing: Buffer[] = [];
    for (const [index, record] of records.entries()) {
      const { id, refs } = parseRecordHeader(record);
      for (let at = 0; at < refs.length; at += 32) {
        const ref = Buffer.from(refs.subarray(at, at + 32));
        if (this.there.has(hex(ref))) continue;
        statuses[index] = RecordStatus.waits;
        missing.push(ref);
      }
      if (statuses[index] === RecordStatus.waits) continue;
      if (this.there.has(hex(id))) {
        statuses[index] = RecordStatus.present;
        continue;
      }
      this.there.add(hex(id));
      this.sent.push(hex(id));
    }
    await this.#pause();
    return { statuses, missing };
  }

  async read(ids: readonly Uint8Array[]) {
    return ids.map(() => undefined);
  }

  async suspect() {
    return [];
  }
}

function setUp(pause: () => Promise<void>, sample = () => false, isEmpty = false) {
  const gateway = new StrictGateway(pause);
  const group = new EmptyGroup(isEmpty);
  const port = group.watched(gateway);
  const released: Place[] = [];
  const errors: unknown[] = [];
  const release = (place: Place): void => {
    released.push(place);
  };
  const seal = async (id: Buffer, place: Place): Promise<Buffer> => {
    await pause();
    release(place);
    const plaintext = Buffer.alloc(place.length);
    return sealRecord({
      keys: testKeys,
      group: 0,
      type: RecordType.data,
      plaintext,
      refs: Buffer.alloc(0),
      id,
    });
  };
  const onError = (error: unknown): void => {
    errors.push(error);
  };
  const chunks = new ChunkUpload({
    port,
    pool: { seal, release },
    sender: new RecordSender(port),
    group,
    verify: () => true,
    onWrong: () => undefined,
    sample,
    onError,
  });
  const metadata = new MetadataUpload(port, chunks, onError);
  return { gateway, released, errors, chunks, metadata };
}

function page(id: Buffer, refs: Buffer): Buffer {
  const plaintext = Buffer.alloc(40);
  return sealRecord({ keys: testKeys, group: 0, type: RecordType.directory, plaintext, refs, id });
}

describe("the order of uploads", () => {
  test("nothing refers to what has not arrived, whatever the delays", async () => {
    const offer = fc.record({
      kind: fc.constant("chunk" as const),
      name: fc.nat(30),
      length: fc.nat(400_000),
    });
    const make = fc.record({
      kind: fc.constant("page" as const),
      name: fc.nat(1000),
      refs: fc.array(fc.nat(200), { maxLength: 6 }),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(offer, make), { minLength: 1, maxLength: 80 }),
        fc.infiniteStream(fc.record<Chance>({ turns: fc.nat(6) })),
        fc.uniqueArray(fc.nat(30), { maxLength: 8 }),
        fc.boolean(),
        async (events, chances, alreadyThere, saidEmpty) => {
          const pause = async (): Promise<void> => {
            const { turns } = chances.next().value ?? { turns: 0 };
            for (let index = 0; index < turns; index++) await turn();
          };
          const { gateway, released, errors, chunks, metadata } = setUp(pause, () => false, saidEmpty);
          for (const name of alreadyThere) gateway.there.add(hex(seededId(`chunk ${name}`)));
          const made: Buffer[] = [];
          let places = 0;
          for (const event of events) {
            if (event.kind === "chunk") {
              const id = seededId(`chunk ${event.name}`);
              chunks.offer(id, {
                worker: 0,
                window: 0,
                offset: places,
                length: event.length,
                order: places++,
              });
              made.push(id);
            } else {
              const names = new Set(
                made.length === 0 ? [] : event.refs.map((ref) => hex(made[ref % made.length]!)),
              );
              const id = seededId(`page ${event.name}`);
              if (names.has(hex(id)) || made.some((each) => each.equals(id))) continue; // ids name their refs: no cycles
              const refs = Buffer.from([...names].join(""), "hex");
              metadata.add(id, refs, 100, () => page(id, refs));
              made.push(id);
            }
            if (event.name % 5 === 0) await turn();
          }
          await metadata.drained();
          await chunks.drained();
          expect(errors).toEqual([]);
          for (const id of made) expect(gateway.there.has(hex(id))).toBe(true);
          expect(new Set(gateway.sent).size).toBe(gateway.sent.length);
          for (const name of alreadyThere) expect(gateway.sent).not.toContain(hex(seededId(`chunk ${name}`)));
          // What others sent meanwhile to a group that was empty may go once more, and is then asked for; nothing else is.
          if (saidEmpty && alreadyThere.length === 0) expect(gateway.asked).toBe(0);
          if (!saidEmpty) expect(gateway.asked).toBe(new Set(made.map(hex)).size);
          expect(released.map(({ offset }) => offset).sort((a, b) => a - b)).toEqual(
            Array.from({ length: places }, (_, index) => index),
          );
        },
      ),
      { numRuns: 60 },
    );
  });

  test("a page whose references the gateway lost ends the upload, and nothing follows it", async () => {
    const { gateway, errors, metadata } = setUp(turn);
    const lost = seededId("lost");
    metadata.add(seededId("a"), lost, 100, () => page(seededId("a"), lost));
    await expect(metadata.drained()).rejects.toMatchObject({ code: ErrorCode.missingRefs });
    metadata.add(seededId("b"), Buffer.alloc(0), 100, () => page(seededId("b"), Buffer.alloc(0)));
    await turn();
    await expect(metadata.drained()).rejects.toMatchObject({ code: ErrorCode.missingRefs });
    expect(errors.length).toBe(1);
    expect(gateway.sent).toEqual([]);
  });

  test("the walk is held back while many bytes of pages wait", async () => {
    let open = (): void => undefined;
    const gate = new Promise<void>((resolve) => {
      open = resolve;
    });
    const { metadata } = setUp(() => gate);
    for (let index = 0; index < 17; index++) {
      const id = seededId(`${index}`);
      metadata.add(id, Buffer.alloc(0), 2 ** 20, () => page(id, Buffer.alloc(0)));
    }
    expect(metadata.hasRoom).toBe(false);
    const room = metadata.room();
    open();
    await room;
    expect(metadata.hasRoom).toBe(true);
    await metadata.drained();
  });

  test("a chunk that cannot be read back is asked for again and sent", async () => {
    const { gateway, chunks, released } = setUp(turn, () => true);
    const id = seededId("chunk");
    gateway.there.add(hex(id));
    gateway.read = async () => {
      gateway.there.delete(hex(id)); // damaged: the gateway finds out as it is read
      return [undefined];
    };
    chunks.offer(id, { worker: 0, window: 0, offset: 0, length: 10, order: 0 });
    await chunks.drained();
    expect(gateway.sent).toEqual([hex(id)]);
    expect(released.length).toBe(1);
  });
});
