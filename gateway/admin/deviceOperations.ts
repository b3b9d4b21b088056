// Enrolled devices as an administrator sees them, and ending their access.

import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { withoutDevice } from "../../vault/keys/keysDocument.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Device } from "../catalog/devices.ts";
import { followFleets } from "../fleets.ts";
import type { Gateway } from "../gateway.ts";
import type { AdminDeviceRow } from "./operations.ts";
import { requireNoBox } from "./requestChecks.ts";

/** Devices of an account, or of all; without their secrets. */
export function listDevices({ catalog }: Gateway, account: Account | undefined): AdminDeviceRow[] {
  const names = new Map(catalog.accounts.list().map((row) => [row.id, row.name]));
  return catalog.devices
    .list(account?.id)
    .map(({ tokenHash: _hash, publicKey: _key, ordinal: _ordinal, ...device }) => ({
      ...device,
      appendOnly: device.appendOnly === true,
      account: names.get(device.account) ?? device.account,
    }));
}

/**
 * Ends a device's access (by name or id): its token first, then its sessions and its wraps in all vaults.
 * @throws HoldfastError not-found, disk-full, io-error
 */
export async function revokeDevice(gateway: Gateway, account: Account, device: string): Promise<void> {
  const { catalog } = gateway;
  const row = activeDevice(gateway, account, device);
  catalog.devices.revoke(row.id);
  for (const vault of await gateway.vaultsOf(account.id)) {
    vault.catalog.leases.endOf([row.id]);
    if (!vault.keys.wraps.some((wrap) => wrap.kind === "device" && wrap.device === row.id)) continue;
    const document = await vault.replaceKeys((keys) => withoutDevice(keys, row.id));
    catalog.vaults.setKeysGeneration(vault.id, document.generation);
  }
}

/** By name or id. @throws HoldfastError not-found */
function activeDevice({ catalog }: Gateway, account: Account, device: string): Device {
  const row =
    catalog.devices.byName(account.id, device) ??
    catalog.devices.list(account.id).find((each) => each.id === device && !each.revoked);
  if (row !== undefined) return row;
  throw new HoldfastError(ErrorCode.notFound, `account ${account.name} has no active device ${device}`, {
    next: "`holdfast device list` shows which there are.",
  });
}

/** Puts a device into a fleet, and has it follow its templates. @throws HoldfastError not-found, usage; forbidden at a box */
export async function setFleet(
  gateway: Gateway,
  account: Account,
  device: string,
  fleet: string | null,
): Promise<void> {
  requireNoBox(gateway.dataDir, "which says what is backed up, and when", "Do that there.");
  const name = fleet === null ? null : checkName(fleet, "fleet");
  const { id, vault } = activeDevice(gateway, account, device);
  gateway.catalog.devices.setFleet(id, name);
  followFleets(gateway, await gateway.vault(vault));
}
