// How far a job is, in words that all kinds share, and how long it will take still.

/** What a job shows of itself: counts and sizes, never a name. */
export type ShownProgress = {
  /** What is being done, for people: "scrubbing". */
  readonly phase: string;
  /** What is counted: "pack", "file". */
  readonly unit?: string;
  readonly done?: number;
  /** Absent, or 0, where it is not known. */
  readonly total?: number;
  readonly bytes?: number;
  readonly totalBytes?: number;
  readonly sentBytes?: number;
};

export type JobProgressAnswer = ShownProgress & {
  /** Null while it cannot be told. */
  readonly etaSeconds: number | null;
};

/** Before so much of a phase was seen, its rate says nothing. */
const shareLeast = 0.02;
const secondsLeast = 2;

/** The newest progress of a job, and the rate of its phase as it was seen here: what an earlier run did does not count. */
export class ProgressMeter {
  readonly #monotonicMs: () => number;
  #shown: ShownProgress | undefined;
  #began = { atMs: 0, share: 0 };

  constructor(monotonicMs: () => number) {
    this.#monotonicMs = monotonicMs;
  }

  show(progress: ShownProgress): void {
    if (this.#shown?.phase !== progress.phase) {
      this.#began = { atMs: this.#monotonicMs(), share: shareOf(progress) ?? 0 };
    }
    this.#shown = progress;
  }

  /** Null before anything was shown. */
  answer(): JobProgressAnswer | null {
    if (this.#shown === undefined) return null;
    return { ...this.#shown, etaSeconds: this.#eta(shareOf(this.#shown)) };
  }

  #eta(share: number | undefined): number | null {
    const seconds = (this.#monotonicMs() - this.#began.atMs) / 1000;
    const seen = (share ?? 0) - this.#began.share;
    if (share === undefined || seen < shareLeast || seconds < secondsLeast) return null;
    return Math.round((seconds * (1 - share)) / seen);
  }
}

/** 0 to 1, by whichever total says more; undefined without totals. */
function shareOf({ done, total, bytes, totalBytes }: ShownProgress): number | undefined {
  const shares = [
    [done, total],
    [bytes, totalBytes],
  ].flatMap(([part, whole]) => (part !== undefined && whole ? [Math.min(1, part / whole)] : []));
  return shares.length === 0 ? undefined : Math.max(...shares);
}

type PackCounts = {
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

/** Of work that goes through packs. */
export function packsShown(phase: string): (counts: PackCounts) => ShownProgress {
  return ({ packs, packsTotal, bytes, bytesTotal }) => ({
    ...{ phase, unit: "pack", done: packs, total: packsTotal, bytes, totalBytes: bytesTotal },
  });
}
