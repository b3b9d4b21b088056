// The index environment of a vault that is being restored, rebuilt or looked at by itself: the tables that VaultStore and OpenVault
// find there.

import { join } from "node:path";
import { Needs } from "../../catalog/needs.ts";
import { VaultCatalog } from "../../catalog/vaultCatalog.ts";
import { ChunkIndex } from "../../index/chunkIndex.ts";
import { type IndexEnvironment, openIndexEnvironment } from "../../index/environment.ts";
import { IndexOverlay } from "../../index/overlay.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import { PackTable } from "../../index/packTable.ts";
import { PackTails } from "../../store/packTails.ts";
import { Backfill } from "./backfill.ts";

export class VaultTables {
  readonly environment: IndexEnvironment;
  readonly index: ChunkIndex;
  readonly overlay: IndexOverlay;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly tails: PackTails;
  readonly catalog: VaultCatalog;
  readonly needs: Needs;
  readonly backfill: Backfill;

  /** `directory`: the vault's; it exists. `folder`: of the environment in it; for `key` see openIndexEnvironment. */
  constructor(directory: string, folder = "index", key?: string) {
    this.environment = openIndexEnvironment(join(directory, folder), key);
    this.index = new ChunkIndex(this.environment);
    this.packs = new PackTable(this.environment);
    this.overlay = new IndexOverlay(this.index, this.packs);
    this.places = new PackPlaces(this.environment);
    this.tails = new PackTails(directory);
    this.catalog = new VaultCatalog(this.environment);
    this.needs = new Needs(this.environment, this.index);
    this.backfill = new Backfill(this.environment);
  }

  close(): Promise<void> {
    return this.environment.close();
  }
}
