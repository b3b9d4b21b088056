// A running gateway: its data directory, catalog, open vaults, logins and unlocked keys. Listeners (api/server.ts) and
// administration (administration.ts) work on this object.
//
// Invariant: one process per data directory (dataLock.ts).

import { join } from "node:path";
import type { Logger } from "pino";
import type { Proxies } from "../ingest/line/proxies.ts";
import type { HoldfastError } from "../vault/errors.ts";
import { AlertLog } from "./alerts/alertLog.ts";
import { Audit, byGateway } from "./audit/audit.ts";
import { AppPasswords } from "./auth/appPasswords.ts";
import { Authenticator } from "./auth/authenticator.ts";
import type { PasswordHasher } from "./auth/passwordHash.ts";
import type { BlockEngine } from "./cache/blockEngine.ts";
import { GatewayElsewhere } from "./cache/gatewayElsewhere.ts";
import { Catalog } from "./catalog/catalog.ts";
import { ChangeFeed } from "./changeFeed.ts";
import { type DataDir, readDataDir, refuseLostCatalog } from "./dataDir.ts";
import { type DataLock, lockDirectory } from "./dataLock.ts";
import { finishStart } from "./finishStart.ts";
import { Guard } from "./guard/guard.ts";
import { Probes } from "./health/probes.ts";
import { homeFacts } from "./homes/homeFacts.ts";
import { Homes } from "./homes/homes.ts";
import { jobLogger } from "./jobs/jobLogger.ts";
import { Jobs } from "./jobs/jobs.ts";
import { GcRuns } from "./maintenance/gc/gcRuns.ts";
import type { VaultContent } from "./maintenance/vaultContent.ts";
import type { OpenVault } from "./openVault.ts";
import { OpenVaults, type VaultOptions } from "./openVaults.ts";
import { Peers } from "./peer/peers.ts";
import { proxiesOf } from "./proxySettings.ts";
import { GatewayReplication } from "./replica/gatewayState/gatewayReplication.ts";
import { Replication } from "./replica/job/replication.ts";
import { openReplicaStore, type ReplicaAddress } from "./replica/openStore.ts";
import { Sealing } from "./sealing.ts";
import { databaseKey } from "./seed/boxDirectory.ts";
import { SealReceiver } from "./seed/receive/sealReceiver.ts";
import { changedKeys } from "./settings.ts";
import { Turns } from "./turns.ts";
import { UnlockedVaults } from "./unlockedVaults.ts";
import { formats } from "./upgrade/formats.ts";
import { inNewestFormat, type UpgradeOptions } from "./upgrade/upgradeDataDir.ts";

export type GatewayOptions = VaultOptions &
  UpgradeOptions & {
    readonly logger: Logger;
    readonly now: () => Date;
    /** Of a clock that does not jump; performance.now by default. */
    readonly monotonicMs?: () => number;
    /** Of login keys; one of its own by default. */
    readonly hasher?: PasswordHasher | undefined;
    /** For the cache of blocks; what is everywhere by default. */
    readonly blocks?: BlockEngine | undefined;
    /** Opens a box's data directory. */
    readonly boxKey?: Uint8Array | undefined;
    /** Opens records of unlocked vaults, for upkeep. */
    readonly content?: (gateway: Gateway) => VaultContent;
    /** Version of the program, for `GET /v1/hello`. */
    readonly version: string;
  };

export class Gateway {
  readonly catalog: Catalog;
  readonly authenticator: Authenticator;
  readonly appPasswords: AppPasswords;
  readonly audit: Audit;
  readonly peers: Peers;
  /** Whose agents back up here, and the directory of homes. */
  readonly homes: Homes;
  /** Manifests of boxes that come here. */
  readonly seals = new SealReceiver(this);
  readonly unlocked: UnlockedVaults;
  /** By account: what changes several keys documents, or a keys document and the catalog, has its turn. */
  readonly keysTurns = new Turns();
  /** All long work, and what became of it. */
  readonly jobs: Jobs;
  /** What is in replicas. */
  readonly elsewhere: GatewayElsewhere;
  /** Of snapshots that appear or go, and of keys documents; by account. */
  readonly changes = new ChangeFeed();
  /** Of packs that are closed; by vault. */
  readonly closedPacks = new ChangeFeed();
  readonly probes = new Probes();
  /** The garbage collection that runs. */
  readonly collecting = new GcRuns();
  /** Idle until it is started or asked to run. */
  readonly replication: Replication;
  /** That of the catalog and settings; likewise. */
  readonly stateReplication: GatewayReplication;
  /** Of gateway/sealed.json: `bring` it up to date after settings or vaults changed. */
  readonly sealing: Sealing;
  readonly alerts: AlertLog;
  /** Looks at what is committed. */
  readonly guard = new Guard(this);
  readonly content: VaultContent | undefined;
  readonly logger: Logger;
  readonly version: string;
  readonly now: () => Date;
  readonly monotonicMs: () => number;
  /** Resolves when this process cannot go on and is to end: a database cannot be read any more (IndexEnvironment.gaveUp). */
  readonly broken: Promise<HoldfastError>;
  readonly #break: (failure: HoldfastError) => void;
  #dataDir: DataDir;
  readonly #lock: DataLock;
  readonly #read: () => Promise<DataDir>;
  readonly #vaults: OpenVaults;
  readonly #work = new Set<Promise<unknown>>();
  #closed = false;

  private constructor(dataDir: DataDir, lock: DataLock, catalog: Catalog, options: GatewayOptions) {
    this.#dataDir = dataDir;
    this.catalog = catalog;
    this.logger = jobLogger(options.logger, (level, args) => this.jobs.heard(level, args));
    this.version = options.version;
    this.now = options.now;
    this.monotonicMs = options.monotonicMs ?? (() => performance.now());
    this.alerts = new AlertLog(catalog.environment, options.now);
    this.#lock = lock;
    this.#read = readerOf(dataDir.path, options);
    ({ promise: this.broken, resolve: this.#break } = Promise.withResolvers<HoldfastError>());
    void catalog.environment.gaveUp.then(this.#break);
    this.#vaults = new OpenVaults(this, { ...options, broken: this.#break });
    this.jobs = new Jobs(this);
    const { monotonicMs } = this;
    const { now, hasher } = options;
    const secret = Buffer.from(dataDir.identity.secret, "base64");
    this.audit = new Audit({
      ...{ dataDir, now, monotonicMs },
      written: () => this.stateReplication.changed(),
      warn: (error, waiting) => this.logger.error({ err: error, waiting }, "the audit log cannot be written"),
    });
    this.unlocked = new UnlockedVaults(monotonicMs, (vault, why) =>
      this.audit.note(byGateway("vault.locked", { vault, why })),
    );
    const owner = { id: dataDir.identity.id, secret };
    this.authenticator = new Authenticator({ catalog, owner, audit: this.audit, now, monotonicMs, hasher });
    this.elsewhere = new GatewayElsewhere({
      path: dataDir.path,
      settings: () => this.dataDir.settings,
      replicas: catalog.replicas,
      open: (replica) => openReplicaStore(replica, this),
      ...{ now, monotonicMs, blocks: options.blocks },
      report: (event, facts) => this.logger.warn(facts, event),
    });
    this.appPasswords = new AppPasswords({
      ...{ catalog, now, monotonicMs, audit: this.audit },
      warn: (error) => this.logger.warn({ err: error }, "the last use of app passwords could not be noted"),
    });
    this.sealing = new Sealing({
      catalog,
      dataDir: () => this.dataDir,
      sealed: () => this.stateReplication.changed(),
    });
    const replicas = {
      gateway: this,
      openStore: (replica: ReplicaAddress) => openReplicaStore(replica, this),
      monotonicMs,
    };
    this.stateReplication = new GatewayReplication(replicas);
    this.replication = new Replication({ ...replicas, ownState: this.stateReplication });
    this.homes = new Homes({
      rows: catalog.homes,
      gateway: () => homeFacts(this.dataDir),
      now,
      endLeases: async (account, isAway) => {
        const away = catalog.devices.list(account).filter(({ id }) => isAway(id));
        if (away.length === 0) return;
        for (const vault of await this.vaultsOf(account))
          vault.catalog.leases.endOf(away.map(({ id }) => id));
      },
    });
    this.peers = new Peers({
      rows: catalog.peers,
      path: dataDir.path,
      secret,
      gatewayId: Buffer.from(dataDir.identity.id, "hex"),
      now,
      reserveBytes: () => this.dataDir.settings.reserveMiB * 2 ** 20,
    });
    this.content = options.content?.(this);
  }

  /**
   * Opens a data directory for this process.
   * @throws HoldfastError data-dir-invalid, data-dir-locked, unsupported, usage (config.toml), io-error, disk-full; key-wrong (a box)
   */
  static async open(path: string, options: GatewayOptions): Promise<Gateway> {
    const read = readerOf(path, options);
    await read();
    refuseLostCatalog(path);
    const lock = await lockDirectory(path);
    let gateway: Gateway;
    try {
      const dataDir = await inNewestFormat(read, options);
      gateway = new Gateway(
        dataDir,
        lock,
        new Catalog(join(path, "catalog"), databaseKey(dataDir, "catalog")),
        options,
      );
    } catch (error) {
      lock.release();
      throw error;
    }
    try {
      await finishStart(gateway);
      return gateway;
    } catch (error) {
      await gateway.close();
      throw error;
    }
  }

  /** The data directory as it was read last. */
  get dataDir(): DataDir {
    return this.#dataDir;
  }

  /**
   * Reads settings and certificate again; on failure the old ones stay. The room to keep free counts for vaults opened later.
   * @throws HoldfastError usage (config.toml), data-dir-invalid, io-error
   */
  async reload(): Promise<void> {
    const dataDir = await this.#read();
    const keys = changedKeys(this.#dataDir.settings, dataDir.settings);
    this.#dataDir = dataDir;
    if (keys.length > 0) await this.audit.record(byGateway("settings.changed", { keys }));
    this.logger.level = dataDir.settings.logLevel;
    await this.sealing.bring();
  }

  /** The ways to replicas and other gateways. */
  get proxies(): Proxies {
    return proxiesOf(this.dataDir.settings);
  }

  /** The directory of a vault. */
  vaultDirectory(id: string): string {
    return join(this.dataDir.path, "vaults", id);
  }

  /**
   * An open vault of this gateway.
   * @throws HoldfastError not-found, and whatever opening it says
   */
  vault(id: string): Promise<OpenVault> {
    return this.#vaults.get(id);
  }

  /** Closes a vault, for work on its files; the next who asks for it opens it anew. */
  closeVault(id: string): Promise<void> {
    return this.#vaults.closeOne(id);
  }

  /** The account's vaults, open. */
  vaultsOf(account: string): Promise<OpenVault[]> {
    return Promise.all(this.catalog.vaults.list(account).map((row) => this.vault(row.id)));
  }

  /** Number that grows with every snapshot of an account that appears or goes. */
  async changeNumber(account: string): Promise<number> {
    const vaults = await this.vaultsOf(account);
    return vaults.reduce((sum, vault) => sum + vault.catalog.changes(), 0);
  }

  /** Long work that uses vaults, and that ends soon when it is told to: vaults are closed after it ended. */
  attend(work: Promise<unknown>): void {
    const ended = work.catch(() => undefined);
    this.#work.add(ended);
    void ended.then(() => this.#work.delete(ended));
  }

  /** Finishes what is running, closes all vaults and gives the directory free. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#vaults.stop();
    this.unlocked.lockAll();
    // Together: runs of the one wait for those of the other.
    await Promise.all([this.replication.close(), this.stateReplication.close()]);
    await Promise.all([this.elsewhere.close(), this.guard.close()]);
    await Promise.all(this.#work);
    await this.#vaults.close();
    await this.authenticator.close();
    await this.audit.close();
    this.appPasswords.writeUses();
    await this.catalog.close();
    this.#lock.release();
  }
}

function readerOf(
  path: string,
  { boxKey, formats: known = formats }: GatewayOptions,
): () => Promise<DataDir> {
  return () => readDataDir(path, boxKey, known.newest);
}
