// Accounts as an administrator sees them, with what they use of their quotas.

import { escrowHolders } from "../../vault/keys/keysDocument.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";
import { storedBytesOf } from "../quota/accountQuotas.ts";
import type { AccountRow } from "./operations.ts";

/** All of them; without their secrets. */
export function listAccounts(gateway: Gateway): Promise<AccountRow[]> {
  const { accounts, vaults, devices } = gateway.catalog;
  const row = async (account: Account): Promise<AccountRow> => {
    const { id, name, kdf, recoveryPublic, disabled, created, access, quota } = account;
    return {
      ...{ id, name, kdf, recoveryPublic, disabled, created },
      access: access ?? null,
      vaults: vaults.list(id).map((vault) => ({ id: vault.id, name: vault.name })),
      devices: devices.list(id).filter((device) => !device.revoked).length,
      storedBytes: await storedBytesOf(gateway, id),
      quota: quota ?? { bytes: null, devices: null },
      escrows: await escrowsOf(gateway, id),
    };
  };
  return Promise.all(accounts.list().map(row));
}

/** All escrow keys of an account's vaults, each once. */
async function escrowsOf(gateway: Gateway, account: string): Promise<EscrowHolder[]> {
  const vaults = await gateway.vaultsOf(account);
  const all = vaults.flatMap(({ keys }) => escrowHolders(keys));
  return [...new Map(all.map((holder) => [holder.public, holder])).values()];
}
