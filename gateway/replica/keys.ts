// Keys of objects in a replica (docs/format.md, section 11.1).

import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export const keyBytesMax = 1024;

/** Folder of the gateway's own chain, with its slash. */
export const gatewayFolder = "gateway/";

/** Folder of a vault's chain, with its slash. `vault`: 32 hex digits. */
export function vaultFolder(vault: string): string {
  return `vaults/${vault}/`;
}

/** Key of a root. `folder` is one of the two above. */
export function rootKey(folder: string, generation: number): string {
  return `${folder}root/${String(generation).padStart(10, "0")}`;
}

/** Key of a pack. */
export function packKey(vault: string, name: Uint8Array): string {
  const hex = toHex(name);
  return `${vaultFolder(vault)}packs/${hex.slice(0, 2)}/${hex}`;
}

/** Key of a snapshot object, index segment, catalog or manifest page of a chain. */
export function namedKey(
  folder: string,
  kind: "snapshots" | "index" | "catalog" | "manifest" | "sealed",
  sha256: Uint8Array,
): string {
  return `${folder}${kind}/${toHex(sha256)}`;
}

/**
 * Refuses what is no key: a key that comes from outside must not lead out of its folder.
 * @throws HoldfastError usage
 */
export function checkKey(key: string): string {
  const parts = key.split("/");
  const fine = parts.every((part) => /^[A-Za-z0-9_-][A-Za-z0-9._-]*$/.test(part) && !part.endsWith(".tmp"));
  if (!fine || key.length > keyBytesMax) {
    throw new HoldfastError(ErrorCode.usage, `not an object's key: ${JSON.stringify(key.slice(0, 100))}`);
  }
  return key;
}
