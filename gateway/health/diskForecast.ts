// When a gateway's disk will be down to its reserve, if it goes on filling as it did lately.
//
// One sample of the free bytes an hour, in the catalog, so that a restart forgets nothing. The rate is the median of the slopes of all pairs of
// samples of a week (Theil and Sen): one eviction or one large import does not bend it.

import { statfs } from "node:fs/promises";
import { orderKeyOf } from "../catalog/rowKeys.ts";
import type { Gateway } from "../gateway.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

export type DiskState = {
  readonly freeBytes: number;
  readonly totalBytes: number;
  /** What stays free: uploads are refused below it. */
  readonly reserveBytes: number;
  /** By which it fills; below 0: it empties. Null while too little is known. */
  readonly bytesPerDay: number | null;
  /** Until the reserve is reached; 0 where it is. Null where it does not fill, or nobody knows. */
  readonly daysLeft: number | null;
};

export type DiskSample = { readonly atMs: number; readonly freeBytes: number };

const hourMs = 3_600_000;
const dayMs = 24 * hourMs;
const keptMs = 7 * dayMs;
/** Less says nothing: backups come once a day. */
const spanMsMin = dayMs;
const samplesMin = 12;

export class DiskForecast {
  readonly #gateway: Pick<Gateway, "catalog" | "dataDir" | "now">;
  /** By time in milliseconds since 1970. */
  readonly #rows: Table<DiskSample>;

  constructor(gateway: Pick<Gateway, "catalog" | "dataDir" | "now">) {
    this.#gateway = gateway;
    this.#rows = openTable(gateway.catalog.environment, "disk-samples", jsonCodec<DiskSample>());
  }

  /** Notes how full the disk is, where the last note is an hour old. @throws HoldfastError disk-full, io-error; the system's error */
  async sample(): Promise<void> {
    const { catalog, now, dataDir } = this.#gateway;
    const atMs = now().getTime();
    const rows = this.#rows.entries();
    // Samples of a clock that was set back since are of no use.
    const old = rows.filter(([, row]) => row.atMs > atMs || row.atMs < atMs - keptMs);
    const newestMs = rows.findLast(([, row]) => row.atMs <= atMs)?.[1].atMs;
    if (newestMs !== undefined && atMs - newestMs < hourMs) return;
    const { bavail, bsize } = await statfs(dataDir.path);
    catalog.write(() => {
      for (const [key] of old) this.#rows.remove(key);
      this.#rows.put(orderKeyOf(atMs), { atMs, freeBytes: bavail * bsize });
    });
  }

  /** @throws the system's error where the disk does not answer */
  async state(): Promise<DiskState> {
    const { path, settings } = this.#gateway.dataDir;
    const { bavail, blocks, bsize } = await statfs(path);
    const freeBytes = bavail * bsize;
    const reserveBytes = settings.reserveMiB * 2 ** 20;
    const bytesPerDay = fillRate(this.#rows.entries().map(([, row]) => row));
    return {
      ...{ freeBytes, totalBytes: blocks * bsize, reserveBytes, bytesPerDay },
      daysLeft: daysUntil(freeBytes - reserveBytes, bytesPerDay),
    };
  }
}

/** Bytes a day by which a disk fills; null where the samples say too little. */
export function fillRate(samples: readonly DiskSample[]): number | null {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || samples.length < samplesMin) return null;
  if (last.atMs - first.atMs < spanMsMin) return null;
  const slopes: number[] = [];
  for (let i = 0; i < samples.length; i++) {
    for (let j = i + 1; j < samples.length; j++) {
      const [a, b] = [samples[i]!, samples[j]!];
      if (b.atMs > a.atMs) slopes.push(((a.freeBytes - b.freeBytes) / (b.atMs - a.atMs)) * dayMs);
    }
  }
  slopes.sort((a, b) => a - b);
  const middle = Math.floor(slopes.length / 2);
  return slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2;
}

function daysUntil(roomBytes: number, bytesPerDay: number | null): number | null {
  if (roomBytes <= 0) return 0;
  return bytesPerDay === null || bytesPerDay <= 0 ? null : roomBytes / bytesPerDay;
}
