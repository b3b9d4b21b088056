// A new password touches files (the keys documents) and the catalog (the login), which no one transaction holds. The
// new login is noted first; once a document is wrapped with the new password, it comes into force, also after a crash.

import { passwordKdf } from "../vault/keys/keysDocument.ts";
import { settlePendingLogin } from "./catalog/accounts.ts";
import type { Gateway } from "./gateway.ts";

/** Brings an account's pending login into force if any keys document has the new password's wrap, else forgets it. */
export async function finishPasswordChange(gateway: Gateway, account: string): Promise<void> {
  const pending = gateway.catalog.accounts.get(account)?.pendingLogin;
  if (pending === undefined) return;
  const vaults = await gateway.vaultsOf(account);
  // Salts are random for each password, so the salt tells which one a document is wrapped with.
  const salts = vaults.map((vault) => passwordKdf(vault.keys)?.salt);
  const begun = salts.some(
    (salt) => salt !== undefined && Buffer.from(salt).toString("base64") === pending.kdf.salt,
  );
  gateway.catalog.accounts.update(account, (row) => settlePendingLogin(row, begun));
  if (begun) gateway.authenticator.endLogins(account);
}
