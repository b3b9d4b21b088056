// The primitives under a seal, as engines that can be exchanged: this one needs nothing but Node. Backups and restores hand in one
// that calls the same libraries without Node's streams and copies (agent/platform/nativeSeal.ts).
import { createCipheriv, createDecipheriv, createSecretKey } from "node:crypto";
import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import { asBuffer, giveBack } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { Width } from "../magic.ts";

/** Calls never overlap. Every engine gives the same bytes for the same input, but for the compressed ones, which only must be a frame of it. */
export type SealEngine = {
  /**
   * One zstd frame (RFC 8878) of up to 4 MiB that states its content size: a view that the next call may write over.
   */
  readonly compress: (bytes: Uint8Array, level: number) => Uint8Array;
  /** AES-256-CTR over `head` and `payload`, written to the first bytes of `out`. `out` overlaps neither. */
  readonly encrypt: (
    key: Uint8Array,
    iv: Uint8Array,
    head: Uint8Array,
    payload: Uint8Array,
    out: Uint8Array,
  ) => void;
  /** The 16-byte tag of RFC 8439 for empty plaintext and a nonce of zeros, written to the first bytes of `out`. */
  readonly tag: (oneTimeKey: Uint8Array, authenticated: Uint8Array, out: Uint8Array) => void;
};

/** Calls never overlap. Every engine accepts the same bytes. */
export type OpenEngine = Pick<SealEngine, "tag"> & {
  /** What the two below return lies in memory of the engine: the next call to the same one writes over it. Else it is memory of its own. */
  readonly keepsMemory: boolean;
  /** AES-256-CTR taken off a ciphertext of up to 4 MiB and 4 bytes. */
  readonly decrypt: (key: Uint8Array, iv: Uint8Array, ciphertext: Uint8Array) => Buffer;
  /**
   * The content of one zstd frame, `length` bytes (up to 4 MiB). Engines that keep memory write it to the first bytes of `into` where that
   * is given, which is then theirs no more.
   * @throws HoldfastError corrupt where that is not what `frame` is
   */
  readonly decompress: (frame: Uint8Array, length: number, into?: Buffer) => Buffer;
};

const zeroNonce = Buffer.alloc(12);

/** log2 of the largest zstd window that a reader accepts: enough for 4 MiB of plaintext. */
const windowLogMax = 22;

/** Above this zstd takes the parameters that it has for large content. */
const largeBytesMin = 256 * 1024;

/**
 * log2 of the entries in the table in which zstd looks for matches; 0: what the level says. At level 2, that of backups, half of what zstd
 * would take for large content: 8 % less time, 1 % more bytes.
 */
export function matchTableLog(level: number, bytes: number): number {
  return level === 2 && bytes > largeBytesMin ? 15 : 0;
}

let lastFrame: Buffer | undefined;

/** On node:zlib and node:crypto. */
export const nodeEngine: SealEngine & OpenEngine = {
  keepsMemory: false,

  compress(bytes, level) {
    if (lastFrame !== undefined) giveBack(lastFrame);
    lastFrame = zstdCompressSync(bytes, {
      // Room for the worst case (ZSTD_compressBound) lets zstd work in one pass from input to output, without buffers of its own
      // between them; the known length keeps its tables small.
      chunkSize: bytes.length + (bytes.length >>> 8) + 1024,
      pledgedSrcSize: bytes.length,
      params: {
        [constants.ZSTD_c_compressionLevel]: level,
        [constants.ZSTD_c_hashLog]: matchTableLog(level, bytes.length),
      },
    });
    return lastFrame;
  },

  // Keys are made KeyObjects first: opening 500 bytes takes 28 microseconds so, 37 with raw bytes (Node 24). A kept KeyObject would
  // save about 10 more, but cannot be wiped; from a few KiB on none of this shows.
  encrypt(key, iv, head, payload, out) {
    // CTR is a stream: update() returns as many bytes as it takes, and final() would add none.
    const cipher = createCipheriv("aes-256-ctr", createSecretKey(key), iv);
    out.set(cipher.update(head));
    const ciphertext = cipher.update(payload);
    out.set(ciphertext, head.length);
    giveBack(ciphertext);
  },

  tag(oneTimeKey, authenticated, out) {
    const poly = createCipheriv("chacha20-poly1305", createSecretKey(oneTimeKey), zeroNonce, {
      authTagLength: Width.tag,
    });
    poly.setAAD(authenticated, { plaintextLength: 0 });
    poly.final();
    out.set(poly.getAuthTag());
  },

  decrypt(key, iv, ciphertext) {
    // Through a KeyObject: 4 microseconds instead of 14.
    return createDecipheriv("aes-256-ctr", createSecretKey(key), iv).update(ciphertext);
  },

  decompress(frame, length) {
    let result: { buffer: Buffer; engine: { bytesWritten: number } };
    try {
      // With `info` the result also says how many bytes were consumed, which the declared type does not know.
      result = zstdDecompressSync(frame, {
        chunkSize: Math.max(length, 64),
        maxOutputLength: Math.max(length, 1),
        info: true,
        params: { [constants.ZSTD_d_windowLogMax]: windowLogMax },
      }) as unknown as typeof result;
    } catch (cause) {
      throw new HoldfastError(ErrorCode.corrupt, "payload is not a zstd frame of the stated length", {
        cause,
      });
    }
    // zlib stops silently at the end of the first frame.
    if (result.engine.bytesWritten !== frame.length) {
      throw new HoldfastError(ErrorCode.corrupt, "bytes after the zstd frame of a payload");
    }
    return asBuffer(result.buffer);
  },
};
