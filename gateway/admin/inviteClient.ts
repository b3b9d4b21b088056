// Invites of a running gateway, over its admin socket.

import type { InviteOperations } from "./inviteOperations.ts";
import type { Ask } from "./peerClient.ts";

export function inviteClient(ask: Ask): InviteOperations {
  const path = (account: string): string => `/accounts/${encodeURIComponent(account)}/invites`;
  return {
    place: () => ask("GET", "/invites/place"),
    add: (account, request) => ask("POST", path(account), request),
    list: (account) =>
      ask("GET", `/invites${account === undefined ? "" : `?account=${encodeURIComponent(account)}`}`),
    revoke: (account, which) => ask("POST", `${path(account)}/revoke`, { which }),
  };
}
