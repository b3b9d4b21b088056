// Vaults as an administrator sees them.

import type { Gateway } from "../gateway.ts";
import type { VaultRow } from "./operations.ts";

/** All vaults, or those of an account (its id). */
export function listVaults({ catalog, unlocked }: Gateway, account: string | undefined): VaultRow[] {
  const names = new Map(catalog.accounts.list().map((row) => [row.id, row.name]));
  const open = new Map(unlocked.list().map(({ vault, leftMs }) => [vault, leftMs]));
  return catalog.vaults.list(account).map((vault) => {
    const leftMs = open.get(vault.id);
    return {
      id: vault.id,
      account: names.get(vault.account) ?? vault.account,
      name: vault.name,
      created: vault.created,
      unlocked: open.has(vault.id),
      unlockedForSeconds: leftMs === undefined ? null : Math.ceil(leftMs / 1000),
    };
  });
}
