// Who reads packs in order: which blocks to fetch ahead. One stream is followed in a pack, in the packs that were read last.

type Stream = {
  /** The block after the last one that was read in order. */
  next: number;
  /** Reads that went on where the one before had ended, without one elsewhere between them. */
  hits: number;
  /** Up to where blocks were asked for ahead (exclusive). */
  ahead: number;
};

/** Blocks to fetch: `from` to `to`, which may lie behind the pack's end. `steady`: long enough to go on in the next pack. */
export type AheadWish = { readonly from: number; readonly to: number; readonly steady: boolean };

const streamsMax = 64;
/** Records that are read in order lie a little out of order in packs: several streams of an upload mix. */
const jitterBlocks = 4;
const hitsBeforeAhead = 3;
const windowBlocksMax = 32;
/** Wishes are for so many blocks, or a multiple of it: what one request brings. */
const wishBlocksMin = 4;

export class Streams {
  /** By pack, least recently read first. */
  readonly #streams = new Map<string, Stream>();

  /** Notes a read of blocks `first` to `last` of a pack, and says what to fetch ahead. */
  note(pack: string, first: number, last: number): AheadWish | undefined {
    const stream = this.#streams.get(pack) ?? { next: 0, hits: 0, ahead: 0 };
    this.#streams.delete(pack);
    this.#streams.set(pack, stream);
    if (this.#streams.size > streamsMax) {
      for (const oldest of this.#streams.keys()) {
        this.#streams.delete(oldest);
        break;
      }
    }
    if (Math.abs(first - stream.next) > jitterBlocks) {
      stream.next = last + 1;
      stream.hits = 0;
      stream.ahead = 0;
      return undefined;
    }
    // Again what was read: says nothing.
    if (last < stream.next) return undefined;
    stream.hits++;
    stream.next = last + 1;
    if (stream.hits < hitsBeforeAhead) return undefined;
    const window = Math.min(windowBlocksMax, 4 * 2 ** Math.min(8, stream.hits - hitsBeforeAhead));
    const from = Math.max(stream.ahead, stream.next);
    const blocks = stream.next + window - from;
    if (blocks < wishBlocksMin) return undefined;
    return { from, to: from + blocks - (blocks % wishBlocksMin) - 1, steady: window === windowBlocksMax };
  }

  /** Whether a read from `first` on would go on a stream that is fetched ahead for. */
  isInOrder(pack: string, first: number): boolean {
    const stream = this.#streams.get(pack);
    return (
      stream !== undefined && stream.hits >= hitsBeforeAhead && Math.abs(first - stream.next) <= jitterBlocks
    );
  }

  /** Of a wish, the blocks before `ahead` are here or on their way; for the rest there was no room, and it is wished for again. */
  asked(pack: string, ahead: number): void {
    const stream = this.#streams.get(pack);
    if (stream !== undefined) stream.ahead = Math.max(stream.ahead, ahead);
  }

  /** A stream goes on in another pack, whose blocks before `ahead` are asked for. */
  goOn(pack: string, ahead: number): void {
    const known = this.#streams.get(pack);
    if (known !== undefined && known.hits > 0) {
      known.ahead = Math.max(known.ahead, ahead);
      return;
    }
    this.#streams.set(pack, { next: 0, hits: hitsBeforeAhead + 3, ahead });
  }
}
