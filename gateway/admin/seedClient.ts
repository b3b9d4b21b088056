// Operations of boxes of a running gateway, over its admin socket.

import { query } from "../../ingest/client/query.ts";
import { followJob } from "./job.ts";
import type { SeedOperations } from "./seedOperations.ts";

/** `ask`: one request and its JSON answer. */
export function seedClient(
  socketPath: string,
  ask: <T>(method: string, path: string, json?: unknown) => Promise<T>,
): SeedOperations {
  return {
    prepare: (request) => ask("POST", "/seed/prepare", request),
    seal: (request, watch) => followJob(socketPath, "/seed/seal", request, watch),
    extend: (request) => ask("POST", "/seed/extend", request),
    reopen: (by, watch) => followJob(socketPath, "/seed/reopen", { by }, watch),
    send: (watch) => followJob(socketPath, "/seed/send", {}, watch),
    promise: (file, watch) => followJob(socketPath, "/seed/promise", { file }, watch),
    look: (file, watch) => followJob(socketPath, "/seed/look", { file }, watch),
    readRate: () => ask("GET", "/seed/read-rate"),
    status: (number) => ask("GET", `/seed/status${query({ number })}`),
    custody: (add) => (add === undefined ? ask("GET", "/seed/custody") : ask("POST", "/seed/custody", add)),
  };
}
