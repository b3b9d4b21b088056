// What is done to a data directory only while no gateway runs on it.

import type { Gateway } from "../gateway.ts";
import {
  type RebuildRequest,
  type RebuildResult,
  rebuildGateway,
} from "../maintenance/rebuild/rebuildGateway.ts";
import type { RebuildProgress } from "../maintenance/rebuild/rebuildVault.ts";
import type { JobWatch } from "./job.ts";

export class OfflineUpkeep {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** Makes the indexes of vaults anew from their packs. @throws HoldfastError not-found, disk-full, io-error, cancelled */
  rebuildIndex(request: RebuildRequest, watch: JobWatch<RebuildProgress>): Promise<RebuildResult> {
    return rebuildGateway(this.#gateway, request, watch);
  }
}
