// A copy of what packs do not say of a vault (item names, retention, the trash, wrong records), beside its database: `catalog.sealed`, in the form
// in which replicas keep it (docs/format.md, section 11.6). An index that is lost is rebuilt with it.
//
// Invariants
// - It is behind the database, by some seconds at most while a gateway runs; what it lacks is found another way or was never known (repair.md).
// - It is sealed: names of items are no more in the clear than in a box's encrypted database.
// - A failure to write it hurts nobody now: it is reported, and tried again with the next change.

import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../vault/errors.ts";
import { openCatalog, sealCatalog, vaultCatalogKey } from "../vault/replica/sealedCatalog.ts";
import type { Vault } from "./catalog/vaults.ts";
import type { IndexEnvironment } from "./index/environment.ts";
import {
  exportVaultPart,
  parseVaultPart,
  type VaultPart,
  type VaultState,
} from "./replica/gatewayState/vaultPart.ts";
import { errnoOf, fileError, writeFileDurably } from "./store/files.ts";

/** How long after a change it is written. */
const delayMs = 3000;

function pathOf(directory: string): string {
  return join(directory, "catalog.sealed");
}

function keyOf(vault: string, metadataKey: string): ReturnType<typeof vaultCatalogKey> {
  return vaultCatalogKey(Buffer.from(metadataKey, "base64"), fromHex(vault, 16));
}

/** The opened text; undefined where there is none that can be read. @throws HoldfastError io-error */
async function readText(directory: string, vault: string, metadataKey: string): Promise<Buffer | undefined> {
  try {
    return openCatalog(await readFile(pathOf(directory)), keyOf(vault, metadataKey));
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || isHoldfastError(error)) return undefined;
    throw fileError(error, pathOf(directory));
  }
}

/** What the copy in a vault's directory says; undefined where there is none that can be read. @throws HoldfastError io-error, unsupported */
export async function readKeptPart(
  directory: string,
  vault: string,
  metadataKey: string,
): Promise<VaultPart | undefined> {
  const text = await readText(directory, vault, metadataKey);
  if (text === undefined) return undefined;
  try {
    return parseVaultPart(text, vault);
  } catch (error) {
    if (isHoldfastError(error) && error.code !== ErrorCode.unsupported) return undefined;
    throw error;
  }
}

export type KeptPartOptions = {
  /** The vault's. */
  readonly directory: string;
  readonly row: Pick<Vault, "metadataKey">;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

type KeptVault = VaultState & { readonly store: { readonly environment: IndexEnvironment } };

/** Keeps the copy up to date. */
export class KeptPart {
  readonly #options: KeptPartOptions;
  readonly #vault: KeptVault;
  readonly #stop: () => void;
  #timer: NodeJS.Timeout | undefined;
  #writing: Promise<void> = Promise.resolve();
  /** The text that is in the file, as far as this process knows. */
  #kept: Buffer | undefined;

  constructor(options: KeptPartOptions, vault: KeptVault) {
    this.#options = options;
    this.#vault = vault;
    this.#stop = vault.store.environment.onCommit(() => this.#soon());
    this.#soon();
  }

  #soon(): void {
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      void this.write();
    }, delayMs).unref();
  }

  /** Writes it now if it is not what is in the file. Failures are reported. */
  write(): Promise<void> {
    this.#writing = this.#writing.then(async () => {
      const { directory, row, report } = this.#options;
      const { id } = this.#vault;
      try {
        const text = exportVaultPart(this.#vault, { counted: false });
        this.#kept ??= await readText(directory, id, row.metadataKey);
        if (this.#kept?.equals(text)) return;
        await writeFileDurably(pathOf(directory), sealCatalog(text, keyOf(id, row.metadataKey)));
        this.#kept = text;
      } catch (error) {
        report("part-not-kept", { error: String(error) });
      }
    });
    return this.#writing;
  }

  /** Writes what is not written, and ends. */
  async close(): Promise<void> {
    this.#stop();
    clearTimeout(this.#timer);
    this.#timer = undefined;
    await this.write();
  }
}
