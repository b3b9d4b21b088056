import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { limits } from "../../vault/limits.ts";
import { Compression, RecordType } from "../../vault/magic.ts";
import { openRecord, parseRecordHeader, recordLengthFromHeader, sealRecord } from "../../vault/record.ts";
import { nobleChunkId, nobleDerive, nobleSeal } from "./nobleSeal.ts";
import { bytesOf, mutated, outcome, sampleKeys, sampleSecrets } from "./sampleVault.ts";

const keys = sampleKeys();
const group = 3;
const none = Buffer.alloc(0);

const chunks = fc
  .constantFrom(RecordType.data, RecordType.directory, RecordType.extents, RecordType.xattrs)
  .chain((type) => {
    const takesRefs = type === RecordType.directory || type === RecordType.extents;
    const refs = fc.uniqueArray(fc.nat(), { maxLength: takesRefs ? 40 : 0 });
    return fc.record({
      type: fc.constant(type),
      refs: refs.map((seeds) => Buffer.concat(seeds.map((seed) => bytesOf(`ref ${seed}`, 32)))),
      plaintext: fc.oneof(
        fc.uint8Array({ maxLength: 2000 }),
        fc.nat({ max: 100_000 }).map((length) => Buffer.alloc(length, "abc")),
      ),
    });
  });

/** A record made by hand, so that its claims can be anything. */
function forged(fields: {
  type?: number;
  compression?: number;
  epoch?: number;
  refs?: Uint8Array;
  id?: Uint8Array;
  plainLength?: number;
  payload: Uint8Array;
  patch?: (header: Buffer) => void;
}): Buffer {
  const { type = 1, compression = 0, epoch = 2, refs = none, payload } = fields;
  const header = Buffer.alloc(72 + refs.length);
  header.write("HFr1", 0, "latin1");
  header[4] = 1;
  header[5] = type;
  header[6] = compression;
  header.writeUInt32LE(epoch, 8);
  header.writeUInt32LE(payload.length + 4, 12);
  header.writeUInt32LE(refs.length / 32, 16);
  header.set(fields.id ?? chunkId(keys.idKey(group), type as RecordType, refs, payload), 24);
  header.set(refs, 72);
  fields.patch?.(header);
  const sealed = nobleSeal(
    keys.sealKeys(2),
    header.subarray(56, 72),
    header,
    fields.plainLength ?? payload.length,
    payload,
  );
  return sealed;
}

function open(record: Uint8Array, type: RecordType = RecordType.data) {
  return openRecord({ keys, group, record, expectedId: record.subarray(24, 56), expectedType: type });
}

describe("any chunk", () => {
  test("survives, and its header says what it is", () => {
    fc.assert(
      fc.property(chunks, (chunk) => {
        const record = sealRecord({ keys, group, ...chunk });
        const id = chunkId(keys.idKey(group), chunk.type, chunk.refs, chunk.plaintext);
        const header = parseRecordHeader(record);
        expect(header).toMatchObject({
          type: chunk.type,
          keyEpoch: 2,
          refCount: chunk.refs.length / 32,
          heals: undefined,
        });
        expect(header.id.equals(id)).toBe(true);
        expect(header.recordLength).toBe(record.length);
        expect(recordLengthFromHeader(record.subarray(0, 24))).toBe(record.length);
        expect(parseRecordHeader(record.subarray(0, header.headerLength))).toEqual(header);
        const opened = openRecord({ keys, group, record, expectedId: id, expectedType: chunk.type });
        expect(opened.plaintext.equals(chunk.plaintext)).toBe(true);
        expect(opened.refs.equals(chunk.refs)).toBe(true);
      }),
    );
  });

  test("is sealed just as the independent implementation seals it", () => {
    const iv = bytesOf("iv", 16);
    const { vaultId, s, epochs } = sampleSecrets;
    const encKey = nobleDerive(epochs.get(2)!, vaultId, "holdfast seal enc v1");
    const macKey = nobleDerive(epochs.get(2)!, vaultId, "holdfast seal mac v1");
    const idKey = nobleDerive(s, vaultId, "holdfast id v1", group);
    fc.assert(
      fc.property(chunks, (chunk) => {
        const record = sealRecord({ keys, group, ...chunk, iv });
        const { headerLength, id, compression } = parseRecordHeader(record);
        expect(toHex(id)).toBe(toHex(nobleChunkId(idKey, chunk.type, chunk.refs, chunk.plaintext)));
        const length = chunk.plaintext.length;
        const payload =
          compression === Compression.zstd
            ? zstdCompressSync(chunk.plaintext, { pledgedSrcSize: length })
            : chunk.plaintext;
        const again = nobleSeal({ encKey, macKey }, iv, record.subarray(0, headerLength), length, payload);
        expect(record.equals(again)).toBe(true);
      }),
    );
  });
});

test("the largest record is within the limit", () => {
  const refs = bytesOf("many refs", limits.refsPerRecordMax * 32);
  const plaintext = bytesOf("noise", limits.plainBytesMax);
  const record = sealRecord({ keys, group, type: RecordType.extents, plaintext, refs });
  expect(record.length).toBe(limits.recordBytesMax - 32);
  expect(open(record, RecordType.extents).plaintext.equals(plaintext)).toBe(true);
});

test("two records of one chunk differ in their IVs", () => {
  const chunk = { keys, group, type: RecordType.data, plaintext: Buffer.from("x"), refs: none };
  const [first, second] = [parseRecordHeader(sealRecord(chunk)), parseRecordHeader(sealRecord(chunk))];
  expect(first.iv.equals(second.iv)).toBe(false);
  expect(first.id.equals(second.id)).toBe(true);
});

describe("ids", () => {
  test("type, references and group are part of the id", () => {
    const refs = bytesOf("refs", 64);
    const swapped = Buffer.concat([refs.subarray(32), refs.subarray(0, 32)]);
    const plaintext = Buffer.from("a page of ordinals");
    const ids = [
      chunkId(keys.idKey(1), RecordType.directory, refs, plaintext),
      chunkId(keys.idKey(1), RecordType.extents, refs, plaintext),
      chunkId(keys.idKey(1), RecordType.directory, swapped, plaintext),
      chunkId(
        keys.idKey(1),
        RecordType.directory,
        refs.subarray(0, 32),
        Buffer.concat([refs.subarray(32), plaintext]),
      ),
      chunkId(keys.idKey(1), RecordType.directory, none, plaintext),
      chunkId(keys.idKey(2), RecordType.directory, refs, plaintext),
    ];
    expect(new Set(ids.map(toHex)).size).toBe(ids.length);
  });
});

describe("refusals", () => {
  const refs = bytesOf("two refs", 64);
  const record = sealRecord({
    keys,
    group,
    type: RecordType.directory,
    plaintext: bytesOf("page", 90),
    refs,
  });
  const id = Buffer.from(record.subarray(24, 56));
  const openThis = (bytes: Uint8Array, change: Partial<Parameters<typeof openRecord>[0]> = {}) =>
    outcome(() =>
      openRecord({
        keys,
        group,
        record: bytes,
        expectedId: id,
        expectedType: RecordType.directory,
        ...change,
      }),
    );

  test("every flipped byte of a record is refused", () => {
    expect(openThis(record)).toBe("ok");
    for (let at = 0; at < record.length; at++) {
      for (const bit of [1, 0x80]) {
        const altered = Buffer.from(record);
        altered[at]! ^= bit;
        expect(openThis(altered), `byte ${at}`).not.toBe("ok");
        // The id that is asked for comes from elsewhere; even one that follows the change does not help.
        expect(openThis(altered, { expectedId: altered.subarray(24, 56) }), `byte ${at}`).not.toBe("ok");
      }
    }
  });

  test("every truncation and any appended byte is refused", () => {
    for (let length = 0; length < record.length; length++) {
      expect(openThis(record.subarray(0, length))).toBe("truncated");
    }
    expect(openThis(Buffer.concat([record, Buffer.alloc(1)]))).toBe("corrupt");
  });

  test("another id, type, group, key or epoch is refused", () => {
    expect(openThis(record, { expectedId: Buffer.alloc(32) })).toBe("id-mismatch");
    expect(openThis(record, { expectedType: RecordType.extents })).toBe("id-mismatch");
    expect(openThis(record, { group: group + 1 })).toBe("id-mismatch");
    const epochs = new Map([[2, bytesOf("another a2", 32)]]);
    expect(openThis(record, { keys: new VaultKeys({ ...sampleSecrets, epochs }) })).toBe("seal-invalid");
    const old = new VaultKeys({
      ...sampleSecrets,
      epochs: new Map([[1, bytesOf("a1", 32)]]),
      currentEpoch: 1,
    });
    expect(openThis(record, { keys: old })).toBe("key-wrong");
  });

  test("well-sealed lies are refused", () => {
    const payload = bytesOf("content", 100);
    expect(outcome(() => open(forged({ payload })))).toBe("ok");
    expect(outcome(() => open(forged({ payload, id: bytesOf("not its id", 32) })))).toBe("id-mismatch");
    expect(outcome(() => open(forged({ payload, plainLength: 99 })))).toBe("corrupt");
    expect(outcome(() => open(forged({ payload, plainLength: 0xffff_ffff })))).toBe("limit-exceeded");
    expect(outcome(() => open(forged({ payload, compression: 1 })))).toBe("corrupt");
    const twice = Buffer.concat([refs, refs.subarray(0, 32)]);
    expect(outcome(() => open(forged({ payload, type: 2, refs: twice }), 2))).toBe("corrupt");
    // Ids that agree in the bytes that are compared first are still told apart.
    const close = Buffer.concat([refs.subarray(0, 32), refs.subarray(0, 32)]);
    close[63]! ^= 1;
    expect(outcome(() => open(forged({ payload, type: 2, refs: close }), 2))).toBe("ok");
  });

  test.each<[string, (header: Buffer) => void, string]>([
    ["magic", (h) => h.write("HFr2", 0, "latin1"), "corrupt"],
    ["version", (h) => h.writeUInt8(2, 4), "unsupported"],
    ["type 0", (h) => h.writeUInt8(0, 5), "corrupt"],
    ["type 6", (h) => h.writeUInt8(6, 5), "corrupt"],
    ["compression", (h) => h.writeUInt8(2, 6), "corrupt"],
    ["heals in a data record", (h) => h.writeUInt8(1, 7), "corrupt"],
    ["another flag", (h) => h.writeUInt8(2, 7), "corrupt"],
    ["epoch 0", (h) => h.writeUInt32LE(0, 8), "corrupt"],
    ["no room for the plain length", (h) => h.writeUInt32LE(3, 12), "corrupt"],
    ["a 2 GiB length", (h) => h.writeUInt32LE(2 ** 31, 12), "limit-exceeded"],
    ["one byte over the limit", (h) => h.writeUInt32LE(4 + limits.plainBytesMax + 1, 12), "limit-exceeded"],
    ["references beyond the limit", (h) => h.writeUInt32LE(2049, 16), "limit-exceeded"],
    ["references in a data record", (h) => h.writeUInt32LE(1, 16), "corrupt"],
    ["reserved bytes", (h) => h.writeUInt32LE(1, 20), "corrupt"],
  ])("a header with a bad %s is refused before anything else is looked at", (_, patch, code) => {
    const bytes = forged({ payload: Buffer.from("x"), patch });
    expect(outcome(() => recordLengthFromHeader(bytes.subarray(0, 24)))).toBe(code);
    expect(outcome(() => parseRecordHeader(bytes))).toBe(code);
    expect(outcome(() => open(bytes))).toBe(code);
  });

  test("a partial record is parsed for keyless upkeep, and refused to be opened", () => {
    const heals = bytesOf("healed", 32);
    const header = Buffer.from(forged({ payload: none }).subarray(0, 72));
    header[5] = RecordType.partial;
    header[7] = 1;
    const partial = nobleSeal(
      keys.sealKeys(2),
      header.subarray(56, 72),
      Buffer.concat([header, heals]),
      0,
      none,
    );
    const parsed = parseRecordHeader(partial);
    expect(parsed.heals?.equals(heals)).toBe(true);
    expect(parsed.recordLength).toBe(partial.length);
    expect(outcome(() => open(partial, RecordType.partial))).toBe("unsupported");
    header[7] = 0;
    expect(outcome(() => parseRecordHeader(Buffer.concat([header, heals])))).toBe("corrupt");
  });

  test("the writer does not make what the format does not allow", () => {
    const chunk = { keys, group, type: RecordType.data, plaintext: none, refs: none };
    expect(() => sealRecord({ ...chunk, plaintext: Buffer.alloc(limits.plainBytesMax + 1) })).toThrow(
      RangeError,
    );
    expect(() => sealRecord({ ...chunk, refs: bytesOf("r", 32) })).toThrow(RangeError);
    expect(() => sealRecord({ ...chunk, type: RecordType.directory, refs: bytesOf("r", 33) })).toThrow(
      RangeError,
    );
    expect(() => sealRecord({ ...chunk, type: RecordType.partial })).toThrow(RangeError);
    const refsOver = Buffer.alloc((limits.refsPerRecordMax + 1) * 32);
    expect(() => sealRecord({ ...chunk, type: RecordType.directory, refs: refsOver })).toThrow(RangeError);
  });

  test("random and mutated bytes are refused in a typed way", () => {
    fc.assert(
      fc.property(fc.oneof(fc.uint8Array({ maxLength: 300 }), mutated(record)), (bytes) => {
        const parsed = outcome(() => parseRecordHeader(bytes));
        const opened = openThis(bytes);
        if (opened === "ok") expect(record.equals(bytes)).toBe(true);
        if (parsed !== "ok") expect(opened).toBe(parsed);
      }),
      { numRuns: 2000 },
    );
  });
});
