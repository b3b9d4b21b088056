// How fast upkeep may read a gateway's disk.

import { RateLimiter } from "../../ingest/line/rateLimiter.ts";
import { RateTable } from "../../ingest/line/rateTable.ts";
import type { Gateway } from "../gateway.ts";

/** Resolves when so many bytes may be read. `limit`: a table of rates by time (docs/network.md); empty: no limit. @throws HoldfastError usage */
export function readThrottle(
  { now }: Pick<Gateway, "now">,
  limit: string,
  signal: AbortSignal,
): (bytes: number) => Promise<void> {
  const clock = { wallMs: () => now().getTime(), monotonicMs: () => performance.now() };
  const limiter = new RateLimiter(RateTable.parse(limit), clock);
  return (bytes) => limiter.take(bytes, signal);
}
