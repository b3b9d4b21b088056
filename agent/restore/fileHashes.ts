// Hashes the files of a bundle in the pass that recomputes the bundle's id: two HMACs beside each other take the time of one.

import { startSmallFile } from "../../vault/fileHash.ts";
import type { HmacEngine, RunningHmac } from "../../vault/hmac.ts";
import { limits } from "../../vault/limits.ts";
import type { FileJob } from "./jobs.ts";

export class FileHashes {
  /** By the index of the job; undefined where a file has to be hashed by itself. */
  readonly hashes: (Buffer | undefined)[];
  readonly engine: HmacEngine;
  readonly #fileHashKey: Uint8Array;
  readonly #jobs: readonly FileJob[];

  constructor(engine: HmacEngine, fileHashKey: Uint8Array, jobs: readonly FileJob[]) {
    this.engine = engine;
    this.#fileHashKey = fileHashKey;
    this.#jobs = jobs;
    this.hashes = new Array<undefined>(jobs.length).fill(undefined);
  }

  /** Gives all of the plaintext to the id, and each file's share of it to the file's hash. */
  take(id: RunningHmac, plaintext: Buffer): void {
    let at = 0;
    for (const index of this.#inOrder()) {
      const { offset, size } = this.#jobs[index] as FileJob;
      const end = offset + size;
      // What lies over another file, or out of the plaintext, is for whoever writes the file.
      if (offset < at || end > plaintext.length) continue;
      if (offset > at) id.update(plaintext.subarray(at, offset));
      const hash = startSmallFile(this.engine, this.#fileHashKey);
      this.engine.both(hash, id, plaintext.subarray(offset, end));
      this.hashes[index] = hash.digest();
      at = end;
    }
    if (at < plaintext.length) id.update(plaintext.subarray(at));
  }

  /** The jobs whose files have the small form of a hash, by where they begin. */
  #inOrder(): number[] {
    const jobs = this.#jobs;
    const small = [...jobs.keys()].filter((index) => {
      const { size } = jobs[index] as FileJob;
      return size > 0 && size <= limits.fileHashBlockBytes;
    });
    return small.sort((a, b) => (jobs[a] as FileJob).offset - (jobs[b] as FileJob).offset);
  }
}
