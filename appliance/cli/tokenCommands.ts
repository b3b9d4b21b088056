// The rows of commands about access tokens.

import { tokenRoles, tokenScopes } from "../../gateway/catalog/accessTokens.ts";
import type { CommandSpec } from "./command.ts";
import { data } from "./gatewayOptions.ts";

export const tokenCommands: readonly CommandSpec[] = [
  {
    path: ["token", "create"],
    summary: "make an access token for an operator or auditor, for the HTTPS listener",
    details: [
      "An auditor sees states, lists and the audit log; an operator may besides prune, undelete, scrub, evict and replicate. Neither sees content. The token is printed once.",
    ],
    operands: [],
    options: [
      data,
      {
        name: "role",
        kind: "text",
        value: "ROLE",
        choices: tokenRoles,
        summary: `what it may do: ${tokenRoles.join(" or ")}`,
      },
      { name: "label", kind: "text", value: "TEXT", summary: "who will use it" },
      {
        name: "scope",
        kind: "texts",
        value: "SCOPE",
        choices: tokenScopes,
        summary: `hold it to a part of its role (may repeat): ${tokenScopes.join(", ")}`,
      },
      { name: "expires", kind: "duration", value: "TIME", summary: "how long it is good (90d unless given)" },
    ],
    example: "holdfast token create --role auditor --label monitoring --expires 30d --data /srv/holdfast",
    load: () => import("../commands/tokenCreate.ts"),
  },
  {
    path: ["token", "list"],
    summary: "list the access tokens",
    operands: [],
    options: [data],
    example: "holdfast token list --data /srv/holdfast",
    endsWithReader: true,
    load: () => import("../commands/tokenList.ts"),
  },
  {
    path: ["token", "revoke"],
    summary: "end an access token",
    operands: [{ name: "ID|LABEL", required: true }],
    options: [data],
    example: "holdfast token revoke monitoring --data /srv/holdfast",
    load: () => import("../commands/tokenRevoke.ts"),
  },
];
