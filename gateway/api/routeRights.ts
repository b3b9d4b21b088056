// Who may ask for what: every route of the HTTPS listener (docs/security.md, "Roles, and who may ask for what"). What is not here is not served.

import type { TokenScope } from "../catalog/accessTokens.ts";

export type AskerKind =
  | "login"
  | "device"
  | "app-password"
  | "peer"
  | "box"
  | "invite"
  | "datacentre"
  | "auditor"
  | "operator";

export type RouteRight = {
  /** Without a credential when "anybody" is among them. */
  readonly who: readonly (AskerKind | "anybody")[];
  /** Of what access tokens can be held to. */
  readonly scope?: TokenScope;
};

function of(...who: RouteRight["who"]): RouteRight {
  return { who };
}

const anybody = of("anybody");
const account = of("login", "device");
const device = of("device");
const app = of("app-password");
const peer = of("peer");
const box = of("box");

function seen(scope: TokenScope): RouteRight {
  return { who: ["auditor", "operator"], scope };
}

function run(scope: TokenScope): RouteRight {
  return { who: ["operator"], scope };
}

/** By method and pattern; HEAD of what has GET goes as GET. */
export const routeRights: Readonly<Record<string, RouteRight>> = {
  "GET /healthz": anybody,
  "GET /readyz": anybody,
  // Held to its own token, which is none of an asker's.
  "GET /metrics": anybody,
  "GET /v1/hello": anybody,
  "GET /v1/directory": anybody,
  "GET /v1/accounts/:name/kdf": anybody,
  "POST /v1/login": anybody,
  "GET /v1/openapi.json": anybody,

  "GET /v1/me": account,
  "GET /v1/home": account,
  "GET /v1/vaults/:vault/document": account,
  "GET /v1/vaults/:vault/keys": account,
  "GET /v1/devices": account,
  "GET /v1/items": account,
  "GET /v1/snapshots": account,
  "GET /v1/snapshots/:id/object": account,
  "GET /v1/events": account,
  "POST /v1/vaults/:vault/read": account,
  "POST /v1/vaults/:vault/exists": account,
  "GET /v1/vaults/:vault/packs/:sha256": account,
  "GET /v1/vaults/:vault/records": account,

  "POST /v1/devices": of("login"),

  "POST /v1/invites/claim": of("invite"),
  "POST /v1/invites/enroll": of("invite"),

  "PUT /v1/items/:name": device,
  "GET /v1/definitions": device,
  "POST /v1/items/:name/reports": device,
  "PUT /v1/items/:name/estimate": device,
  "POST /v1/sessions": device,
  "POST /v1/sessions/:session/have": device,
  "POST /v1/sessions/:session/whole": device,
  "POST /v1/sessions/:session/records": device,
  "POST /v1/sessions/:session/commit": device,
  "POST /v1/sessions/:session/progress": device,
  "DELETE /v1/sessions/:session": device,
  "POST /v1/vaults/:vault/suspect": device,

  "GET /v1/archive/*": app,
  "GET /v1/history/*": app,

  "HEAD /v1/peer/objects/*": peer,
  "GET /v1/peer/objects/*": peer,
  "PUT /v1/peer/objects/*": peer,
  "DELETE /v1/peer/objects/*": peer,
  "GET /v1/peer/objects": peer,
  "POST /v1/peer/uploads": peer,
  "PUT /v1/peer/uploads/:upload": peer,
  "GET /v1/peer/uploads/:upload": peer,
  "DELETE /v1/peer/uploads/:upload": peer,
  "POST /v1/peer/vaults/:vault/receipts": peer,
  "POST /v1/peer/challenge": peer,
  "GET /v1/peer/usage": peer,

  "GET /v1/seed": box,
  "POST /v1/seed/manifest": box,
  "POST /v1/seed/reopened": box,
  "PUT /v1/seed/lists/:vault/:list": box,

  "GET /v1/carried/:vault/packs/:sha256": of("datacentre"),

  "GET /v1/admin/status": seen("status"),
  "GET /v1/admin/accounts": seen("accounts"),
  "GET /v1/admin/devices": seen("devices"),
  "GET /v1/admin/vaults": seen("vaults"),
  "POST /v1/admin/retention/policies": seen("retention"),
  "POST /v1/admin/retention/snapshots": seen("snapshots"),
  "GET /v1/admin/alerts": seen("alerts"),
  "POST /v1/admin/jobs/list": seen("jobs"),
  "GET /v1/admin/jobs/:id": seen("jobs"),
  "GET /v1/admin/jobs/:id/log": seen("jobs"),
  "GET /v1/admin/replicas": seen("replicas"),
  "GET /v1/admin/scrub": seen("scrub"),
  "GET /v1/admin/drills": seen("drill"),
  "GET /v1/admin/peers": seen("peers"),
  "POST /v1/admin/audit/list": seen("audit"),
  "POST /v1/admin/audit/verify": seen("audit"),

  "POST /v1/admin/alerts/acknowledge": run("alerts"),
  "POST /v1/admin/retention/prune": run("prune"),
  "POST /v1/admin/retention/undelete": run("undelete"),
  "POST /v1/admin/scrub": run("scrub"),
  "POST /v1/admin/evict": run("evict"),
  "POST /v1/admin/gc": run("gc"),
  "POST /v1/admin/gc/stop": run("gc"),
  "POST /v1/admin/check": run("check"),
  "POST /v1/admin/drill": run("drill"),
  "POST /v1/admin/replicas/run": run("replicas"),
  "POST /v1/admin/replicas/verify": run("replicas"),
  "POST /v1/admin/jobs/stop": run("jobs"),
  "POST /v1/admin/jobs/:id/cancel": run("jobs"),
};
