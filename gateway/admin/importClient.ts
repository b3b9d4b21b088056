// ImportOperations of a running gateway, over its admin socket.

import type { ImportOperations } from "./importOperations.ts";
import { followJob } from "./job.ts";

export function importClient(socketPath: string): ImportOperations {
  return {
    run: (request, watch) => followJob(socketPath, "/seed/import", request, watch),
    abandon: (request, watch) => followJob(socketPath, "/seed/abandon", request, watch),
  };
}
