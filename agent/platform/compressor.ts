// zstd beside the thread that asks: on the threads that Node keeps for such work, several frames at a time. A thread of ours would need an
// isolate of its own, which costs 0.3 s of compiling and some 30 MiB before it has done anything.
//
// Stateful: one zstd context and one buffer for each frame under way. Invariant: a context serves one call at a time, and is given back
// only when no call runs any more.

import { constants, zstdCompress, zstdDecompressSync } from "node:zlib";
import { matchTableLog } from "../../vault/seal/engine.ts";
import { addressIn, allocateBlock, background, bindProcess } from "./libc.ts";
import { whereNative } from "./select.ts";
import { zstdFunctions, zstdParameters } from "./zstd.ts";

export type Compressor = {
  /**
   * Makes one zstd frame (RFC 8878) of bytes that stay as they are meanwhile, and resolves with what `use` makes of it: the frame is
   * valid during that call only. Frames are begun in the order asked.
   */
  compress<T>(bytes: Uint8Array, level: number, use: (frame: Uint8Array) => T): Promise<T>;
  /** Resolves when nothing runs any more. What waits is never begun and never resolves. */
  close(): Promise<void>;
};

/** Compresses on one of the places where a frame can be under way. */
type Lane = {
  run(bytes: Uint8Array, level: number): Promise<Uint8Array>;
  close(): void;
};

type Job = { readonly lane: (lane: Lane) => Promise<void> };

/** Hands out lanes in order. */
class Lanes implements Compressor {
  readonly #idle: Lane[];
  readonly #jobs: Job[] = [];
  readonly #running = new Set<Promise<void>>();
  #closed = false;

  constructor(lanes: readonly Lane[]) {
    this.#idle = [...lanes];
  }

  compress<T>(bytes: Uint8Array, level: number, use: (frame: Uint8Array) => T): Promise<T> {
    if (this.#closed) throw new Error("a compressor was used after it was closed");
    return new Promise((resolve, reject) => {
      this.#jobs.push({
        lane: async (lane) => {
          try {
            const frame = await lane.run(bytes, level);
            // Who closed has no use for it.
            if (!this.#closed) resolve(use(frame));
          } catch (error) {
            reject(error);
          }
        },
      });
      this.#next();
    });
  }

  #next(): void {
    while (!this.#closed && this.#jobs.length > 0) {
      const lane = this.#idle.pop();
      if (lane === undefined) return;
      const job = this.#jobs.shift() as Job;
      const running = job.lane(lane).then(() => {
        this.#running.delete(running);
        this.#idle.push(lane);
        this.#next();
      });
      this.#running.add(running);
    }
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    await Promise.all(this.#running);
    for (const lane of this.#idle.splice(0)) lane.close();
  }
}

/** A compressor for at most `lanes` frames of up to `plainBytesMax` bytes at a time, on the zstd inside Node. Throws where that is not offered. */
export function createNativeCompressor(plainBytesMax: number, lanes: number): Compressor {
  const native = bindProcess(zstdFunctions);
  const compress2 = background(native.ZSTD_compress2);
  const made: Lane[] = [];
  const lane = (): Lane => {
    const zstd = native.ZSTD_createCCtx();
    if (zstd === 0) throw new Error("no memory for a zstd context");
    const frame = allocateBlock(native.ZSTD_compressBound(plainBytesMax));
    const setParameters = zstdParameters(native, zstd);
    return {
      async run(bytes, level) {
        setParameters(level, bytes.length);
        const from = bytes.length === 0 ? 0 : addressIn(bytes);
        const length = await compress2(zstd, frame.address, frame.bytes.length, from, bytes.length);
        if (length < 0) throw new Error(`zstd failed with ${-length}`);
        return frame.bytes.subarray(0, length);
      },
      close: () => void native.ZSTD_freeCCtx(zstd),
    };
  };
  try {
    for (let i = 0; i < lanes; i++) made.push(lane());
    prove(native);
  } catch (error) {
    for (const each of made) each.close();
    throw error;
  }
  return new Lanes(made);
}

/** Throws unless this zstd makes frames that Node opens. */
function prove(native: Parameters<typeof zstdParameters>[0]): void {
  const text = allocateBlock(3000);
  text.bytes.fill("what one makes the other must open; ");
  const frame = allocateBlock(4096);
  const zstd = native.ZSTD_createCCtx();
  try {
    zstdParameters(native, zstd)(2, text.bytes.length);
    const length = native.ZSTD_compress2(zstd, frame.address, 4096, text.address, text.bytes.length);
    if (length < 0 || !zstdDecompressSync(frame.bytes.subarray(0, length)).equals(text.bytes))
      throw new Error("the process's zstd does not work as expected");
  } finally {
    native.ZSTD_freeCCtx(zstd);
  }
}

/** The same on node:zlib alone. */
export function createNodeCompressor(lanes: number): Compressor {
  const lane: Lane = {
    run: (bytes, level) =>
      new Promise((resolve, reject) => {
        const options = {
          chunkSize: bytes.length + (bytes.length >>> 8) + 1024,
          pledgedSrcSize: bytes.length,
          params: {
            [constants.ZSTD_c_compressionLevel]: level,
            [constants.ZSTD_c_hashLog]: matchTableLog(level, bytes.length),
          },
        };
        zstdCompress(bytes, options, (error, frame) => (error === null ? resolve(frame) : reject(error)));
      }),
    close: () => undefined,
  };
  return new Lanes(Array.from({ length: lanes }, () => lane));
}

/** The fastest that this process has. */
export function selectCompressor(plainBytesMax: number, lanes: number): Compressor {
  return whereNative(() => createNativeCompressor(plainBytesMax, lanes)) ?? createNodeCompressor(lanes);
}
