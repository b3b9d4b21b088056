// vault.json and the keys document of a vault that is being repaired.
//
// vault.json holds nothing that the gateway's catalog does not know, so that it can be written anew without a replica. Keys are wrapped for people
// and devices: they are in the document alone.

import { existsSync, readdirSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import { parseKeysDocument } from "../../../vault/keys/keysDocument.ts";
import { createVaultDocument, parseVaultDocument } from "../../../vault/vaultDocument.ts";
import type { Vault } from "../../catalog/vaults.ts";
import { makeFolderDurably, writeFileDurably } from "../../store/files.ts";
import { readKeysDocument, readVaultDocument, writeKeysDocument } from "../../vaultDocuments.ts";
import { moveAside } from "../rebuild/moveAside.ts";
import type { Found } from "./healFiles.ts";
import type { ReplicaCopies } from "./replicaCopies.ts";

export type DocumentsPort = {
  readonly directory: string;
  readonly row: Vault;
  readonly replicas: ReplicaCopies;
  readonly dryRun: boolean;
  readonly onFound: (found: Found) => void;
};

/** @throws HoldfastError disk-full, io-error; unsupported for a newer format */
export async function healDocuments(port: DocumentsPort): Promise<void> {
  const { directory, row, dryRun } = port;
  if (!dryRun) {
    for (const folder of ["", "keys", "packs", "open", "snapshots"]) {
      await makeFolderDurably(join(directory, folder));
    }
  }
  const document = await damageOf(async () => {
    const { id } = await readVaultDocument(directory);
    if (id !== row.id) throw new Error("it is of another vault");
  });
  if (document !== undefined) await healVaultDocument(port, document);
  const keys = await damageOf(() => readKeysDocument(directory, row.keysGeneration));
  if (keys !== undefined) await healKeys(port, keys);
}

/** Why a document cannot be used; undefined where it can. */
async function damageOf(read: () => Promise<unknown>): Promise<string | undefined> {
  try {
    await read();
    return undefined;
  } catch (error) {
    if (isHoldfastError(error, "unsupported")) throw error;
    return (error as Error).message;
  }
}

async function healVaultDocument(
  { directory, row, replicas, dryRun, onFound }: DocumentsPort,
  why: string,
): Promise<void> {
  const copy = await replicas.document("document");
  const isRight = copy !== undefined && (await damageOf(async () => parseVaultDocument(copy))) === undefined;
  const text = isRight ? copy : Buffer.from(`${JSON.stringify(createVaultDocument(row), null, 1)}\n`);
  const path = join(directory, "vault.json");
  if (!dryRun) {
    if (existsSync(path)) await moveAside(directory, path);
    await writeFileDurably(path, text);
  }
  const from = isRight ? "a replica" : "the gateway's catalog";
  onFound({ kind: "document", name: "vault.json", why, from, notHealed: null });
}

async function healKeys(port: DocumentsPort, why: string): Promise<void> {
  const { directory, row, replicas, dryRun, onFound } = port;
  const found = { kind: "document", name: "keys", why } as const;
  const copy = await replicas.document("keys");
  const parsed = copy === undefined ? undefined : tried(() => parseKeysDocument(copy));
  if (!dryRun) await moveUnreadable(directory);
  const local = dryRun ? why : await damageOf(() => readKeysDocument(directory, row.keysGeneration));
  // A newer one that was never finished was in the way.
  if (local === undefined) return onFound({ ...found, from: "the generation before", notHealed: null });
  if (parsed === undefined || parsed.generation < row.keysGeneration || parsed.vault !== row.id) {
    const notHealed =
      parsed === undefined
        ? "no replica has it: without it nobody can open the vault. Put the file back from a copy of the directory"
        : `replicas have generation ${parsed.generation}, and the catalog knows ${row.keysGeneration}`;
    return onFound({ ...found, from: null, notHealed });
  }
  if (!dryRun) await writeKeysDocument(directory, parsed);
  onFound({ ...found, from: "a replica", notHealed: null });
}

/** Keys documents that cannot be read go aside. */
async function moveUnreadable(directory: string): Promise<void> {
  const folder = join(directory, "keys");
  for (const name of readdirSync(folder)) {
    const path = join(folder, name);
    const damage = await damageOf(async () => parseKeysDocument(await readFile(path)));
    if (damage !== undefined) await moveAside(directory, path, `keys-${name}`);
  }
}

function tried<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}
