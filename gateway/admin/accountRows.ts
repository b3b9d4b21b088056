// Accounts as an administrator sees them.

import type { Gateway } from "../gateway.ts";
import type { AccountRow } from "./operations.ts";

/** All accounts, without their secrets. */
export function listAccounts({ catalog: { accounts, vaults, devices } }: Gateway): AccountRow[] {
  return accounts.list().map((account) => ({
    id: account.id,
    name: account.name,
    kdf: account.kdf,
    recoveryPublic: account.recoveryPublic,
    disabled: account.disabled,
    access: account.access ?? null,
    created: account.created,
    vaults: vaults.list(account.id).map(({ id, name }) => ({ id, name })),
    devices: devices.list(account.id).filter((device) => !device.revoked).length,
  }));
}
