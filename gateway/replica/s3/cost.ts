// What requests cost, roughly: an estimate to show, not a bill.

/** US dollars per 1,000 requests, and per GiB that leaves the store. */
export type Prices = {
  readonly writePerThousand: number;
  readonly readPerThousand: number;
  readonly egressPerGiB: number;
};

/** Amazon S3 Standard, us-east-1, as its price page had it in 2025; lists count as writes, deletes and aborts are free. Storage is not in it. */
export const awsPrices: Prices = { writePerThousand: 0.005, readPerThousand: 0.0004, egressPerGiB: 0.09 };

const reads = ["GetObject", "HeadObject", "HeadBucket", "GetObjectLockConfiguration", "GetBucketVersioning"];
const free = ["DeleteObject", "AbortMultipartUpload"];

/** US dollars for these requests (by S3's names) and bytes read. Names that are not known count as writes, the dearest. */
export function estimateCost(
  requests: Readonly<Record<string, number>>,
  receivedBytes: number,
  prices: Prices = awsPrices,
): number {
  let cost = (receivedBytes / 2 ** 30) * prices.egressPerGiB;
  for (const [name, count] of Object.entries(requests)) {
    if (free.includes(name)) continue;
    cost += (count / 1000) * (reads.includes(name) ? prices.readPerThousand : prices.writePerThousand);
  }
  return cost;
}
