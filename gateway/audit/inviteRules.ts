// What is noted of invites: how many, until when, which; never what opens something.

import type { InviteOperations } from "../admin/inviteOperations.ts";
import type { Rules } from "./audited.ts";

/** A line has room for so many. */
const idsMax = 100;

function first(invites: readonly { readonly id: string }[] = []): string[] {
  return invites.slice(0, idsMax).map(({ id }) => id);
}

export const invites: Rules<InviteOperations> = {
  place: "reads",
  list: "reads",
  add: ([account, { expiresInSeconds, isolated, appendOnly, device, takeOver, fleet }], made) => ({
    event: "invite.made",
    subject: {
      ...{ account, expiresInSeconds, isolated, appendOnly, device, takeOver, fleet },
      count: made?.invites.length ?? null,
      invites: first(made?.invites),
    },
  }),
  revoke: ([account, which], gone) => ({
    event: "invite.revoked",
    subject: { account, which, count: gone?.length ?? null, invites: first(gone) },
  }),
};
