// The gateway's catalog: access tokens, accounts, app passwords, boxes, devices, fleets, homes, invites, jobs, vaults, replicas and peers, in one LMDB environment.
//
// A table that an older program did not have is made when the catalog is opened; an older program passes over tables that it
// does not know.

import { type IndexEnvironment, openIndexEnvironment } from "../index/environment.ts";
import { AccessTokens } from "./accessTokens.ts";
import { Accounts } from "./accounts.ts";
import { AppPasswordRows } from "./appPasswords.ts";
import { Boxes } from "./boxes.ts";
import { Devices } from "./devices.ts";
import { FleetItems } from "./fleetItems.ts";
import { HomeRows } from "./homes.ts";
import { Invites } from "./invites.ts";
import { PeerRows } from "./peers.ts";
import { Removals } from "./removals.ts";
import { Replicas } from "./replicas.ts";
import { type GcFigures, type PruneFigures, ScheduledRuns } from "./scheduledRuns.ts";
import { Vaults } from "./vaults.ts";

export class Catalog {
  readonly environment: IndexEnvironment;
  readonly accessTokens: AccessTokens;
  readonly accounts: Accounts;
  readonly appPasswords: AppPasswordRows;
  readonly boxes: Boxes;
  readonly devices: Devices;
  readonly fleetItems: FleetItems;
  readonly homes: HomeRows;
  readonly invites: Invites;
  readonly peers: PeerRows;
  readonly removals: Removals;
  readonly pruneRuns: ScheduledRuns<PruneFigures>;
  readonly gcRuns: ScheduledRuns<GcFigures>;
  readonly replicas: Replicas;
  readonly vaults: Vaults;

  /** Opens (creates) the catalog in a directory. `key`: see openIndexEnvironment. */
  constructor(directory: string, key?: string) {
    this.environment = openIndexEnvironment(directory, key);
    this.accessTokens = new AccessTokens(this.environment);
    this.accounts = new Accounts(this.environment);
    this.appPasswords = new AppPasswordRows(this.environment);
    this.boxes = new Boxes(this.environment);
    this.devices = new Devices(this.environment);
    this.fleetItems = new FleetItems(this.environment);
    this.homes = new HomeRows(this.environment);
    this.invites = new Invites(this.environment);
    this.peers = new PeerRows(this.environment);
    this.removals = new Removals(this.environment);
    this.pruneRuns = new ScheduledRuns(this.environment, "prune-runs", { trashed: 0 });
    this.gcRuns = new ScheduledRuns(this.environment, "gc-runs", { snapshots: 0, freedBytes: 0, held: 0 });
    this.replicas = new Replicas(this.environment);
    this.vaults = new Vaults(this.environment);
  }

  /** A vault as people name it: ACCOUNT/VAULT; its id where it is gone. */
  vaultTitle(id: string): string {
    const row = this.vaults.get(id);
    if (row === undefined) return id;
    return `${this.accounts.get(row.account)?.name ?? row.account}/${row.name}`;
  }

  /** Runs changes of several tables in one durable transaction. */
  write<T>(change: () => T): T {
    return this.environment.write(change);
  }

  async close(): Promise<void> {
    await this.environment.close();
  }
}
