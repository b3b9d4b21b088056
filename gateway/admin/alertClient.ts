// Alerts of a running gateway, over its admin socket.

import type { AlertOperations } from "./alertOperations.ts";
import { followJob } from "./job.ts";
import type { Ask } from "./peerClient.ts";

export function alertClient(socketPath: string, ask: Ask): AlertOperations {
  return {
    test: (watch) => followJob(socketPath, "/alerts/test", {}, watch),
    expect: async (request) => void (await ask("PUT", "/alerts/expect", request)),
    list: (all) => ask("GET", `/alerts?all=${all}`),
    acknowledge: (id, note) => ask("POST", "/alerts/acknowledge", { id, note }),
  };
}
