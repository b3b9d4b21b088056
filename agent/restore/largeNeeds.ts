// What a restore would fetch of one large file: the chunks of ranges that are not right at the target.

import type { ContentReader } from "../../fs/view/contentReader.ts";
import { isDamage } from "../../fs/view/damage.ts";
import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { encodeJobs, type FileJob } from "./jobs.ts";
import { partBytesMax, partExtent, partExtentsMax } from "./largeFiles.ts";
import type { LargeMode, PartExtent, WorkerNote } from "./messages.ts";
import type { Needs } from "./needs.ts";
import type { RestorePool } from "./restorePool.ts";

export type LargeNeedsOptions = {
  readonly needs: Needs;
  readonly pool: RestorePool;
  readonly content: ContentReader;
  readonly signal: AbortSignal;
  readonly onBytes: (bytes: number) => void;
};

/** Lists what is needed of one file, part by part; returns what went wrong with it. */
export async function listLargeNeeds(
  options: LargeNeedsOptions,
  entry: TreeEntry,
  job: FileJob,
  mode: LargeMode,
): Promise<readonly WorkerNote[]> {
  const { content, signal } = options;
  let extents: PartExtent[] = [];
  let bytes = 0;
  try {
    for await (const extent of content.extents(entry.content, job.size, 0, signal)) {
      extents.push(partExtent(extent));
      if (!extent.hole) bytes += extent.length;
      if (bytes < partBytesMax && extents.length < partExtentsMax) continue;
      await listPart(options, job, mode, extents, bytes);
      [extents, bytes] = [[], 0];
    }
    await listPart(options, job, mode, extents, bytes);
    return [];
  } catch (error) {
    if (!isDamage(error)) throw error;
    return [{ index: 0, failed: true, fatal: false, code: error.code, message: error.message }];
  }
}

async function listPart(
  { needs, pool, onBytes }: LargeNeedsOptions,
  job: FileJob,
  mode: LargeMode,
  extents: readonly PartExtent[],
  bytes: number,
): Promise<void> {
  if (extents.length === 0) return;
  const right = needs.targetIsNew
    ? undefined
    : (await pool.ask(pool.place(), { kind: "look", job: encodeJobs([job]), mode, extents }, bytes)).right;
  for (const [index, { id, length }] of extents.entries()) {
    if (id !== undefined && right?.[index] !== 1) needs.list.add(id, length);
  }
  onBytes(extents.reduce((sum, { length }) => sum + length, 0));
}
