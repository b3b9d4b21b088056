// RetentionOperations of a running gateway, over its admin socket.

import type { Ask } from "./peerClient.ts";
import type { RetentionOperations } from "./retentionOperations.ts";

export function retentionClient(ask: Ask): RetentionOperations {
  return {
    policies: (scope) => ask("POST", "/retention/policies", scope),
    setPolicy: async (request) => void (await ask("PUT", "/retention/policy", request)),
    prune: (request) => ask("POST", "/retention/prune", request),
    snapshots: (scope, trash) => ask("POST", "/retention/snapshots", { ...scope, trash }),
    mark: (request) => ask("POST", "/retention/marks", request),
    remove: (snapshots, reason) => ask("POST", "/retention/remove", { snapshots, reason }),
    undelete: (snapshots) => ask("POST", "/retention/undelete", { snapshots }),
  };
}
