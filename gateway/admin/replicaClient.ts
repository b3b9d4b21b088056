// Replica operations of a running gateway, over its admin socket.

import { followJob } from "./job.ts";
import type { ReplicaOperations } from "./replicaOperations.ts";

/** `ask`: one request and its JSON answer. */
export function replicaClient(
  socketPath: string,
  ask: <T>(method: string, path: string, json?: unknown) => Promise<T>,
): ReplicaOperations {
  return {
    add: (request) => ask("POST", "/replicas", request),
    status: (name) => ask("GET", `/replicas${name === undefined ? "" : `?name=${encodeURIComponent(name)}`}`),
    run: (request, watch) => followJob(socketPath, "/replicas/run", request, watch),
    verify: (request, watch) => followJob(socketPath, "/replicas/verify", request, watch),
    remove: (request, watch) => followJob(socketPath, "/replicas/remove", request, watch),
    erase: (request, watch) => followJob(socketPath, "/replicas/erase", request, watch),
  };
}
