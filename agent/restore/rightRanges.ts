// A worker's look at a large file that is at the target: which of its ranges are right already.

import { chunkId } from "../../vault/chunkId.ts";
import type { HmacEngine } from "../../vault/hmac.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { limits } from "../../vault/limits.ts";
import { RecordType } from "../../vault/magic.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SystemError } from "../platform/systemError.ts";
import { besideName } from "./besideName.ts";
import type { FileJob } from "./jobs.ts";
import type { LargeMode, PartExtent } from "./messages.ts";
import type { TargetDirectories } from "./targetDirectories.ts";

export type CompareContext = {
  readonly platform: Platform;
  readonly directories: TargetDirectories;
  readonly keys: VaultKeys;
  readonly group: number;
  readonly hmacs: HmacEngine;
};

const noRefs = Buffer.alloc(0);
const range = Buffer.allocUnsafeSlow(limits.plainBytesMax);

/** 1 for every range that `file` has right: whole chunks, by their id. @throws SystemError */
export function rightRanges(
  { platform, keys, group, hmacs }: CompareContext,
  file: Handle,
  extents: readonly PartExtent[],
): Uint8Array {
  return Uint8Array.from(extents, (extent) => {
    if (extent.id === undefined || extent.offset !== 0) return 0;
    const bytes = readRange(platform, file, extent, range);
    if (bytes === undefined) return 0;
    return chunkId(keys.idKey(group), RecordType.data, noRefs, bytes, hmacs).equals(extent.id) ? 1 : 0;
  });
}

/** The bytes of a range, in `into`; undefined where the file, or `into`, is shorter. @throws SystemError */
export function readRange(
  platform: Platform,
  file: Handle,
  { start, length }: Pick<PartExtent, "start" | "length">,
  into: Buffer,
): Buffer | undefined {
  if (length > into.length) return undefined;
  const bytes = into.subarray(0, length);
  for (let filled = 0; filled < length; ) {
    const got = platform.read(file, bytes.subarray(filled), start + filled);
    if (got === 0) return undefined;
    filled += got;
  }
  return bytes;
}

/** As `rightRanges`, of the file that a restore would compare with; nothing is changed. What cannot be read is not right. */
export function lookAtRanges(
  context: CompareContext,
  job: FileJob,
  mode: LargeMode,
  extents: readonly PartExtent[],
): Uint8Array {
  try {
    const file = openCompared(context, job, mode);
    if (file === undefined) return new Uint8Array(extents.length);
    try {
      return rightRanges(context, file, extents);
    } finally {
      context.platform.close(file);
    }
  } catch (error) {
    if (error instanceof SystemError) return new Uint8Array(extents.length);
    throw error;
  }
}

/** What a stopped run left comes before the old version, as in a restore. @throws SystemError */
function openCompared(
  { platform, directories }: CompareContext,
  job: FileJob,
  { inPlace, base }: LargeMode,
): Handle | undefined {
  const directory = directories.at(job.directory);
  if (inPlace) return platform.openFile(directory, job.name);
  try {
    return platform.openFile(directory, besideName(job.name, job.hash ?? noRefs));
  } catch (error) {
    if (!(error instanceof SystemError)) throw error;
  }
  return base ? platform.openFile(directory, job.name) : undefined;
}
