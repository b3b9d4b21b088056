// Payloads of records: one zstd frame, or the plaintext where zstd does not shrink it.
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";
import { Compression } from "../magic.ts";
import { nodeEngine, type OpenEngine, type SealEngine } from "./engine.ts";

export const compressionLevelDefault = 3;

/** Below this a zstd frame (at least 9 bytes around the content) hardly ever wins. */
const compressBytesMin = 48;

/**
 * The payload of a plaintext: its zstd frame where that is shorter, else the plaintext itself (not copied). A frame is valid until the
 * engine is used again.
 */
export function compressPayload(
  plaintext: Uint8Array,
  level: number,
  engine: SealEngine = nodeEngine,
): { compression: Compression; payload: Uint8Array } {
  // Nothing is asked beforehand of what may not shrink: zstd finds that out at 1.7 GB/s by itself, and samples misjudge what has both.
  if (plaintext.length >= compressBytesMin) {
    const payload = engine.compress(plaintext, level);
    if (payload.length < plaintext.length) return { compression: Compression.zstd, payload };
  }
  return { compression: Compression.stored, payload: plaintext };
}

/**
 * The plaintext of a payload, exactly `plainLength` bytes. A stored payload is returned as it is, not copied, unless `memory` is to give so
 * many bytes in place of an engine's own.
 * @throws HoldfastError limit-exceeded above 4 MiB; corrupt when it is not exactly that long or not one zstd frame
 */
export function decompressPayload(
  compression: Compression,
  payload: Uint8Array,
  plainLength: number,
  engine: OpenEngine = nodeEngine,
  memory?: (bytes: number) => Buffer,
): Buffer {
  if (plainLength > limits.plainBytesMax) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `a plain length of ${plainLength} bytes is over the limit`,
    );
  }
  const into = engine.keepsMemory ? memory?.(plainLength) : undefined;
  const plaintext =
    compression === Compression.zstd ? engine.decompress(payload, plainLength, into) : asBuffer(payload);
  if (plaintext.length !== plainLength) {
    throw new HoldfastError(ErrorCode.corrupt, `plaintext has ${plaintext.length} bytes, not ${plainLength}`);
  }
  // Stored, or opened by another engine than this one: it is not where it is wanted.
  return into === undefined || plaintext.buffer === into.buffer ? plaintext : copied(plaintext, into);
}

function copied(from: Buffer, into: Buffer): Buffer {
  from.copy(into);
  return into.subarray(0, from.length);
}
