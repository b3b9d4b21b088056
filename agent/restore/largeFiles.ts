// Restores files of several chunks, a few at a time: extents in order, what the target has already left out, the rest fetched
// ahead of the worker that writes it.

import type { ContentReader, PlacedExtent } from "../../fs/view/contentReader.ts";
import { isDamage } from "../../fs/view/damage.ts";
import { openResult } from "../../fs/view/openResult.ts";
import type { RecordResult } from "../../fs/view/ports.ts";
import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import type { ByteBudget } from "../upload/byteBudget.ts";
import { encodeJobs, type FileJob } from "./jobs.ts";
import type { LargeMode, PartExtent, SentRecord, WorkerNote } from "./messages.ts";
import type { RecordFetcher } from "./recordFetcher.ts";
import type { Answer, Place, RestorePool } from "./restorePool.ts";

const MiB = 1024 * 1024;
/** What is compared or fetched at a time. */
export const partBytesMax = 8 * MiB;
export const partExtentsMax = 1024;
/** Parts of one file that are fetched or written while the next is looked at. */
const partsAhead = 2;

export type LargeOptions = {
  readonly pool: RestorePool;
  readonly fetcher: RecordFetcher;
  readonly budget: ByteBudget;
  readonly content: ContentReader;
  readonly keys: VaultKeys;
  readonly group: number;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
};

type Part = { extents: PartExtent[]; bytes: number };

export class LargeFiles {
  readonly #options: LargeOptions;
  #next = 1;

  constructor(options: LargeOptions) {
    this.#options = options;
  }

  /** Restores one file and returns what went wrong with it. Rejects when the whole restore cannot go on. */
  async restore(entry: TreeEntry, job: FileJob, mode: LargeMode): Promise<readonly WorkerNote[]> {
    const { pool } = this.#options;
    const place = pool.place();
    const file = this.#next++;
    const opened = await pool.ask(place, { kind: "open", file, job: encodeJobs([job]), mode }, MiB);
    if (opened.notes.some(({ failed }) => failed)) return opened.notes;
    let keep = true;
    try {
      const failed = await this.#parts(entry, job, place, file, opened.right?.[0] === 1);
      if (failed !== undefined) {
        // On a full disk what is there is kept for the next run; of a file that cannot be whole nothing is.
        keep = failed.some(({ fatal }) => fatal);
        return failed;
      }
      const finished = await pool.ask(place, { kind: "finish", file }, MiB);
      keep = finished.notes.some(({ fatal }) => fatal);
      return finished.notes;
    } catch (error) {
      if (!isDamage(error)) throw error;
      keep = false;
      return [{ index: 0, failed: true, fatal: false, code: error.code, message: error.message }];
    } finally {
      // Harmless after a finish that went well: the worker knows the file no more.
      await pool.ask(place, { kind: "abandon", file, keep }, 0).catch(() => undefined);
    }
  }

  async #parts(
    entry: TreeEntry,
    job: FileJob,
    place: Place,
    file: number,
    compare: boolean,
  ): Promise<readonly WorkerNote[] | undefined> {
    const { content, signal } = this.#options;
    const underWay: Promise<readonly WorkerNote[] | undefined>[] = [];
    let part: Part = { extents: [], bytes: 0 };
    const sendPart = async (): Promise<readonly WorkerNote[] | undefined> => {
      const sent = this.#send(part, place, file, compare, underWay.at(-1));
      sent.catch(() => undefined); // awaited below, in order
      underWay.push(sent);
      part = { extents: [], bytes: 0 };
      return underWay.length > partsAhead ? underWay.shift() : undefined;
    };
    try {
      for await (const extent of content.extents(entry.content, job.size, 0, signal)) {
        part.extents.push(partExtent(extent));
        if (!extent.hole) part.bytes += extent.length;
        if (part.bytes < partBytesMax && part.extents.length < partExtentsMax) continue;
        const failed = await sendPart();
        if (failed !== undefined) return failed;
      }
      // The last part answers for all before it.
      const failed = part.extents.length > 0 ? await sendPart() : undefined;
      return failed ?? (await underWay.at(-1));
    } finally {
      await Promise.allSettled(underWay);
    }
  }

  /** Compares, fetches and writes one part; `before` is the part that has to reach the worker first. */
  async #send(
    part: Part,
    place: Place,
    file: number,
    compare: boolean,
    before: Promise<readonly WorkerNote[] | undefined> | undefined,
  ): Promise<readonly WorkerNote[] | undefined> {
    const { pool, budget, onBytes } = this.#options;
    let extents: readonly PartExtent[] = part.extents;
    if (compare) {
      const { right, notes } = await pool.ask(place, { kind: "compare", file, extents }, part.bytes);
      if (notes.length > 0) return notes;
      extents = extents.map((extent, index) => ({ ...extent, local: right?.[index] === 1 }));
    }
    const ids = new Map<string, { readonly id: Uint8Array; readonly bytes: number }>();
    for (const { id, length, local } of extents)
      if (id !== undefined && !local) ids.set(toHex(id), { id, bytes: length });
    const bytes = [...ids.values()].reduce((sum, wanted) => sum + wanted.bytes, 0);
    await budget.take(bytes);
    try {
      const fetched = await this.#fetch([...ids.values()]);
      const earlier = await before;
      if (earlier !== undefined) return earlier;
      if ("notes" in fetched) return fetched.notes;
      const request = { kind: "part", file, extents, records: fetched.records } as const;
      const answer: Answer = await pool.ask(place, request, part.bytes);
      if (answer.notes.some(({ failed }) => failed)) return answer.notes;
      onBytes(extents.reduce((sum, { length }) => sum + length, 0));
      return undefined;
    } finally {
      budget.give(bytes);
    }
  }

  async #fetch(
    wanted: readonly { readonly id: Uint8Array; readonly bytes: number }[],
  ): Promise<{ readonly records: SentRecord[] } | { readonly notes: WorkerNote[] }> {
    const { fetcher, signal } = this.#options;
    const results = await Promise.all(wanted.map(({ id, bytes }) => fetcher.fetch(id, bytes)));
    signal.throwIfAborted();
    const records: SentRecord[] = [];
    for (const [index, result] of results.entries()) {
      const { id } = wanted[index] as { id: Uint8Array };
      if (result.state !== "record") return { notes: [this.badChunk(id, result)] };
      records.push({ id, record: result.record });
    }
    return { records };
  }

  /** The note of a file whose chunk the store does not have, or not whole. */
  badChunk(id: Uint8Array, result: RecordResult): WorkerNote {
    const { keys, group } = this.#options;
    try {
      openResult({ result, keys, group, id, type: RecordType.data });
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      return { index: 0, failed: true, fatal: false, code: error.code, message: error.message };
    }
    return {
      index: 0,
      failed: true,
      fatal: false,
      code: ErrorCode.chunkDamaged,
      message: "chunk unreadable",
    };
  }
}

/** An extent as workers get it. */
export function partExtent(extent: PlacedExtent): PartExtent {
  const { start, length } = extent;
  if (extent.hole) return { start, length, id: undefined, offset: 0, local: false };
  // A copy without the rest of its page, which a message would otherwise carry along.
  return { start, length, id: Uint8Array.from(extent.id), offset: extent.offset, local: false };
}
