// What jobs know of snapshots that leave the vault for good.

import { fromHex } from "../../../vault/bytes.ts";
import type { IndexEnvironment } from "../../index/environment.ts";
import { GoneObjects } from "../../index/goneObjects.ts";
import { JobState, jobReplicas } from "./jobState.ts";

/** Inside a write transaction: their receipts go, and each replica that may list them dooms them in its next root. Ids of 64 hex digits. */
export function forgetSnapshots(environment: IndexEnvironment, ids: readonly string[]): void {
  const gone = new GoneObjects(environment);
  for (const replica of jobReplicas(environment)) {
    for (const id of ids) gone.add(replica, 2, fromHex(id, 32));
    new JobState(environment, replica).forgetSnapshots(ids);
  }
}
