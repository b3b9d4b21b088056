// What a root names besides its manifest: vault.json, the newest keys document and the sealed catalog. Each is put only when it changed.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import type { NamedObject, VaultRoot } from "../../../vault/replica/root.ts";
import { sealCatalog, vaultCatalogKey } from "../../../vault/replica/sealedCatalog.ts";
import type { OpenVault } from "../../openVault.ts";
import { fileError } from "../../store/files.ts";
import { putProven, sha256 } from "../chain/namedObjects.ts";
import { exportVaultPart } from "../gatewayState/vaultPart.ts";
import { namedKey, vaultFolder } from "../keys.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";
import { putDocument } from "./putDocument.ts";

export type DocumentsPort = {
  readonly vault: OpenVault;
  /** The vault's directory. */
  readonly directory: string;
  /** The vault's metadata key. */
  readonly metadataKey: Uint8Array;
  readonly store: ReplicaStore;
  readonly options: PutOptions;
};

export type RootDocuments = Pick<VaultRoot, "document" | "keys" | "catalog">;

/** `catalogText`: SHA-256 of the catalog's text, hex; `keysGeneration`: that of the keys document. */
export type PutDocuments = {
  readonly named: RootDocuments;
  readonly catalogText: string;
  readonly keysGeneration: number;
};

/**
 * Puts what is other than in the root before. `before.catalogText`: the hash of the text that this root's catalog was sealed from, where that is known.
 * @throws HoldfastError what the store throws; io-error
 */
export async function putDocuments(
  port: DocumentsPort,
  before: { readonly root: RootDocuments | undefined; readonly catalogText: string },
): Promise<PutDocuments> {
  const { vault, directory } = port;
  const keysGeneration = vault.keys.generation;
  const generation = String(keysGeneration).padStart(8, "0");
  const document = await read(join(directory, "vault.json"));
  const keys = await read(join(directory, "keys", `${generation}.json`));
  const text = exportVaultPart(vault);
  const catalogText = toHex(sha256(text));
  const catalog = before.root?.catalog;
  return {
    catalogText,
    keysGeneration,
    named: {
      document: await putOne(port, document, before.root?.document, (suffix) => `vault${suffix}.json`),
      keys: await putOne(port, keys, before.root?.keys, (suffix) => `keys/${generation}${suffix}.json`),
      catalog:
        catalog !== undefined && catalogText === before.catalogText ? catalog : await putCatalog(port, text),
    },
  };
}

async function read(path: string): Promise<Buffer> {
  try {
    return await readFile(path);
  } catch (error) {
    throw fileError(error, path);
  }
}

/** A name that other bytes have already, of a gateway that wrote there before, gets a suffix. */
async function putOne(
  { vault, store, options }: DocumentsPort,
  bytes: Buffer,
  before: NamedObject | undefined,
  nameOf: (suffix: string) => string,
): Promise<NamedObject> {
  const hash = toHex(sha256(bytes));
  if (before?.sha256 === hash) return before;
  const folder = vaultFolder(vault.id);
  const keys = [nameOf(""), nameOf(`-${hash.slice(0, 16)}`)].map((name) => folder + name);
  const key = await putDocument(store, keys, bytes, options);
  return { name: key.slice(folder.length), bytes: bytes.length, sha256: hash };
}

async function putCatalog(port: DocumentsPort, text: Buffer): Promise<NamedObject> {
  const { vault, metadataKey, store, options } = port;
  const bytes = sealCatalog(text, vaultCatalogKey(metadataKey, fromHex(vault.id, 16)));
  const name = sha256(bytes);
  await putProven(store, namedKey(vaultFolder(vault.id), "catalog", name), bytes, options);
  return { name: `catalog/${toHex(name)}`, bytes: bytes.length, sha256: toHex(name) };
}
