// How far a run is, how fast, and how long it still takes.

import type { JobProgress } from "./replicationStatus.ts";

/** Seconds after which what was measured counts a third. */
const memorySeconds = 20;
/** Shorter pieces of time are measured together. */
const pieceSeconds = 0.5;

export class RunProgress {
  readonly #monotonicMs: () => number;
  #packsDone = 0;
  #packsLeft = 0;
  #bytesDone = 0;
  #bytesLeft = 0;
  /** Bytes that went of packs that are not done. */
  readonly #underWay = new Map<number, number>();
  #piece: { since: number; bytes: number };
  #rate: number | undefined;

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
    this.#piece = { since: monotonicMs(), bytes: 0 };
  }

  /** There is so much more to send. */
  found(packs: number, bytes: number): void {
    this.#packsLeft += packs;
    this.#bytesLeft += bytes;
  }

  /** Bytes of a pack (by ordinal) went. */
  sent(pack: number, bytes: number): void {
    this.#underWay.set(pack, (this.#underWay.get(pack) ?? 0) + bytes);
    this.#piece.bytes += bytes;
    this.#measure();
  }

  /** A pack is there, or is left out of this run. */
  ended(pack: number, bytes: number, there: boolean): void {
    this.#underWay.delete(pack);
    this.#packsLeft--;
    this.#bytesLeft -= bytes;
    if (!there) return;
    this.#packsDone++;
    this.#bytesDone += bytes;
  }

  #measure(): void {
    const seconds = (this.#monotonicMs() - this.#piece.since) / 1000;
    if (seconds < pieceSeconds) return;
    const rate = this.#piece.bytes / seconds;
    const weight = Math.exp(-seconds / memorySeconds);
    this.#rate = this.#rate === undefined ? rate : this.#rate * weight + rate * (1 - weight);
    this.#piece = { since: this.#monotonicMs(), bytes: 0 };
  }

  get now(): JobProgress {
    this.#measure();
    let underWay = 0;
    for (const bytes of this.#underWay.values()) underWay += bytes;
    // A part that is sent again counts for the rate, and no further than the whole.
    const bytesLeft = Math.max(0, this.#bytesLeft - underWay);
    const bytesPerSecond = Math.round(this.#rate ?? 0);
    return {
      packsDone: this.#packsDone,
      packsLeft: this.#packsLeft,
      bytesDone: this.#bytesDone + this.#bytesLeft - bytesLeft,
      bytesLeft,
      bytesPerSecond,
      etaSeconds: bytesLeft === 0 ? 0 : bytesPerSecond === 0 ? null : Math.ceil(bytesLeft / bytesPerSecond),
    };
  }
}
