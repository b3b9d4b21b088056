// What the jobs of one replica share: its bandwidth, and how many objects are on their way at a time.

import { setTimeout as pause } from "node:timers/promises";
import type { Replica } from "../../catalog/replicas.ts";
import { Bandwidth } from "./bandwidth.ts";
import { Slots } from "./slots.ts";
import { Throttle, type ThrottleClock } from "./throttle.ts";

export type ReplicaLane = { readonly uploads: Slots; readonly throttle: Throttle };

/** Makes lanes, and makes them anew where a replica's row changed. */
export class ReplicaLanes {
  readonly #clock: ThrottleClock;
  readonly #lanes = new Map<string, { readonly made: string; readonly lane: ReplicaLane }>();

  constructor(clock: Omit<ThrottleClock, "sleep">) {
    this.#clock = { ...clock, sleep };
  }

  /** @throws HoldfastError usage for a bandwidth that cannot be read */
  of(replica: Replica): ReplicaLane {
    const made = JSON.stringify([replica.bandwidth, replica.parallel]);
    const known = this.#lanes.get(replica.id);
    if (known?.made === made) return known.lane;
    const lane = {
      uploads: new Slots(replica.parallel),
      throttle: new Throttle(Bandwidth.parse(replica.bandwidth), this.#clock),
    };
    this.#lanes.set(replica.id, { made, lane });
    return lane;
  }

  forget(replica: string): void {
    this.#lanes.delete(replica);
  }
}

async function sleep(milliseconds: number, signal: AbortSignal): Promise<void> {
  // What waits asks the signal itself.
  await pause(milliseconds, undefined, { signal }).catch(() => {});
}
