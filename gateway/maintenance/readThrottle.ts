// How fast upkeep may read a gateway's disk.

import { setTimeout as pause } from "node:timers/promises";
import type { Gateway } from "../gateway.ts";
import { Bandwidth } from "../replica/job/bandwidth.ts";
import { Throttle } from "../replica/job/throttle.ts";

/** Resolves when so many bytes may be read. `limit`: a table of rates by time (docs/operations.md); empty: no limit. @throws HoldfastError usage */
export function readThrottle(
  { now }: Pick<Gateway, "now">,
  limit: string,
  signal: AbortSignal,
): (bytes: number) => Promise<void> {
  const throttle = new Throttle(Bandwidth.parse(limit), {
    now,
    monotonicMs: () => performance.now(),
    sleep: (milliseconds, stop) => pause(milliseconds, undefined, { signal: stop }).catch(() => undefined),
  });
  return (bytes) => throttle.take(bytes, signal);
}
