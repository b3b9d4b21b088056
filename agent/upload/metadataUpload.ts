// Sends directory pages, extent pages and xattrs in the order they were made, children before parents.
// A page waits for the data it refers to; the bytes that wait are counted, so that the walk can wait too.

import { RecordStatus, type RecordsAnswer } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { ChunkUpload } from "./chunkUpload.ts";
import type { UploadPort } from "./port.ts";
import { RecentIds } from "./recentIds.ts";

const MiB = 1024 * 1024;
const bodyBytes = 2 * MiB;
/** While the walk goes on, pages gather for so long, or to so many bytes, before they leave: each body costs the gateway a flush. */
const gatherMs = 25;
const gatherBytes = 256 * 1024;
const pendingBytesMax = 16 * MiB;
/** Also bounds what a broken request makes us ask for. */
const recordsPerRequest = 4096;

type Page = {
  readonly key: string;
  readonly bytes: number;
  readonly seal: () => Buffer;
  /** Resolves to whether the page must be sent. */
  readonly needed: Promise<boolean>;
  readonly dependencies: readonly Promise<void>[];
};

export class MetadataUpload {
  sentBytes = 0;
  sentRecords = 0;
  readonly #port: UploadPort;
  readonly #chunks: ChunkUpload;
  readonly #queue: Page[] = [];
  readonly #known = new RecentIds();
  readonly #waiting: (() => void)[] = [];
  #pendingBytes = 0;
  /** Set once nothing more will come: then nothing waits for company. */
  #draining = false;
  #endGathering: (() => void) | undefined;
  #running: Promise<void> | undefined;
  #failed: { readonly error: unknown } | undefined;
  readonly #onError: (error: unknown) => void;

  constructor(port: UploadPort, chunks: ChunkUpload, onError: (error: unknown) => void) {
    this.#port = port;
    this.#chunks = chunks;
    this.#onError = onError;
  }

  /** True while the walk need not wait. */
  get hasRoom(): boolean {
    return this.#pendingBytes <= pendingBytesMax;
  }

  /** Queues a page; false when this run queued it before. `refs` are concatenated ids. `seal` is called when it is sent. */
  add(id: Buffer, refs: Buffer, bytes: number, seal: () => Buffer): boolean {
    const key = id.toString("latin1");
    if (this.#known.has(key)) return false;
    this.#known.add(key);
    const dependencies: Promise<void>[] = [];
    for (let at = 0; at < refs.length; at += 32) {
      const open = this.#chunks.openUpload(refs.subarray(at, at + 32));
      if (open !== undefined) dependencies.push(open);
    }
    const needed = this.#chunks.ask(id).then((has) => !has);
    needed.catch(() => undefined); // awaited when its turn comes
    this.#queue.push({ key, bytes, seal, needed, dependencies });
    this.#pendingBytes += bytes;
    if (this.#pendingBytes >= gatherBytes) this.#endGathering?.();
    if (this.#failed === undefined) this.#running ??= this.#run();
    return true;
  }

  /** Resolves when few enough pages wait. */
  async room(): Promise<void> {
    while (!this.hasRoom) await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Resolves when every page added so far is durable; rejects with what the first that could not be sent failed with. */
  async drained(): Promise<void> {
    this.#draining = true;
    this.#endGathering?.();
    while (this.#running !== undefined) await this.#running;
    if (this.#failed !== undefined) throw this.#failed.error;
  }

  /** Sends sealed pages now; only to be called when nothing is queued. */
  async send(records: readonly Buffer[]): Promise<RecordsAnswer> {
    const bytes = records.reduce((sum, { length }) => sum + length, 0);
    const answer = await this.#port.records(records);
    this.sentBytes += bytes;
    this.sentRecords += records.length;
    return answer;
  }

  async #run(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        if (!this.#draining && this.#pendingBytes < gatherBytes) await this.#gather();
        await this.#sendSome();
      }
    } catch (error) {
      this.#failed = { error };
      this.#onError(error);
    } finally {
      this.#running = undefined;
      for (const wake of this.#waiting.splice(0)) wake();
    }
  }

  #gather(): Promise<void> {
    return new Promise((resolve) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#endGathering = undefined;
        resolve();
      };
      const timer = setTimeout(end, gatherMs);
      this.#endGathering = end;
    });
  }

  async #sendSome(): Promise<void> {
    const records: Buffer[] = [];
    let bytes = 0;
    let taken = 0;
    while (bytes < bodyBytes && records.length < recordsPerRequest) {
      const page = this.#queue[taken];
      if (page === undefined) break;
      if (await page.needed) {
        await Promise.all(page.dependencies);
        const record = page.seal();
        records.push(record);
        bytes += record.length;
      }
      taken += 1;
    }
    if (records.length > 0) {
      const answer = await this.send(records);
      if (answer.statuses.includes(RecordStatus.waits)) {
        throw new HoldfastError(
          ErrorCode.missingRefs,
          `the gateway no longer has ${answer.missing.length} chunks that earlier snapshots were built on`,
          { detail: { missing: answer.missing.slice(0, 64).map(toHex) } },
        );
      }
    }
    for (const page of this.#queue.splice(0, taken)) this.#pendingBytes -= page.bytes;
    for (const wake of this.#waiting.splice(0)) wake();
  }
}
