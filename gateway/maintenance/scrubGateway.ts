// Scrubs all vaults of a gateway, one after the other.

import type { JobWatch } from "../admin/job.ts";
import type { ScrubRequest, ScrubResult } from "../admin/scrubOperations.ts";
import type { Gateway } from "../gateway.ts";
import { packsShown } from "../jobs/shownProgress.ts";
import { ReplicaHealing } from "./healing.ts";
import { readThrottle } from "./readThrottle.ts";
import { type ScrubProgress, scrubVault } from "./scrub.ts";
import type { ScrubProblem } from "./scrubOne.ts";
import { damageOver, tellDamage } from "./tellDamage.ts";

/** Problems that a result lists; the log has all of them. */
const listedMax = 10_000;

/** See ScrubOperations. */
export function scrubGateway(
  gateway: Gateway,
  request: ScrubRequest,
  watch: JobWatch<ScrubProgress>,
): Promise<ScrubResult> {
  return gateway.jobs.run(
    { kind: "scrub", subject: "" },
    { ...watch, shown: packsShown("scrubbing") },
    (watch) => scrubAll(gateway, request, watch),
    ({ packs, snapshots, bytes, problems }) => {
      const open = problems.filter(({ healedFrom }) => healedFrom === null).length;
      const figures = { packs, snapshots, bytes, healed: problems.length - open, damaged: open };
      return { figures, warnings: problems.length > 0 };
    },
  );
}

async function scrubAll(
  gateway: Gateway,
  request: ScrubRequest,
  { onProgress, signal }: JobWatch<ScrubProgress>,
): Promise<ScrubResult> {
  const throttle = readThrottle(gateway, request.limit, signal);
  const heal = request.heal ? new ReplicaHealing(gateway) : undefined;
  const problems: ScrubProblem[] = [];
  const done = { packs: 0, snapshots: 0, bytes: 0, problemsInAll: 0 };
  for (const { id } of gateway.catalog.vaults.list()) {
    const before = done.bytes;
    const state = await scrubVault({
      vault: await gateway.vault(id),
      directory: gateway.vaultDirectory(id),
      heal,
      fromStart: request.fromStart,
      nowMs: () => gateway.now().getTime(),
      signal,
      throttle,
      onProgress: (progress) => {
        done.bytes = before + progress.bytes;
        onProgress(progress);
      },
      onProblem: (problem) => {
        if (problems.length < listedMax) problems.push(problem);
        tellDamage(gateway, problem);
      },
    });
    if (state.problems === 0) damageOver(gateway, id);
    done.packs += state.packs;
    done.snapshots += state.snapshots;
    done.problemsInAll += state.problems;
  }
  return { ...done, problems };
}
