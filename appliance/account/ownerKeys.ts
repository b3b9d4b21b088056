// What an account's owner makes on their own side: keys, wraps and login of a new account, of a new password, of a new vault.
// The gateway gets the results and never the password (docs/format.md section 4).

import { randomBytes } from "node:crypto";
import type { SecretsRequest } from "../../gateway/admin/keysOperations.ts";
import type { NewAccount, NewPassword, NewVault } from "../../gateway/admin/operations.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { generateKeyPair, publicKeyOf } from "../../vault/keys/box.ts";
import { deriveLogin, type KdfParameters, kdfSaltBytes } from "../../vault/keys/kdf.ts";
import {
  createKeysDocument,
  escrowHolders,
  openWithEscrow,
  openWithPassword,
  openWithRecovery,
  passwordKdf,
  withPassword,
} from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import { formatRecoveryKey } from "../../vault/keys/recoveryKey.ts";
import type { OpenedKeys } from "../../vault/keys/ring.ts";
import { VaultKeys, type VaultSecrets } from "../../vault/keys/vaultKeys.ts";
import type { EscrowHolder } from "../../vault/keys/wraps.ts";
import { createVaultDocument } from "../../vault/vaultDocument.ts";

const idBytes = 16;

type Owner = {
  readonly accountId: string;
  readonly r: Buffer;
  readonly kdf: KdfParameters;
  readonly recoveryPublic: Uint8Array;
  readonly escrows?: readonly EscrowHolder[];
};

export type MadeVault = NewVault & { readonly keysDocument: KeysDocument };

function newKdf(iterations: number): KdfParameters {
  return { suite: 1, iterations, salt: randomBytes(kdfSaltBytes) };
}

function storedKdf({ suite, iterations, salt }: KdfParameters): NewAccount["kdf"] {
  return { suite, iterations, salt: Buffer.from(salt).toString("base64") };
}

/** A new account with its vault "main", and its recovery key, which is kept nowhere. */
export async function makeAccount(account: {
  readonly name: string;
  readonly password: string;
  readonly iterations: number;
  readonly now: Date;
}): Promise<{ request: NewAccount; recoveryKey: string }> {
  const kdf = newKdf(account.iterations);
  const { l, r } = await deriveLogin(account.password, kdf);
  const recovery = generateKeyPair();
  const owner: Owner = { accountId: toHex(randomBytes(idBytes)), r, kdf, recoveryPublic: recovery.publicKey };
  const request: NewAccount = {
    name: account.name,
    kdf: storedKdf(kdf),
    l: l.toString("base64"),
    recoveryPublic: recovery.publicKey.toString("base64"),
    ...makeVault(owner, "main", account.now),
  };
  const recoveryKey = formatRecoveryKey("account", recovery.privateKey);
  recovery.privateKey.fill(0);
  return { request, recoveryKey };
}

function makeVault(owner: Owner, name: string, now: Date): MadeVault {
  const vaultId = toHex(randomBytes(idBytes));
  const { document, secrets } = createKeysDocument({ vaultId, ...owner });
  const keys = new VaultKeys(secrets);
  const metadataKey = keys.metadataKey.toString("base64");
  keys.wipe();
  const vaultDocument = createVaultDocument({
    id: vaultId,
    account: owner.accountId,
    name,
    created: now.toISOString(),
  });
  return { vaultDocument, keysDocument: document, metadataKey };
}

/** R and the KDF of the password, proven by opening `document`. @throws HoldfastError key-wrong */
export async function provePassword(
  document: KeysDocument,
  password: string,
): Promise<{ r: Buffer; kdf: KdfParameters }> {
  const kdf = passwordKdf(document);
  if (kdf === undefined) throw new HoldfastError(ErrorCode.keyWrong, "this account has no password");
  const { r } = await deriveLogin(password, kdf);
  openProven(document, (keys) => openWithPassword(keys, r));
  return { r, kdf };
}

function openProven(document: KeysDocument, open: (document: KeysDocument) => OpenedKeys): OpenedKeys {
  try {
    return open(document);
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.keyWrong)) throw error;
    throw new HoldfastError(ErrorCode.keyWrong, "the password or recovery key is wrong for this account", {
      next: "Check the account's name and the file; `holdfast account recover` sets a new password with the recovery key.",
      cause: error,
    });
  }
}

/** One more vault of an account, sealed to the same password, recovery key and escrow keys. @throws HoldfastError key-wrong */
export async function makeFurtherVault(
  documents: readonly KeysDocument[],
  vault: { readonly name: string; readonly password: string; readonly now: Date },
): Promise<MadeVault> {
  const document = first(documents);
  const { r, kdf } = await provePassword(document, vault.password);
  const recovery = document.wraps.find((wrap) => wrap.kind === "recovery");
  if (recovery === undefined) throw new HoldfastError(ErrorCode.keyWrong, "this account has no recovery key");
  const recoveryPublic = Buffer.from(recovery.public, "base64");
  const escrows = escrowHolders(document);
  return makeVault({ accountId: document.account, r, kdf, recoveryPublic, escrows }, vault.name, vault.now);
}

/** A new password in the place of the old one. @throws HoldfastError key-wrong when the old one is wrong */
export async function changedPassword(
  documents: readonly KeysDocument[],
  passwords: {
    readonly old: string;
    /** Asked for once the old one has proved right. */
    readonly new: () => Promise<string>;
    readonly iterations: number;
  },
): Promise<NewPassword> {
  const { r } = await provePassword(first(documents), passwords.old);
  return rewrapped(
    documents,
    (keys) => openWithPassword(keys, r),
    await passwords.new(),
    passwords.iterations,
    "password",
  );
}

/** A new password by the account's recovery key (32 bytes). @throws HoldfastError key-wrong */
export function recoveredPassword(
  documents: readonly KeysDocument[],
  recovery: { readonly privateKey: Uint8Array; readonly password: string; readonly iterations: number },
): Promise<NewPassword> {
  const open = (keys: KeysDocument): OpenedKeys => openWithRecovery(keys, recovery.privateKey);
  const wrap = first(documents).wraps.find(({ kind }) => kind === "recovery");
  const own = publicKeyOf(recovery.privateKey).toString("base64");
  if (wrap?.kind === "recovery" && wrap.public !== own) {
    throw new HoldfastError(ErrorCode.keyWrong, "this is the recovery key of another account", {
      next: "Check the account's name, and take the key that was printed when it was added.",
    });
  }
  return rewrapped(documents, open, recovery.password, recovery.iterations, "recovery");
}

/** A new password by an escrow key (32 bytes) that the owner added. @throws HoldfastError key-wrong */
export function escrowedPassword(
  documents: readonly KeysDocument[],
  escrow: { readonly privateKey: Uint8Array; readonly password: string; readonly iterations: number },
): Promise<NewPassword> {
  const open = (keys: KeysDocument): OpenedKeys => openWithEscrow(keys, escrow.privateKey);
  // Before a password is stretched: an account without it says so at once.
  open(first(documents));
  return rewrapped(documents, open, escrow.password, escrow.iterations, "escrow");
}

async function rewrapped(
  documents: readonly KeysDocument[],
  open: (document: KeysDocument) => OpenedKeys,
  password: string,
  iterations: number,
  by: NonNullable<NewPassword["by"]>,
): Promise<NewPassword> {
  const kdf = newKdf(iterations);
  const { l, r } = await deriveLogin(password, kdf);
  const keysDocuments = documents.map((document) => {
    const { e } = openProven(document, open);
    return withPassword(document, e, r, kdf);
  });
  return { kdf: storedKdf(kdf), l: l.toString("base64"), keysDocuments, by };
}

/** A vault's secrets, opened with the password. @throws HoldfastError key-wrong, kdf-weak */
export async function openVaultSecrets(document: KeysDocument, password: string): Promise<VaultSecrets> {
  const { r } = await provePassword(document, password);
  return openWithPassword(document, r).secrets;
}

/** Secrets in the form that the admin socket takes. */
export function secretsRequest(secrets: VaultSecrets): SecretsRequest {
  return {
    s: toHex(secrets.s),
    epochs: Object.fromEntries([...secrets.epochs].map(([epoch, a]) => [String(epoch), toHex(a)])),
    currentEpoch: secrets.currentEpoch,
  };
}

function first(documents: readonly KeysDocument[]): KeysDocument {
  const document = documents[0];
  if (document === undefined) throw new HoldfastError(ErrorCode.notFound, "this account has no vault");
  return document;
}
