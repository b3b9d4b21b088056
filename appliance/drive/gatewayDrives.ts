// The drives of a gateway in its own process: one view over all unlocked vaults, mounted at any number of places and served as WebDAV.

import { selectCachedRead } from "../../agent/platform/cachedRead.ts";
import type { FuseLogger, Mounted } from "../../fs/fuse/driver.ts";
import type { Lull } from "../../fs/view/lull.ts";
import type { Keyring } from "../../fs/view/ports.ts";
import { cachesOf, type PlaintextCaches } from "../../fs/view/recordOpener.ts";
import { VaultView } from "../../fs/view/vaultView.ts";
import { WebDav } from "../../fs/webdav/webDav.ts";
import type { DriveRequest, DriveRow } from "../../gateway/admin/drives.ts";
import type { Gateway } from "../../gateway/gateway.ts";
import type { Drives } from "../../gateway/runningGateway.ts";
import { LocalRecordSource, LocalSnapshotCatalog } from "../../gateway/viewSource.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { shellWord } from "../shellWord.ts";
import { vaultNameText } from "../vaultName.ts";
import { archiver } from "./archiver.ts";
import { driveLull } from "./driveLull.ts";
import { openThreads } from "./openThreads.ts";
import { mountDrive } from "./serveDrive.ts";

/** The keys that the gateway holds now. */
function keyringOf({ unlocked }: Gateway): Keyring {
  return {
    keysOf: (vault) => {
      try {
        return unlocked.keys(vault);
      } catch (error) {
        if (isHoldfastError(error, "vault-locked")) return undefined;
        throw error;
      }
    },
    onChanged: (listener) => unlocked.onChanged(listener),
  };
}

export class GatewayDrives implements Drives {
  readonly #gateway: Gateway;
  readonly #logger: FuseLogger;
  readonly web: WebDav;
  readonly #mounted = new Map<string, Mounted>();
  readonly #pool = openThreads();
  readonly #caches: PlaintextCaches;
  readonly #lull: Lull;
  #view: VaultView | undefined;

  /** @param memoryBytes of opened records kept in memory: as the gateway's settings say unless given */
  constructor(gateway: Gateway, memoryBytes: number = gateway.dataDir.settings.driveCacheMiB * 2 ** 20) {
    this.#gateway = gateway;
    this.#caches = cachesOf(memoryBytes);
    this.#lull = driveLull(this.#caches, this.#pool);
    this.#logger = gateway.logger;
    this.web = new WebDav({
      view: () => this.#openView(),
      history: (path, signal) => this.#openView().history(path, signal),
      archiver,
      base: "dav",
      // Asked for each request, so that a reload counts at once.
      hideLinks: () => gateway.dataDir.settings.webdavHideLinks,
    });
  }

  async drives(): Promise<DriveRow[]> {
    return [...this.#mounted.keys()].map((mountpoint) => ({ mountpoint }));
  }

  async mount({ mountpoint, driver, allowOther, asUser }: DriveRequest): Promise<DriveRow> {
    const mounted = await this.mountHere(mountpoint, { driver, allowOther, asUser });
    return { mountpoint: mounted.mountpoint };
  }

  /** Mounts, and forgets the drive when it is gone. @throws HoldfastError mount-failed */
  async mountHere(mountpoint: string, options: Parameters<typeof mountDrive>[2]): Promise<Mounted> {
    const mounted = await mountDrive(this.#openView(), mountpoint, options, this.#logger);
    this.#mounted.set(mounted.mountpoint, mounted);
    this.#lull.begin();
    void mounted.closed.then(() => {
      this.#mounted.delete(mounted.mountpoint);
      this.#logger.info({ mountpoint: mounted.mountpoint }, "drive is gone");
    });
    return mounted;
  }

  #openView(): VaultView {
    this.#view ??= this.#newView();
    return this.#view;
  }

  #newView(): VaultView {
    const caches = this.#caches;
    return new VaultView({
      source: new LocalRecordSource(this.#gateway, {
        memory: (bytes) => caches.spare.take(bytes, 0),
        readNow: selectCachedRead(),
      }),
      catalog: new LocalSnapshotCatalog(this.#gateway),
      keyring: keyringOf(this.#gateway),
      caches,
      pool: this.#pool,
      lull: this.#lull,
      unlockCommand: (account, vault) => this.#unlockCommand(account, vault),
    });
  }

  #unlockCommand(account: string, id: string): string {
    const { catalog, dataDir } = this.#gateway;
    const vault = catalog.vaults.get(id)?.name;
    const name = vault === undefined ? account : vaultNameText({ account, vault });
    return `holdfast vault unlock ${shellWord(name)} --data ${shellWord(dataDir.path)}`;
  }

  async close(): Promise<void> {
    const all = await Promise.allSettled([...this.#mounted.values()].map((mounted) => mounted.unmount()));
    for (const outcome of all) {
      if (outcome.status === "rejected")
        this.#logger.error({ err: outcome.reason }, "a drive could not be unmounted");
    }
    this.#view?.close();
    this.#lull.stop();
    await this.#pool.close();
  }
}
