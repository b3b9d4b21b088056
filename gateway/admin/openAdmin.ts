// Administration of a data directory, whether or not its gateway runs.

import { Administration } from "../administration.ts";
import { auditedAdministration, auditedPeers, auditedUpkeep } from "../audit/adminRules.ts";
import { byAdministrator } from "../audit/audited.ts";
import { Gateway, type GatewayOptions } from "../gateway.ts";
import { AdminClient } from "./adminClient.ts";
import { OfflineUpkeep } from "./offlineUpkeep.ts";
import { openWhenFree } from "./openWhenFree.ts";
import type { AdminOperations } from "./operations.ts";
import { PeerAdministration, type PeerOperations } from "./peerOperations.ts";

export type OpenedAdmin = {
  readonly operations: AdminOperations;
  readonly peers: PeerOperations;
  /** Work on the directory's files; undefined when a gateway runs on it. */
  readonly upkeep: OfflineUpkeep | undefined;
  /** True when a running gateway answers; keys that are unlocked then outlive this command. */
  readonly running: boolean;
  close(): Promise<void>;
};

/**
 * Speaks to the running gateway of a data directory, or opens the directory in this process.
 * @throws HoldfastError as Gateway.open
 */
export async function openAdmin(dataDir: string, options: GatewayOptions): Promise<OpenedAdmin> {
  const client = new AdminClient(dataDir);
  const gateway = await openWhenFree(client, () => Gateway.open(dataDir, options));
  if (gateway === undefined) {
    return {
      operations: client,
      peers: client.peers,
      upkeep: undefined,
      running: true,
      close: async () => {},
    };
  }
  const by = byAdministrator(gateway.audit);
  return {
    operations: auditedAdministration(new Administration(gateway), by),
    peers: auditedPeers(new PeerAdministration(gateway), by),
    upkeep: auditedUpkeep(new OfflineUpkeep(gateway), by),
    running: false,
    close: () => gateway.close(),
  };
}
