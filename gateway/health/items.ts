// The items of a gateway and when each was backed up last, by the gateway's own clock.

import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";

export type ItemState = {
  readonly account: string;
  readonly vault: string;
  readonly device: string;
  readonly item: string;
  readonly itemId: string;
  /** Its device backs up here now, and not to a box, say. */
  readonly isHere: boolean;
  /** RFC 3339; null where there is no snapshot yet. */
  readonly received: string | null;
};

/** Items of devices that are not revoked. */
export function itemsOf(
  gateway: Pick<Gateway, "catalog" | "homes">,
  { id, catalog }: OpenVault,
): ItemState[] {
  const { accounts, devices, vaults } = gateway.catalog;
  const row = vaults.get(id);
  const account = row === undefined ? "" : (accounts.get(row.account)?.name ?? row.account);
  return catalog.items().flatMap((item) => {
    const device = devices.get(item.device);
    if (device === undefined || device.revoked) return [];
    const received = item.head === null ? null : (catalog.snapshot(item.head)?.received ?? null);
    const names = { account, vault: row?.name ?? id, device: device.name, item: item.name };
    const isHere = gateway.homes.isHere(device.account, device.id);
    return [{ ...names, itemId: item.id, isHere, received }];
  });
}
