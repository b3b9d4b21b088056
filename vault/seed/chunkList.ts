// The chunks on board of a box: per group the first 8 bytes of their ids, sorted (docs/format.md, section 12.3).
//
// Memory of a writer and of a reader: one piece of what it is given, and 24 bytes.
import { asBuffer } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { SeedListType, Width } from "../magic.ts";
import { readU64, u64 } from "../replica/u64.ts";
import { encodeListHeader, parseListHeader } from "./listHeader.ts";

/** Bytes of an id that a list names it by. */
export const prefixBytes = 8;
const groupHeaderBytes = 16;

/** The chunks of one group: `prefixes` are runs of big-endian prefixes, strictly ascending over all runs, `count` in all, at least one. */
export type ChunkGroup = {
  readonly group: number;
  readonly count: number;
  readonly prefixes: Iterable<Uint8Array> | AsyncIterable<Uint8Array>;
};

/** Prefixes of one group, in order: whole ones, a view. */
export type PrefixRun = { readonly group: number; readonly prefixes: Buffer };

/** The list of these groups, in ascending order. A group that is not what it says is a RangeError. */
export async function* encodeChunkList(groups: readonly ChunkGroup[]): AsyncGenerator<Buffer> {
  yield encodeListHeader(
    SeedListType.chunks,
    groups.reduce((sum, { count }) => sum + count, 0),
  );
  let previous = -1;
  for (const { group, count, prefixes } of groups) {
    if (!(group > previous && group <= 0xffff_ffff && count > 0)) {
      throw new RangeError(`group ${group} of ${count} chunks after group ${previous}`);
    }
    previous = group;
    const header = Buffer.alloc(groupHeaderBytes);
    header.writeUInt32LE(group, 0);
    header.set(u64(count), 8);
    yield header;
    const order = new Ascending();
    let left = count;
    for await (const piece of prefixes) {
      const run = asBuffer(piece);
      left -= run.length / prefixBytes;
      if (!Number.isInteger(left) || left < 0 || !order.takes(run)) {
        throw new RangeError(`the prefixes of group ${group} are not ${count} ascending ones`);
      }
      yield run;
    }
    if (left !== 0) throw new RangeError(`group ${group} has ${left} prefixes fewer than it says`);
  }
}

/**
 * Reads a list that comes in pieces of any length. A run is at most as long as a piece; its bytes are the reader's until it asks on.
 * @throws HoldfastError truncated, corrupt, unsupported; what `pieces` throws
 */
export async function* readChunkList(
  pieces: Iterable<Uint8Array> | AsyncIterable<Uint8Array>,
): AsyncGenerator<PrefixRun, void, undefined> {
  const reader = new ChunkListReader();
  for await (const piece of pieces) yield* reader.push(piece);
  reader.end();
}

class ChunkListReader {
  /** What was cut off behind the last whole field. */
  #rest = Buffer.alloc(0);
  /** Chunks that are still to come; undefined before the header. */
  #left: number | undefined;
  #group = -1;
  #groupLeft = 0;
  #order = new Ascending();

  *push(piece: Uint8Array): Generator<PrefixRun, void, undefined> {
    const bytes = this.#rest.length === 0 ? asBuffer(piece) : Buffer.concat([this.#rest, piece]);
    let at = 0;
    for (;;) {
      const room = bytes.length - at;
      if (this.#left === undefined) {
        if (room < Width.seedListHeader) break;
        this.#left = parseListHeader(bytes, SeedListType.chunks);
        at += Width.seedListHeader;
      } else if (this.#left === 0) {
        if (room > 0) throw corrupt("goes on behind its last chunk");
        break;
      } else if (this.#groupLeft === 0) {
        if (room < groupHeaderBytes) break;
        this.#beginGroup(bytes.subarray(at, at + groupHeaderBytes), this.#left);
        at += groupHeaderBytes;
      } else {
        const count = Math.min(Math.floor(room / prefixBytes), this.#groupLeft);
        if (count === 0) break;
        const prefixes = bytes.subarray(at, at + count * prefixBytes);
        if (!this.#order.takes(prefixes)) throw corrupt("is not in ascending order");
        at += prefixes.length;
        this.#groupLeft -= count;
        this.#left -= count;
        yield { group: this.#group, prefixes };
      }
    }
    this.#rest = Buffer.from(bytes.subarray(at));
  }

  #beginGroup(header: Buffer, left: number): void {
    const group = header.readUInt32LE(0);
    const count = readU64(header, 8);
    if (header.readUInt32LE(4) !== 0) throw corrupt("has a reserved byte that is not zero");
    if (group <= this.#group) throw corrupt("has its groups out of order");
    if (count === 0 || count > left) throw corrupt(`declares ${count} chunks of ${left} in a group`);
    this.#group = group;
    this.#groupLeft = count;
    this.#order = new Ascending();
  }

  end(): void {
    if (this.#left !== 0 || this.#rest.length > 0) {
      throw new HoldfastError(ErrorCode.truncated, "a list of chunks is cut short");
    }
  }
}

/** Looks whether prefixes ascend, over runs. */
class Ascending {
  #high = -1;
  #low = 0;

  takes(run: Buffer): boolean {
    for (let at = 0; at < run.length; at += prefixBytes) {
      const high = run.readUInt32BE(at);
      const low = run.readUInt32BE(at + 4);
      if (high < this.#high || (high === this.#high && low <= this.#low)) return false;
      this.#high = high;
      this.#low = low;
    }
    return true;
  }
}

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, `a list of chunks ${what}`);
}
