// The vaults of a gateway that are open in this process.
//
// Invariant: a vault is opened when it is first needed, once, and stays open until the gateway closes, or it is removed.

import { toHex } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { withoutDevice } from "../vault/keys/keysDocument.ts";
import { unknownWriter } from "./catalog/devices.ts";
import { followFleets } from "./fleets.ts";
import type { Gateway } from "./gateway.ts";
import { OpenVault } from "./openVault.ts";
import { vaultOfBox } from "./seed/boxDirectory.ts";
import type { VaultStoreOptions } from "./store/storeParts.ts";

export type VaultOptions = Pick<VaultStoreOptions, "sha256" | "packBytesTarget">;
type OpenVaultsOptions = VaultOptions & {
  /** Told when a vault's database gave up. */
  readonly broken: (failure: HoldfastError) => void;
};

export class OpenVaults {
  readonly #gateway: Gateway;
  readonly #options: OpenVaultsOptions;
  readonly #vaults = new Map<string, Promise<OpenVault>>();
  readonly #writers = new Map<string, number>();
  #closed = false;

  constructor(gateway: Gateway, options: OpenVaultsOptions) {
    this.#gateway = gateway;
    this.#options = options;
  }

  /** @throws HoldfastError not-found, cancelled (the gateway is stopping), and whatever opening it says */
  get(id: string): Promise<OpenVault> {
    if (this.#closed)
      return Promise.reject(new HoldfastError(ErrorCode.cancelled, "the gateway is stopping"));
    const open = this.#vaults.get(id);
    if (open !== undefined) return open;
    const opening = this.#open(id);
    this.#vaults.set(id, opening);
    // A vault that could not be opened (its disk is full, say) is tried again by who asks next.
    opening.catch(() => this.#vaults.delete(id));
    return opening;
  }

  async #open(id: string): Promise<OpenVault> {
    const gateway = this.#gateway;
    const { catalog, dataDir } = gateway;
    const { sha256, packBytesTarget, broken } = this.#options;
    const row = catalog.vaults.get(id);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, "no such vault");
    const vault = await OpenVault.open({
      row,
      directory: gateway.vaultDirectory(id),
      ...vaultOfBox(dataDir, id),
      writerOrdinal: (device) => this.#writerOrdinal(toHex(device)),
      deviceOf: (ordinal) => catalog.devices.byOrdinal(ordinal),
      reserveBytes: dataDir.settings.reserveMiB * 2 ** 20,
      now: gateway.now,
      elsewhere: gateway.elsewhere.of(id),
      changed: () => {
        gateway.changes.tell(row.account);
        gateway.guard.lookSoon(this.get(id));
      },
      packClosed: () => gateway.closedPacks.tell(id),
      groupCommitted: (seconds) => gateway.probes.groupCommit(seconds),
      report: (event, facts) => gateway.logger.warn({ vault: id, ...facts }, event),
      sha256,
      ...(packBytesTarget !== undefined && { packBytesTarget }),
    });
    void vault.store.environment.gaveUp.then(broken);
    this.#finishFleets(vault);
    return this.#finishRevocations(gateway.guard.opened(vault));
  }

  /** A gateway that died between a template and the devices that follow it. Where there is no room now, the next change brings it about. */
  #finishFleets(vault: OpenVault): void {
    try {
      followFleets(this.#gateway, vault);
    } catch (error) {
      this.#gateway.logger.error({ err: error, vault: vault.id }, "fleets' items could not be followed");
    }
  }

  /** A gateway that died while it revoked a device may have left the device's wrap, which opens the vault's keys. */
  async #finishRevocations(vault: OpenVault): Promise<OpenVault> {
    const { devices, vaults } = this.#gateway.catalog;
    for (const wrap of vault.keys.wraps) {
      if (wrap.kind !== "device" || devices.get(wrap.device)?.revoked !== true) continue;
      const { generation } = await vault.replaceKeys((keys) => withoutDevice(keys, wrap.device));
      vaults.setKeysGeneration(vault.id, generation);
    }
    return vault;
  }

  #writerOrdinal(device: string): number {
    const known = this.#writers.get(device);
    if (known !== undefined) return known;
    const ordinal = this.#gateway.catalog.devices.get(device)?.ordinal;
    if (ordinal === undefined) return unknownWriter;
    this.#writers.set(device, ordinal);
    return ordinal;
  }

  /** Closes one; the next who asks for it opens it anew. */
  async closeOne(id: string): Promise<void> {
    const open = this.#vaults.get(id);
    this.#vaults.delete(id);
    await (await open?.catch(() => undefined))?.close();
  }

  /** None is opened from now on. */
  stop(): void {
    this.#closed = true;
  }

  async close(): Promise<void> {
    this.stop();
    for (const opening of this.#vaults.values()) {
      const vault = await opening.catch(() => undefined);
      await vault?.close();
    }
  }
}
