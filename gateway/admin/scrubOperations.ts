// Scrubbing as an administrator asks for it.

import type { ScrubProgress } from "../maintenance/scrub.ts";
import type { ScrubProblem } from "../maintenance/scrubOne.ts";
import type { ScrubStatus } from "../maintenance/scrubStatus.ts";
import type { JobWatch } from "./job.ts";

export type ScrubRequest = {
  /** Put good copies from replicas in the place of what is damaged or missing. */
  readonly heal: boolean;
  /** Begin anew where an earlier scrub was stopped. */
  readonly fromStart: boolean;
  /** Bytes a second at most, as a table by time (docs/operations.md); empty: as fast as the disk reads. */
  readonly limit: string;
};

export type ScrubResult = {
  readonly packs: number;
  readonly snapshots: number;
  readonly bytes: number;
  /** What was found in this run. */
  readonly problems: readonly ScrubProblem[];
  /** What was found from the beginning on, also by runs that were stopped. */
  readonly problemsInAll: number;
};

export interface ScrubOperations {
  /**
   * Reads all local packs and snapshots of all vaults, compares them with their names, and heals what is not right.
   * @throws HoldfastError cancelled (the next one goes on there), usage (the limit), io-error
   */
  scrub(request: ScrubRequest, watch: JobWatch<ScrubProgress>): Promise<ScrubResult>;
  /** When packs were looked at last. `rows`: of single packs at most, what was not for longest first. */
  scrubStatus(rows: number): Promise<ScrubStatus>;
}
