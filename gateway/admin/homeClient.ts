// HomeOperations of a running gateway, over its admin socket.

import type { HomeOperations } from "./homeOperations.ts";
import type { Ask } from "./peerClient.ts";

export function homeClient(ask: Ask): HomeOperations {
  return {
    show: (account) =>
      ask("GET", `/homes${account === undefined ? "" : `?account=${encodeURIComponent(account)}`}`),
    plan: (request) => ask("POST", "/homes/plan", request),
    move: (request) => ask("POST", "/homes/move", request),
    undo: (account) => ask("POST", "/homes/undo", { account }),
  };
}
