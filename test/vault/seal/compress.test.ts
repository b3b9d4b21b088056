import { randomBytes } from "node:crypto";
import { constants, zstdCompressSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { limits } from "../../../vault/limits.ts";
import { Compression } from "../../../vault/magic.ts";
import { compressPayload, decompressPayload } from "../../../vault/seal/compress.ts";
import { outcome } from "../sampleVault.ts";

test("any plaintext survives and never grows", () => {
  const runs = fc.array(
    fc.oneof(
      fc.uint8Array({ maxLength: 500 }),
      fc
        .tuple(fc.integer({ min: 0, max: 255 }), fc.nat({ max: 3000 }))
        .map(([byte, length]) => Buffer.alloc(length, byte)),
    ),
    { maxLength: 20 },
  );
  fc.assert(
    fc.property(runs, fc.integer({ min: 1, max: 19 }), (parts, level) => {
      const plaintext = Buffer.concat(parts);
      const { compression, payload } = compressPayload(plaintext, level);
      expect(payload.length).toBeLessThanOrEqual(plaintext.length);
      expect(decompressPayload(compression, payload, plaintext.length).equals(plaintext)).toBe(true);
    }),
  );
});

test("what does not shrink is stored; what does is not, also at 4 MiB and level 19", () => {
  expect(compressPayload(randomBytes(1 << 20), 3).compression).toBe(Compression.stored);
  const text = Buffer.alloc(limits.plainBytesMax, "the same line again and again\n");
  const { compression, payload } = compressPayload(text, 19);
  expect(compression).toBe(Compression.zstd);
  expect(decompressPayload(compression, payload, text.length).equals(text)).toBe(true);
});

test("a chunk of which only a part is compressible is still compressed", () => {
  const chunk = Buffer.concat([randomBytes(300_000), Buffer.alloc(300_000), randomBytes(300_000)]);
  const { compression, payload } = compressPayload(chunk, 3);
  expect(compression).toBe(Compression.zstd);
  expect(payload.length).toBeLessThan(610_000);
});

test("lying payloads are refused", () => {
  const frame = zstdCompressSync(Buffer.alloc(1000, "abc"));
  const refused = (payload: Buffer, plainLength: number) =>
    outcome(() => decompressPayload(Compression.zstd, payload, plainLength));
  expect(refused(frame, 1000)).toBe("ok");
  expect(refused(frame, 999)).toBe("corrupt");
  expect(refused(frame, 1001)).toBe("corrupt");
  expect(refused(frame, 0)).toBe("corrupt");
  expect(refused(frame.subarray(0, -1), 1000)).toBe("corrupt");
  expect(refused(Buffer.concat([frame, Buffer.from([0])]), 1000)).toBe("corrupt");
  expect(refused(Buffer.concat([frame, frame]), 1000)).toBe("corrupt");
  expect(refused(Buffer.concat([frame, frame]), 2000)).toBe("corrupt");
  expect(refused(Buffer.alloc(0), 0)).toBe("corrupt");
  expect(refused(frame, limits.plainBytesMax + 1)).toBe("limit-exceeded");
  expect(outcome(() => decompressPayload(Compression.stored, Buffer.alloc(5), 4))).toBe("corrupt");
});

test("a small payload that unfolds to gigabytes is stopped at the stated length", () => {
  const bomb = zstdCompressSync(Buffer.alloc(64 << 20));
  expect(outcome(() => decompressPayload(Compression.zstd, bomb, limits.plainBytesMax))).toBe("corrupt");
});

test("a frame that asks for a large window is refused", () => {
  const params = { [constants.ZSTD_c_windowLog]: 27, [constants.ZSTD_c_contentSizeFlag]: 0 };
  const frame = zstdCompressSync(Buffer.alloc(5 << 20, "x"), { params });
  expect(outcome(() => decompressPayload(Compression.zstd, frame, limits.plainBytesMax))).toBe("corrupt");
});
