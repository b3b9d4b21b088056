// A new password of an account: its login, and the wraps of its vaults' keys that its client made anew.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import type { Account } from "../catalog/accounts.ts";
import type { Gateway } from "../gateway.ts";
import { finishPasswordChange } from "../passwordChange.ts";
import { keysMovedOn } from "../vaultDocuments.ts";
import type { NewPassword } from "./operations.ts";
import { bytes, checkKdf } from "./requestChecks.ts";

/** See AdminOperations; a stop in between is finished by the next start. */
export async function changePassword(
  gateway: Gateway,
  account: Account,
  request: NewPassword,
): Promise<void> {
  const { authenticator } = gateway;
  checkKdf(request.kdf);
  authenticator.secondFactor.demand(account, request.code);
  const loginHash = await authenticator.hasher.hash(bytes(request.l, 24, "l"));
  const documents = new Map<string, KeysDocument>();
  for (const each of request.keysDocuments) {
    const document = parseKeysDocument(each);
    documents.set(document.vault, document);
  }
  await gateway.keysTurns.run(account.id, () => replace(gateway, account, documents, request.kdf, loginHash));
  authenticator.endLogins(account.id);
}

/** Nothing else changes the account's keys meanwhile, so that either all documents follow those there are or none is taken. */
async function replace(
  gateway: Gateway,
  account: Account,
  documents: ReadonlyMap<string, KeysDocument>,
  kdf: NewPassword["kdf"],
  loginHash: string,
): Promise<void> {
  const { catalog } = gateway;
  const vaults = await gateway.vaultsOf(account.id);
  if (vaults.length !== documents.size || vaults.some((vault) => !documents.has(vault.id))) {
    throw new HoldfastError(
      ErrorCode.usage,
      "a new password needs the keys documents of all vaults of the account",
    );
  }
  for (const { id, keys } of vaults) {
    if (documents.get(id)?.generation !== keys.generation + 1) throw keysMovedOn(keys.generation);
  }
  const pendingLogin = { kdf, loginHash };
  catalog.accounts.update(account.id, (row) => ({ ...row, pendingLogin }));
  try {
    for (const vault of vaults) {
      const document = documents.get(vault.id)!;
      await vault.replaceKeys(() => document);
      catalog.vaults.setKeysGeneration(vault.id, document.generation);
    }
  } finally {
    await finishPasswordChange(gateway, account.id);
  }
}
