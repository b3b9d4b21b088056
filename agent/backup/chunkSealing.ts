// Seals chunks of content: compressed beside the main thread, several at a time, and encrypted and tagged on it, which is a twentieth of the work.

import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import { type Compressor, selectCompressor } from "../platform/compressor.ts";
import type { Engines } from "../platform/engines.ts";

/** Node has four threads for such work. */
const framesAtOnceMax = 4;

const noRefs = new Uint8Array(0);

export type ChunkSealingOptions = {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly compressionLevel: number;
  readonly engines: Engines;
};

export class ChunkSealing {
  readonly #options: ChunkSealingOptions;
  readonly #compressor: Compressor;

  constructor(options: ChunkSealingOptions, cores: number) {
    this.#options = options;
    // One more than there are cores: it waits in the wings while the main thread is busy.
    this.#compressor = selectCompressor(limits.plainBytesMax, Math.min(framesAtOnceMax, cores + 1));
  }

  /** The record of a chunk whose plaintext stays as it is meanwhile, in memory of its own. Never resolves after close(). */
  seal(id: Buffer, plaintext: Uint8Array): Promise<Buffer> {
    const { keys, group, compressionLevel, engines } = this.#options;
    return this.#compressor.compress(plaintext, compressionLevel, (frame) => {
      const record = sealRecord({
        keys,
        group,
        type: RecordType.data,
        plaintext,
        refs: noRefs,
        id,
        compressionLevel,
        engine: { encrypt: engines.seal.encrypt, tag: engines.seal.tag, compress: () => frame },
      });
      // Memory that it shares with others could not be given back when it was sent.
      return record.byteLength === record.buffer.byteLength
        ? record
        : Buffer.from(Uint8Array.from(record).buffer);
    });
  }

  /** Resolves when nothing runs any more. */
  close(): Promise<void> {
    return this.#compressor.close();
  }
}
