// Escrow keys of an account, on its owner's side (docs/security.md, "Escrow").

import type { AdminOperations } from "../../gateway/admin/operations.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { escrowHolders, openWithPassword, withEscrow } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import { formatRecoveryKey, parseRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import { readSecretFile } from "../cli/password.ts";
import { provePassword } from "./ownerKeys.ts";

/** An escrow key, and the vaults (ids) that it opens. */
export type AccountEscrow = EscrowHolder & { readonly vaults: readonly string[] };

/** The private half in a file of `escrow keygen`. @throws HoldfastError key-wrong, usage */
export function readEscrowKey(file: string): Buffer {
  return parseRecoveryKey("escrow", readSecretFile(file, "escrow key"));
}

/** As people compare it. */
export function escrowText({ public: key }: Pick<EscrowHolder, "public">): string {
  return formatRecoveryKey("escrowPublic", Buffer.from(key, "base64"));
}

/** All escrow keys of an account, the oldest first. */
export function escrowsOf(documents: readonly KeysDocument[]): AccountEscrow[] {
  const all = new Map<string, AccountEscrow>();
  for (const document of documents) {
    for (const holder of escrowHolders(document)) {
      const known = all.get(holder.public) ?? { ...holder, vaults: [] };
      all.set(holder.public, { ...known, vaults: [...known.vaults, document.vault] });
    }
  }
  return [...all.values()].sort((a, b) => Date.parse(a.since) - Date.parse(b.since));
}

/** The one of this name or public key. @throws HoldfastError not-found, usage when that is two */
export function findEscrow(documents: readonly KeysDocument[], written: string): AccountEscrow {
  const all = escrowsOf(documents);
  const found = all.filter((each) => each.label === written || escrowText(each) === written);
  if (found.length > 1) {
    throw new HoldfastError(ErrorCode.usage, `there are ${found.length} escrow keys ${written}`, {
      next: "Give its public key (HFX-...).",
    });
  }
  if (found[0] !== undefined) return found[0];
  throw new HoldfastError(ErrorCode.notFound, `there is no escrow key ${written}`, {
    next: all.length === 0 ? "None was added." : `There is: ${all.map(({ label }) => label).join(", ")}.`,
  });
}

/**
 * Adds an escrow key to every vault of an account that does not have it; how many those are.
 * @throws HoldfastError key-wrong, kdf-weak, exists, corrupt (its name or key), limit-exceeded, forbidden, sequence-conflict
 */
export async function addEscrow(
  operations: Pick<AdminOperations, "keys" | "keysDocuments">,
  account: string,
  holder: EscrowHolder,
  password: () => Promise<string>,
): Promise<number> {
  const documents = await operations.keysDocuments(account);
  const lacking = documents.filter(
    (document) =>
      !escrowHolders(document).some(
        ({ label, public: key }) => label === holder.label && key === holder.public,
      ),
  );
  if (lacking.length === 0) {
    throw new HoldfastError(
      ErrorCode.exists,
      `account ${account} has the escrow key ${holder.label} already`,
      {
        next: "`holdfast account escrow list` shows it.",
      },
    );
  }
  const given = await password();
  for (const document of lacking) {
    const { r } = await provePassword(document, given);
    const { e } = openWithPassword(document, r);
    r.fill(0);
    const next = withEscrow(document, e, holder);
    e.fill(0);
    await operations.keys.addEscrow(document.vault, next);
  }
  return lacking.length;
}
