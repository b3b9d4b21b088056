// "ACCOUNT/VAULT" on the command line; ACCOUNT alone means its vault "main".

import type { AdminOperations, VaultRow } from "../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";

export type VaultName = { readonly account: string; readonly vault: string };

const firstVault = "main";

/** Splits a vault's name. */
export function parseVaultName(written: string): VaultName {
  const slash = written.indexOf("/");
  if (slash < 0) return { account: written, vault: firstVault };
  return { account: written.slice(0, slash), vault: written.slice(slash + 1) };
}

/** The shortest name that parseVaultName takes. */
export function vaultNameText({ account, vault }: VaultName): string {
  return vault === firstVault ? account : `${account}/${vault}`;
}

/** The vault of this name. @throws HoldfastError not-found */
export async function findVault(
  operations: AdminOperations,
  { account, vault }: VaultName,
): Promise<VaultRow> {
  const rows = await operations.vaults(account);
  const row = rows.find(({ name }) => name === vault);
  if (row !== undefined) return row;
  throw new HoldfastError(ErrorCode.notFound, `account ${account} has no vault ${vault}`, {
    next: `It has: ${rows.map(({ name }) => name).join(", ")}.`,
  });
}
