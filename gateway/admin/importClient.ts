// ImportOperations of a running gateway, over its admin socket.

import type { ImportOperations } from "./importOperations.ts";
import { followJob } from "./job.ts";
import type { Ask } from "./peerClient.ts";

export function importClient(socketPath: string, ask: Ask): ImportOperations {
  return {
    run: (request, watch) => followJob(socketPath, "/seed/import", request, watch),
    abandon: (box, dryRun) => ask("POST", "/seed/abandon", { box, dryRun }),
  };
}
