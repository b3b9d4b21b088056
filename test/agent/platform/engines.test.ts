// The native engines against the ones that need nothing but Node: the same bytes, whatever memory they are given.

import { randomBytes } from "node:crypto";
import { zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { selectEngines } from "../../../agent/platform/engines.ts";
import { createNativeHmacs } from "../../../agent/platform/nativeHmac.ts";
import { createNativeSeal } from "../../../agent/platform/nativeSeal.ts";
import { createNativeSha256 } from "../../../agent/platform/nativeSha256.ts";
import { FileHasher } from "../../../vault/fileHash.ts";
import { nodeHmacs } from "../../../vault/hmac.ts";
import { limits } from "../../../vault/limits.ts";
import { Compression } from "../../../vault/magic.ts";
import { compressPayload, decompressPayload } from "../../../vault/seal/compress.ts";
import { nodeEngine, type OpenEngine } from "../../../vault/seal/engine.ts";
import { openBody, sealInto } from "../../../vault/seal/seal.ts";
import { nodeSha256, type Sha256Engine } from "../../../vault/sha256.ts";
import { seededBytes } from "../../vault/seeded.ts";

const MiB = 1 << 20;
const hmacs = createNativeHmacs();
const sealing = createNativeSeal(limits.plainBytesMax);
afterAll(() => {
  hmacs.close();
  sealing.close();
});

/** A copy in shared memory, at an odd address: as a chunk lies in a window. */
function shared(bytes: Uint8Array): Buffer {
  const memory = Buffer.from(new SharedArrayBuffer(bytes.length + 3)).subarray(3);
  memory.set(bytes);
  return memory;
}

const content = seededBytes("engines", 3 * MiB);
const pieceLengths = fc.array(
  fc.oneof(fc.nat({ max: 200 }), fc.nat({ max: 50_000 }), fc.constantFrom(63, 64, 65)),
  { maxLength: 8 },
);

test("SHA-256 of two messages beside each other, of one alone, and of copies", () => {
  const native = createNativeSha256();
  fc.assert(
    fc.property(pieceLengths, pieceLengths, fc.nat({ max: 200 }), (lengths, alone, skew) => {
      const run = (engine: Sha256Engine): string[] => {
        const [one, other] = [engine.start(), engine.start()];
        other.update(content.subarray(0, skew));
        let at = 0;
        for (const [i, length] of lengths.entries()) {
          const [piece, far] = [at, MiB + at + skew].map((from) =>
            shared(content.subarray(from, from + length)),
          );
          engine.both(one, piece!, other, far!);
          if (alone[i] !== undefined) other.update(content.subarray(0, alone[i]));
          at += length;
        }
        const copied = other.copy();
        const before = other.digest();
        copied.update(content.subarray(0, 100));
        return [one.digest(), before, copied.digest()].map((digest) => digest.toString("hex"));
      };
      expect(run(native)).toEqual(run(nodeSha256));
    }),
  );
});

describe("HMACs", () => {
  const first = fc.uint8Array({ maxLength: 130 });
  const key = fc.uint8Array({ maxLength: 64 });

  test("one alone and two together, over pieces of any length, several at a time", () => {
    fc.assert(
      fc.property(key, key, first, first, pieceLengths, (keyA, keyB, firstA, firstB, lengths) => {
        const begin = (engine: typeof nodeHmacs) => [
          engine.start(keyA, firstA),
          engine.start(keyB, firstB),
          engine.start(keyA, firstB),
        ];
        const [ours, theirs] = [begin(hmacs), begin(nodeHmacs)];
        let at = 0;
        for (const length of lengths) {
          const piece = shared(content.subarray(at, at + length));
          hmacs.both(ours[0]!, ours[1]!, piece);
          ours[2]!.update(piece);
          for (const each of theirs) each.update(piece);
          at += length;
        }
        expect(ours.map((each) => each.digest())).toEqual(theirs.map((each) => each.digest()));
      }),
    );
  });

  test("two of their own bytes and lengths, beside each other", () => {
    const lengths = fc.array(fc.tuple(fc.nat({ max: 5000 }), fc.nat({ max: 5000 })), { maxLength: 4 });
    fc.assert(
      fc.property(key, key, first, first, lengths, (keyA, keyB, firstA, firstB, pieces) => {
        const begin = (engine: typeof nodeHmacs) => [engine.start(keyA, firstA), engine.start(keyB, firstB)];
        const [ours, theirs] = [begin(hmacs), begin(nodeHmacs)];
        for (const [a, b] of pieces) {
          const [one, other] = [shared(content.subarray(0, a)), shared(content.subarray(a, a + b))];
          hmacs.both(ours[0]!, ours[1]!, one, other);
          nodeHmacs.both(theirs[0]!, theirs[1]!, one, other);
        }
        expect(ours.map((each) => each.digest())).toEqual(theirs.map((each) => each.digest()));
      }),
    );
  });

  test("a digest that is expected is told from every other", () => {
    fc.assert(
      fc.property(key, first, fc.nat({ max: 300 }), fc.nat({ max: 255 }), (keyA, firstA, length, bit) => {
        for (const engine of [hmacs, nodeHmacs]) {
          const begin = () => {
            const hmac = engine.start(keyA, firstA);
            hmac.update(content.subarray(0, length));
            return hmac;
          };
          const digest = begin().digest();
          expect(begin().isDigest(digest)).toBe(true);
          digest[bit >>> 3]! ^= 1 << (bit & 7);
          expect(begin().isDigest(digest)).toBe(false);
          expect(begin().isDigest(digest.subarray(0, 31))).toBe(false);
          expect(begin().isDigest(Buffer.concat([begin().digest(), Buffer.alloc(1)]))).toBe(false);
        }
      }),
    );
  });

  test("a message of 600 MiB has its length in more than 32 bits", () => {
    const bytes = Buffer.alloc(4 * MiB, 7);
    const begin = (engine: typeof nodeHmacs) => engine.start(Buffer.alloc(32, 1), Buffer.from([1]));
    const [ours, theirs] = [begin(hmacs), begin(nodeHmacs)];
    for (let i = 0; i < 150; i++) {
      ours.update(bytes);
      theirs.update(bytes);
    }
    expect(ours.digest()).toEqual(theirs.digest());
  });

  test("a key longer than a block is refused", () => {
    expect(() => hmacs.start(Buffer.alloc(65), content)).toThrow(RangeError);
  });

  test.each([1, 1000, MiB - 1, MiB, MiB + 1, 3 * MiB])(
    "the hash of a file of %d bytes beside another",
    (size) => {
      const key = seededBytes("file hash key", 32);
      const bytes = content.subarray(0, size);
      const expected = new FileHasher(key);
      expected.update(bytes);
      const hash = expected.digest();
      const id = nodeHmacs.start(key, Buffer.from("id"));
      id.update(bytes);
      const expectedId = id.digest();
      for (const bounds of [{ sizeMax: size }, { sizeMax: size + MiB }, {}, { sizeMin: size }]) {
        const hasher = new FileHasher(key, { engine: hmacs, ...bounds });
        const beside = hmacs.start(key, Buffer.from("id"));
        for (let at = 0; at < size; at += 300_001) {
          hasher.update(shared(bytes.subarray(at, Math.min(size, at + 300_001))), beside);
        }
        expect(hasher.digest()).toEqual(hash);
        expect(beside.digest()).toEqual(expectedId);
      }
    },
  );
});

describe("seals", () => {
  test("frames open, whatever the level, and small and large ones may follow each other", () => {
    const text = Buffer.alloc(limits.plainBytesMax, "the same line again and again\n");
    const plaintexts = [text, content.subarray(0, MiB), Buffer.alloc(48), text.subarray(0, 70_000)];
    for (const level of [1, 2, 3, 19, 2]) {
      for (const each of plaintexts) {
        const plaintext = shared(each);
        const { compression, payload } = compressPayload(plaintext, level, sealing);
        expect(decompressPayload(compression, payload, plaintext.length).equals(plaintext)).toBe(true);
        // As large as what Node makes of it: the same library.
        const other = compressPayload(plaintext, level, nodeEngine);
        expect([compression, payload.length]).toEqual([other.compression, other.payload.length]);
      }
    }
    expect(compressPayload(text, 2, sealing).compression).toBe(Compression.zstd);
  });

  test("an empty and an incompressible plaintext of the largest size become frames", () => {
    for (const plaintext of [Buffer.alloc(0), randomBytes(limits.plainBytesMax)]) {
      const frame = sealing.compress(plaintext, 2);
      expect(decompressPayload(Compression.zstd, frame, plaintext.length).equals(plaintext)).toBe(true);
    }
  });

  test("both engines open the same frames and refuse the same", () => {
    const outcome = (engine: OpenEngine, frame: Uint8Array, length: number): string => {
      try {
        return engine.decompress(frame, length).toString("hex");
      } catch (error) {
        return (error as { code: string }).code;
      }
    };
    const compressed = (bytes: Uint8Array, pledged: boolean) =>
      zstdCompressSync(bytes, pledged ? { pledgedSrcSize: bytes.length } : {});
    // Skippable, and one that states a window of 2 GiB.
    const skippable = Buffer.from("502a4d1804000000deadbeef", "hex");
    const wide = Buffer.from("28b52ffd00a8010000", "hex");
    const usual = compressed(content.subarray(0, 3000), true);
    const frames = [
      usual,
      compressed(Buffer.alloc(70_000, "text "), false),
      skippable,
      wide,
      Buffer.alloc(0),
    ];
    for (const frame of [...frames, Buffer.concat([usual, usual]), Buffer.concat([skippable, usual])]) {
      for (const length of [0, 1, 4, 2999, 3000, 3001, 6000, 70_000]) {
        expect(outcome(sealing, frame, length)).toBe(outcome(nodeEngine, frame, length));
      }
    }
    const source = compressed(
      Buffer.from("what lies about itself, again and again and again ".repeat(40)),
      true,
    );
    fc.assert(
      fc.property(fc.nat(source.length - 1), fc.nat(255), fc.nat(source.length), (at, value, end) => {
        const altered = Buffer.from(source);
        altered[at] = value;
        for (const frame of [altered, source.subarray(0, end)]) {
          expect(outcome(sealing, shared(frame), 2000)).toBe(outcome(nodeEngine, frame, 2000));
        }
      }),
    );
  });

  test("records open alike", () => {
    const keys = { encKey: randomBytes(32), macKey: randomBytes(32) };
    const iv = randomBytes(16);
    for (const length of [0, 5, 100_000, limits.plainBytesMax]) {
      const payload = Buffer.alloc(length, content);
      const sealed = Buffer.alloc(20 + 4 + length + 16);
      sealInto(keys, iv, sealed, 20, length, payload);
      const opened = openBody(keys, iv, shared(sealed), 20, sealing);
      expect(opened.plainLength).toBe(length);
      expect(opened.payload.equals(payload)).toBe(true);
      sealed[30 % sealed.length]! ^= 1;
      expect(() => openBody(keys, iv, sealed, 20, sealing)).toThrow(/seal does not match/);
    }
  });

  test("ciphertexts and tags are the same", () => {
    const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
    const iv = fc.uint8Array({ minLength: 16, maxLength: 16 });
    const lengths = fc.oneof(fc.nat({ max: 100 }), fc.nat({ max: MiB }));
    fc.assert(
      fc.property(bytes32, iv, fc.uint8Array({ maxLength: 40 }), lengths, (key, counter, head, length) => {
        const payload = shared(content.subarray(0, length));
        const [ours, theirs] = [Buffer.alloc(head.length + length), Buffer.alloc(head.length + length)];
        sealing.encrypt(key, counter, head, payload, ours);
        nodeEngine.encrypt(key, counter, head, payload, theirs);
        expect(ours.equals(theirs)).toBe(true);
        const [tag, expected] = [Buffer.alloc(16), Buffer.alloc(16)];
        sealing.tag(key, ours, tag);
        nodeEngine.tag(key, ours, expected);
        expect(tag).toEqual(expected);
      }),
      { numRuns: 50 },
    );
  });

  test("an output that is too short is refused", () => {
    const key = Buffer.alloc(32);
    const iv = Buffer.alloc(16);
    expect(() => sealing.encrypt(key, iv, iv, iv, Buffer.alloc(31))).toThrow(RangeError);
    expect(() => sealing.tag(key, iv, Buffer.alloc(15))).toThrow(RangeError);
  });
});

test("the platform that is chosen decides on the engines", () => {
  const { HOLDFAST_PLATFORM } = process.env;
  try {
    process.env.HOLDFAST_PLATFORM = "portable";
    const portable = selectEngines();
    expect([portable.seal, portable.hmacs]).toEqual([nodeEngine, nodeHmacs]);
    portable.close();
    delete process.env.HOLDFAST_PLATFORM;
    const native = selectEngines();
    expect(native.seal).not.toBe(nodeEngine);
    expect(native.hmacs).not.toBe(nodeHmacs);
    native.close();
  } finally {
    if (HOLDFAST_PLATFORM === undefined) delete process.env.HOLDFAST_PLATFORM;
    else process.env.HOLDFAST_PLATFORM = HOLDFAST_PLATFORM;
  }
});
