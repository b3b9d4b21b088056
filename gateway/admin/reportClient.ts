// Daily reports of a running gateway, over its admin socket.

import { followJob } from "./job.ts";
import type { Ask } from "./peerClient.ts";
import type { ReportOperations } from "./reportOperations.ts";

export function reportClient(socketPath: string, ask: Ask): ReportOperations {
  const path = (account: string): string => `/accounts/${encodeURIComponent(account)}/report`;
  return {
    list: () => ask("GET", "/reports"),
    set: ({ account, ...settings }) => ask("PUT", path(account), settings),
    remove: async (account) => void (await ask("DELETE", path(account))),
    preview: (account) => ask("GET", path(account)),
    send: (account, watch) => followJob(socketPath, "/reports/send", { account }, watch),
  };
}
