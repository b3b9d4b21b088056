// Gathers small files by the chunk that holds their bytes, so that a chunk is fetched and opened once for all of them.
//
// A group leaves when its files use up the chunk, or, oldest first, when too many files wait: an old snapshot's chunks may hold
// bytes that no file of this one needs.

import type { FileJob } from "./jobs.ts";

export type WaitingFile = { readonly job: FileJob; readonly done: (restored: boolean) => void };

export type FileGroup = {
  /** Undefined: empty files, which need no chunk. */
  readonly id: Buffer | undefined;
  readonly plainLength: number;
  readonly files: WaitingFile[];
  bytes: number;
};

const filesMax = 16_384;
const filesPerGroupMax = 2048;
const emptyFilesPerGroup = 256;

export class FileGroups {
  readonly #groups = new Map<string, FileGroup>();
  readonly #leave: (group: FileGroup) => void;
  #files = 0;

  /** @param leave called with each group once it is to be written */
  constructor(leave: (group: FileGroup) => void) {
    this.#leave = leave;
  }

  /** Adds a file; `chunk` is where its bytes are, undefined for an empty one. */
  add(file: WaitingFile, chunk: { readonly id: Uint8Array; readonly plainLength: number } | undefined): void {
    const key = chunk === undefined ? "" : Buffer.from(chunk.id).toString("latin1");
    let group = this.#groups.get(key);
    if (group === undefined) {
      const id = chunk === undefined ? undefined : Buffer.from(chunk.id);
      group = { id, plainLength: chunk?.plainLength ?? 0, files: [], bytes: 0 };
      this.#groups.set(key, group);
    }
    group.files.push(file);
    group.bytes += file.job.size;
    this.#files += 1;
    const full =
      chunk === undefined
        ? group.files.length >= emptyFilesPerGroup
        : group.bytes >= group.plainLength || group.files.length >= filesPerGroupMax;
    if (full) this.#release(key, group);
    for (const [oldest, other] of this.#groups) {
      if (this.#files <= filesMax) break;
      this.#release(oldest, other);
    }
  }

  /** Lets every group leave. */
  flush(): void {
    for (const [key, group] of this.#groups) this.#release(key, group);
  }

  #release(key: string, group: FileGroup): void {
    this.#groups.delete(key);
    this.#files -= group.files.length;
    this.#leave(group);
  }
}
