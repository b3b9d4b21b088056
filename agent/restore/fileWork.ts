// Keeps the workers busy with files: gathers, verifies, fetches and hands out, within bounds; or lists what it would fetch.
//
// Invariants: `done` of every file is called exactly once, unless the restore ends early; plaintext under way stays within
// the budget; `room` holds the walk back, so that the number of files that wait is bounded whatever the tree.

import { openResult } from "../../fs/view/openResult.ts";
import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { HoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { ByteBudget } from "../upload/byteBudget.ts";
import { type FileGroup, FileGroups, type WaitingFile } from "./fileGroups.ts";
import { encodeJobs, type FileJob } from "./jobs.ts";
import { LargeFiles, type LargeOptions } from "./largeFiles.ts";
import { listLargeNeeds } from "./largeNeeds.ts";
import type { LargeMode, SentRecord, WorkerNote } from "./messages.ts";
import type { Needs } from "./needs.ts";

const MiB = 1024 * 1024;
const bytesUnderWay = 48 * MiB;
const tasksMax = 64;
const largeAtOnce = 6;
const verifyFilesMax = 128;
const verifyBytesMax = 4 * MiB;
/** What a file costs besides its bytes, as load of a worker. */
const fileLoad = 16 * 1024;

export type FileWorkOptions = Omit<LargeOptions, "budget"> & {
  readonly onNote: (job: FileJob, note: WorkerNote) => void;
  /** Nothing is fetched or written: what would be fetched is listed. */
  readonly needs: Needs | undefined;
  /** Ends the whole restore. */
  readonly onFailure: (error: unknown) => void;
};

type Verified = { readonly job: FileJob; readonly done: (right: boolean) => void };

export class FileWork {
  readonly #options: FileWorkOptions;
  readonly #budget = new ByteBudget(bytesUnderWay);
  readonly #groups = new FileGroups((group) => this.#start(() => this.#writeGroup(group)));
  readonly #large: LargeFiles;
  readonly #tasks = new Set<Promise<void>>();
  readonly #waiting: (() => void)[] = [];
  #verify: Verified[] = [];
  #verifyBytes = 0;
  #largeOpen = 0;
  #ended = false;

  constructor(options: FileWorkOptions) {
    this.#options = options;
    this.#large = new LargeFiles({ ...options, budget: this.#budget });
  }

  /** A file whose bytes are in one chunk (undefined: an empty file). */
  small(
    job: FileJob,
    chunk: { readonly id: Uint8Array; readonly plainLength: number } | undefined,
    done: (restored: boolean) => void,
  ): void {
    const { needs, onBytes } = this.#options;
    if (needs === undefined) {
      this.#groups.add({ job, done }, chunk);
      return;
    }
    if (chunk !== undefined) needs.list.add(chunk.id, job.size);
    onBytes(job.size);
    done(true);
  }

  /** A file that may be right already. */
  verify(job: FileJob, done: (right: boolean) => void): void {
    this.#verify.push({ job, done });
    this.#verifyBytes += job.size + fileLoad;
    if (this.#verify.length >= verifyFilesMax || this.#verifyBytes >= verifyBytesMax) this.#flushVerify();
  }

  /** A file of several chunks or with holes. */
  large(entry: TreeEntry, job: FileJob, mode: LargeMode, done: (restored: boolean) => void): void {
    this.#largeOpen += 1;
    this.#start(async () => {
      try {
        const { needs } = this.#options;
        const notes =
          needs === undefined
            ? await this.#large.restore(entry, job, mode)
            : await listLargeNeeds({ ...this.#options, needs }, entry, job, mode);
        for (const note of notes) this.#options.onNote(job, note);
        done(!notes.some(({ failed }) => failed));
      } finally {
        this.#largeOpen -= 1;
      }
    });
  }

  /** Resolves when more files may come. */
  async room(): Promise<void> {
    while (!this.#ended && (this.#tasks.size >= tasksMax || this.#largeOpen >= largeAtOnce)) {
      await this.#oneEnded();
    }
  }

  /** Resolves when every file so far is done, also those that the end of others brings up. */
  async drained(): Promise<void> {
    for (;;) {
      this.#flushVerify();
      this.#groups.flush();
      if (this.#tasks.size === 0 || this.#ended) return;
      await this.#oneEnded();
    }
  }

  /** Resolves when nothing is under way; nothing new is started. */
  async end(): Promise<void> {
    this.#ended = true;
    while (this.#tasks.size > 0) await this.#oneEnded();
  }

  #oneEnded(): Promise<void> {
    return new Promise((resolve) => this.#waiting.push(resolve));
  }

  #start(work: () => Promise<void>): void {
    if (this.#ended) return;
    const task = work()
      .catch((error: unknown) => this.#options.onFailure(error))
      .then(() => {
        this.#tasks.delete(task);
        for (const wake of this.#waiting.splice(0)) wake();
      });
    this.#tasks.add(task);
  }

  #flushVerify(): void {
    const files = this.#verify;
    if (files.length === 0) return;
    const load = this.#verifyBytes;
    this.#verify = [];
    this.#verifyBytes = 0;
    this.#start(async () => {
      const { pool, onNote, needs } = this.#options;
      const jobs = encodeJobs(files.map(({ job }) => job));
      const look = needs !== undefined;
      const { right, notes } = await pool.ask(pool.place(), { kind: "verify", jobs, look }, load);
      for (const note of notes) onNote((files[note.index] as Verified).job, note);
      for (const [index, { done }] of files.entries()) done(right?.[index] === 1);
    });
  }

  async #writeGroup(group: FileGroup): Promise<void> {
    const { pool, fetcher, onNote, onBytes } = this.#options;
    await this.#budget.take(group.plainLength);
    try {
      const { record, notes: missing } = await this.#recordOf(group, (id) =>
        fetcher.fetch(id, group.plainLength),
      );
      let notes = missing;
      if (notes.length === 0) {
        const jobs = encodeJobs(group.files.map(({ job }) => job));
        const load = group.bytes + group.files.length * fileLoad;
        const [first, last] = [group.files[0], group.files.at(-1)] as [WaitingFile, WaitingFile];
        const ends = [first.job.directory, last.job.directory] as const;
        ({ notes } = await pool.write({ kind: "write", jobs, record }, ends, load));
      }
      const failed = new Set<number>();
      for (const note of notes) {
        if (note.failed) failed.add(note.index);
        const file = group.files[note.index];
        if (file !== undefined) onNote(file.job, note);
      }
      for (const [index, { job, done }] of group.files.entries()) {
        onBytes(job.size);
        done(!failed.has(index));
      }
    } finally {
      this.#budget.give(group.plainLength);
    }
  }

  async #recordOf(
    group: FileGroup,
    fetch: (id: Buffer) => ReturnType<LargeOptions["fetcher"]["fetch"]>,
  ): Promise<{ readonly record: SentRecord | undefined; readonly notes: readonly WorkerNote[] }> {
    const { id } = group;
    if (id === undefined) return { record: undefined, notes: [] };
    const result = await fetch(id);
    this.#options.signal.throwIfAborted();
    if (result.state === "record")
      return { record: { id: Uint8Array.from(id), record: result.record }, notes: [] };
    try {
      const { keys, group: number } = this.#options;
      openResult({ result, keys, group: number, id, type: RecordType.data });
      throw new Error("a missing record was opened");
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      const { code, message } = error;
      return {
        record: undefined,
        notes: group.files.map((_, index) => ({ index, failed: true, fatal: false, code, message })),
      };
    }
  }
}
