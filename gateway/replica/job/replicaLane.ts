// What the jobs of one replica share: its bandwidth, and how many objects are on their way at a time.

import { type LimiterClock, RateLimiter } from "../../../ingest/line/rateLimiter.ts";
import { RateTable } from "../../../ingest/line/rateTable.ts";
import type { Replica } from "../../catalog/replicas.ts";
import { Slots } from "./slots.ts";

export type ReplicaLane = { readonly uploads: Slots; readonly throttle: RateLimiter };

/** Makes lanes, and makes them anew where a replica's row changed. */
export class ReplicaLanes {
  readonly #clock: LimiterClock;
  readonly #lanes = new Map<string, { readonly made: string; readonly lane: ReplicaLane }>();

  constructor(now: () => Date, monotonicMs: () => number) {
    this.#clock = { wallMs: () => now().getTime(), monotonicMs };
  }

  /** @throws HoldfastError usage for a bandwidth that cannot be read */
  of(replica: Replica): ReplicaLane {
    const made = JSON.stringify([replica.bandwidth, replica.parallel]);
    const known = this.#lanes.get(replica.id);
    if (known?.made === made) return known.lane;
    const lane = {
      uploads: new Slots(replica.parallel),
      throttle: new RateLimiter(RateTable.parse(replica.bandwidth), this.#clock),
    };
    this.#lanes.set(replica.id, { made, lane });
    return lane;
  }

  forget(replica: string): void {
    this.#lanes.delete(replica);
  }
}
