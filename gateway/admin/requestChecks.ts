// What the gateway checks of keys and documents that a client made for it.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { parseKeysDocument } from "../../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../../vault/keys/keysTypes.ts";
import { limits } from "../../vault/limits.ts";
import { parseVaultDocument, type VaultDocument } from "../../vault/vaultDocument.ts";
import type { StoredKdf } from "../catalog/accounts.ts";
import type { DataDir } from "../dataDir.ts";
import type { NewVault } from "./operations.ts";

/** @throws HoldfastError unsupported, kdf-weak, usage */
export function checkKdf(kdf: StoredKdf): void {
  if (kdf.suite !== 1) throw new HoldfastError(ErrorCode.unsupported, `KDF suite ${kdf.suite} is not known`);
  if (kdf.iterations < limits.kdfIterationsMin || kdf.iterations > limits.kdfIterationsMax) {
    throw new HoldfastError(ErrorCode.kdfWeak, `${kdf.iterations} iterations are outside what is allowed`);
  }
  bytes(kdf.salt, 32, "salt");
}

/** The bytes of a base64 text of exactly `length` bytes. @throws HoldfastError usage */
export function bytes(base64: string, length: number, what: string): Buffer {
  const value = Buffer.from(base64, "base64");
  if (value.length !== length || value.toString("base64") !== base64) {
    throw new HoldfastError(ErrorCode.usage, `${what} is not the base64 of ${length} bytes`);
  }
  return value;
}

/** A new vault's documents, which must belong together. @throws HoldfastError usage, corrupt, unsupported */
export function parseNewVault(request: NewVault): {
  document: VaultDocument;
  keys: KeysDocument;
  metadataKey: string;
} {
  const document = parseVaultDocument(JSON.stringify(request.vaultDocument));
  const keys = parseKeysDocument(request.keysDocument);
  if (keys.vault !== document.id || keys.account !== document.account || keys.generation !== 1) {
    throw new HoldfastError(ErrorCode.usage, "vault and keys document do not belong together");
  }
  return { document, keys, metadataKey: bytes(request.metadataKey, 32, "metadata key").toString("base64") };
}

/** Refuses at a box what is its datacentre's. `which`: what the datacentre is to it; `next`: what to do. @throws HoldfastError forbidden */
export function requireNoBox({ box }: Pick<DataDir, "box">, which: string, next: string): void {
  if (box === undefined) return;
  const { name } = box.document.datacentre;
  throw new HoldfastError(ErrorCode.forbidden, `this is a box of ${name}, ${which}`, { next });
}
