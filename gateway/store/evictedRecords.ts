// Records of packs that are in replicas alone.
//
// Invariants
// - A record is handed out only if its frame is the pack's, and says the length and the hash that the pack's own trailer has at this place; the trailer is
//   kept here, the bytes come from outside.
// - Its bytes have that hash, but for a caller that opens every seal (`unhashedElsewhere`), and asks once more without that for what does not open: then a
//   wrong copy is known as such, leaves the cache, and the next replica is asked.

import { hash } from "node:crypto";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { Width } from "../../vault/magic.ts";
import { parseFrame } from "../../vault/pack/frame.ts";
import type { PackRow } from "../index/packTable.ts";
import { fileError } from "./files.ts";
import type { ReadOptions, ReadOutcome } from "./packReader.ts";
import type { PackTail, PackTails } from "./packTails.ts";
import type { Location } from "./recordToStore.ts";
import type { RemotePacks } from "./remotePacks.ts";

/** Where evicted packs are read. */
export type Elsewhere = { readonly tails: PackTails; readonly remote: RemotePacks };

/** Reads records that lie one behind the other. Where not all of them can be had, each is tried by itself: some may be cached, or sound. */
export async function readEvictedRecords(
  elsewhere: Elsewhere,
  row: PackRow,
  run: readonly Location[],
  options: ReadOptions,
): Promise<ReadOutcome[]> {
  const framed = memoryOf(run, options);
  const { unhashedElsewhere: unhashed = false } = options;
  const read = async (from: number, to: number): Promise<ReadOutcome[]> => {
    const part = run.slice(from, to);
    const bytes = framed.slice(from, to);
    try {
      const tail = await elsewhere.tails.get(row, () => elsewhere.remote.tail(row));
      // The trailer knows records by their places: where it has none, no copy can have it.
      const strange = part.some(({ offset, length }) => tail.recordAt(offset)?.length !== length);
      if (strange && part.length === 1) return [damaged(part[0]!)];
      if (!strange) {
        const accept = (): boolean =>
          part.every((location, i) => isProven(bytes[i]!, location, tail, unhashed));
        await elsewhere.remote.read(row, bytes, part[0]!.offset - Width.frame, accept);
        return bytes.map((each) => each.subarray(Width.frame));
      }
    } catch (error) {
      if (part.length === 1) return [fileError(error, `pack ${row.ordinal}`)];
    }
    const outcomes: ReadOutcome[] = [];
    for (let i = from; i < to; i++) outcomes.push(...(await read(i, i + 1)));
    return outcomes;
  };
  return read(0, run.length);
}

/** Memory for each record with its frame: of its own, or one after the other. */
function memoryOf(run: readonly Location[], { memory, recordMemory }: ReadOptions): Buffer[] {
  if (recordMemory !== undefined) return run.map(({ length }) => recordMemory(Width.frame + length));
  const first = run[0]!;
  const last = run[run.length - 1]!;
  const length = Width.frame + last.offset + last.length - first.offset;
  const bytes = memory?.(length) ?? Buffer.allocUnsafeSlow(length);
  return run.map((location) => {
    const at = location.offset - first.offset;
    return bytes.subarray(at, at + Width.frame + location.length);
  });
}

/**
 * Whether bytes from elsewhere are the frame and the record that the pack's own trailer has at this place. `unhashed`: of the record no more than what its
 * frame says.
 */
export function isProven(bytes: Buffer, location: Location, tail: PackTail, unhashed = false): boolean {
  const frame = parseFrame(bytes, tail.nonce);
  const row = tail.recordAt(location.offset);
  if (frame?.recordLength !== location.length || row?.length !== location.length) return false;
  if (!frame.recordHash.equals(row.hash16)) return false;
  if (unhashed) return true;
  const found = hash("sha256", bytes.subarray(Width.frame), "buffer").subarray(0, Width.recordHash);
  return found.equals(row.hash16);
}

/** The error of a record whose bytes are wrong. */
export function damaged(location: Location): HoldfastError {
  return new HoldfastError(
    ErrorCode.chunkDamaged,
    `the record at ${location.offset} of pack ${location.pack} is damaged`,
    { detail: { pack: location.pack, offset: location.offset } },
  );
}
