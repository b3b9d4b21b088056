// Vaults and items as an administrator names them: by account, vault, device and item.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Item } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import type { RetentionScope } from "./retentionOperations.ts";

export type ScopedVault = {
  readonly vault: OpenVault;
  readonly account: string;
  readonly accountId: string;
  readonly name: string;
  /** Those of its items that were named; all where none was. */
  readonly items: readonly Item[];
  readonly deviceName: (id: string) => string;
};

/**
 * `failed` is told which vaults cannot be opened, by id: without it that is thrown.
 * @throws HoldfastError not-found for a name that nobody has
 */
export async function vaultsInScope(
  gateway: Gateway,
  scope: RetentionScope,
  failed?: (vault: string, error: unknown) => void,
): Promise<ScopedVault[]> {
  const { accounts, vaults, devices } = gateway.catalog;
  const deviceName = (id: string): string => devices.get(id)?.name ?? id;
  const found: ScopedVault[] = [];
  let closed = 0;
  for (const account of accounts.list()) {
    if (scope.account !== undefined && account.name !== scope.account) continue;
    for (const row of vaults.list(account.id)) {
      if (scope.vault !== undefined && row.name !== scope.vault) continue;
      const vault = await gateway.vault(row.id).catch((error: unknown) => {
        if (failed === undefined) throw error;
        failed(row.id, error);
      });
      if (vault === undefined) {
        closed++;
        continue;
      }
      const items = vault.catalog
        .items()
        .filter(
          ({ name, device }) =>
            (scope.item === undefined || name === scope.item) &&
            (scope.device === undefined || deviceName(device) === scope.device),
        );
      found.push({ vault, account: account.name, accountId: account.id, name: row.name, items, deviceName });
    }
  }
  const named = scope.item !== undefined || scope.device !== undefined;
  const isThere = named ? found.some(({ items }) => items.length > 0) : found.length + closed > 0;
  const asked = [scope.account, scope.vault, scope.device, scope.item].filter((name) => name !== undefined);
  if (isThere || asked.length === 0) return found;
  throw new HoldfastError(ErrorCode.notFound, `nothing here is called ${asked.join(" / ")}`, {
    next: "`holdfast vault list` and `holdfast snapshot list` show what there is.",
  });
}

/** The item of this name. @throws HoldfastError not-found; usage where several devices have one */
export function onlyItem(items: readonly Item[], name: string): Item {
  const [only, ...others] = items;
  if (only === undefined) throw new HoldfastError(ErrorCode.notFound, `there is no item ${name}`);
  if (others.length === 0) return only;
  throw new HoldfastError(ErrorCode.usage, `${items.length} devices have an item ${name}`, {
    next: "Say which by --device.",
  });
}
