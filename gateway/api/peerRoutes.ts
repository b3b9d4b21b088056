// Routes for gateways that keep their replicas here (docs/protocol.md, "Peers"). What is stored is sealed: no key is needed, and none is here.

import type { FastifyInstance } from "fastify";
import type { Gateway } from "../gateway.ts";
import { admitPeers } from "./peerAccess.ts";
import { peerObjectRoutes } from "./peerObjectRoutes.ts";
import { peerProofRoutes } from "./peerProofRoutes.ts";
import { peerBodyRoutes, peerUploadRoutes } from "./peerUploadRoutes.ts";

/** All peer routes, below an app of their own. */
export async function peerRoutes(app: FastifyInstance, gateway: Gateway): Promise<void> {
  admitPeers(app, gateway);
  peerObjectRoutes(app, gateway);
  peerUploadRoutes(app, gateway);
  peerProofRoutes(app, gateway);
  await app.register(async (bodies) => peerBodyRoutes(bodies, gateway));
}
