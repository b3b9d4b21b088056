// JobOperations of a running gateway, over its admin socket.

import type { JobOperations } from "./jobOperations.ts";
import type { Ask } from "./peerClient.ts";

export function jobClient(ask: Ask): JobOperations {
  return {
    list: (filter) => ask("POST", "/jobs/list", filter),
    get: (id) => ask("GET", `/jobs/${id}`),
    log: (id, after) => ask("GET", `/jobs/${id}/log?after=${after}`),
    cancel: (id) => ask("POST", `/jobs/${id}/cancel`, {}),
  };
}
