// vault.json and keys/<generation>.json of one vault, on disk (docs/format.md, sections 3 and 4).

import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { parseKeysDocument } from "../vault/keys/keysDocument.ts";
import type { KeysDocument } from "../vault/keys/keysTypes.ts";
import { limits } from "../vault/limits.ts";
import { parseVaultDocument, type VaultDocument } from "../vault/vaultDocument.ts";
import { fileError, syncDirectory, syncFoundNames, writeFileDurably } from "./store/files.ts";

const keysName = /^([0-9]{8})\.json$/;

function keysPath(vault: string, generation: number): string {
  return join(vault, "keys", `${String(generation).padStart(8, "0")}.json`);
}

/** Creates the directory of a new vault with its first documents. */
export async function createVaultDirectory(
  directory: string,
  document: VaultDocument,
  keys: KeysDocument,
): Promise<void> {
  try {
    for (const folder of ["", "keys", "packs", "open", "snapshots"]) {
      await mkdir(join(directory, folder), { recursive: true, mode: 0o700 });
    }
  } catch (error) {
    throw fileError(error, directory);
  }
  await writeKeysDocument(directory, keys);
  // vault.json last: a directory without it is no vault yet.
  await writeFileDurably(
    join(directory, "vault.json"),
    Buffer.from(`${JSON.stringify(document, null, 1)}\n`),
  );
  await syncDirectory(join(directory, ".."));
}

/** Reads vault.json. @throws HoldfastError data-dir-invalid, unsupported, corrupt */
export async function readVaultDocument(directory: string): Promise<VaultDocument> {
  return parseVaultDocument(await readDocument(join(directory, "vault.json")));
}

/**
 * Reads the newest keys document; it must have at least generation `generationMin`.
 * @throws HoldfastError data-dir-invalid, unsupported, corrupt
 */
export async function readKeysDocument(directory: string, generationMin: number): Promise<KeysDocument> {
  const folder = join(directory, "keys");
  await syncFoundNames(folder);
  const names = await readdir(folder).catch((error: unknown) => {
    throw fileError(error, folder);
  });
  const generation = Math.max(0, ...names.map((name) => Number(keysName.exec(name)?.[1] ?? 0)));
  if (generation < generationMin || generation === 0) {
    throw new HoldfastError(
      ErrorCode.dataDirInvalid,
      `${folder} has generation ${generation}, the catalog knows ${generationMin}`,
    );
  }
  return parseKeysDocument((await readDocument(keysPath(directory, generation))).toString("utf8"));
}

/** A change of another generation than there is, `generation`. */
export function keysMovedOn(generation: number): HoldfastError {
  return new HoldfastError(ErrorCode.sequenceConflict, "the vault's keys document has moved on", {
    detail: { generation },
    next: "Fetch the keys document again and repeat the change.",
  });
}

/** Writes a keys document as a new generation. @throws HoldfastError limit-exceeded: nobody could read it; disk-full, io-error */
export async function writeKeysDocument(directory: string, document: KeysDocument): Promise<void> {
  const bytes = Buffer.from(`${JSON.stringify(document, null, 1)}\n`);
  if (bytes.length > limits.documentBytesMax) {
    throw new HoldfastError(
      ErrorCode.limitExceeded,
      `the keys document would have ${bytes.length} bytes, and may have ${limits.documentBytesMax}`,
      { next: "Revoke devices that are not used any more." },
    );
  }
  await writeFileDurably(keysPath(directory, document.generation), bytes);
}

async function readDocument(path: string): Promise<Buffer> {
  try {
    const bytes = await readFile(path);
    if (bytes.length > limits.documentBytesMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, `${path} has ${bytes.length} bytes`);
    }
    return bytes;
  } catch (error) {
    const failure = fileError(error, path);
    throw failure.code === ErrorCode.ioError
      ? new HoldfastError(ErrorCode.dataDirInvalid, `${path} cannot be read`, { cause: error })
      : failure;
  }
}
