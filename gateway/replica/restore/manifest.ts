// A vault's manifest, read for restoring: one page in memory at a time.

import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import { type ManifestPage, parseManifestPage, type TopRow } from "../../../vault/replica/manifestPage.ts";
import type { VaultRoot } from "../../../vault/replica/root.ts";
import { merkleOf, packHash } from "../../../vault/replica/treeHash.ts";
import { namedKey, vaultFolder } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { damagedObject, fetchObject } from "./fetchObject.ts";

export class RestoreManifest {
  readonly #store: ReplicaStore;
  readonly #folder: string;
  readonly #top: readonly TopRow[];
  readonly #signal: AbortSignal;

  private constructor(store: ReplicaStore, folder: string, top: readonly TopRow[], signal: AbortSignal) {
    this.#store = store;
    this.#folder = folder;
    this.#top = top;
    this.#signal = signal;
  }

  /**
   * Reads the top page that a root names and holds it against the root's counts and tree hash.
   * @throws HoldfastError replica-damaged; as ReplicaStore.getRange
   */
  static async open(store: ReplicaStore, root: VaultRoot, signal: AbortSignal): Promise<RestoreManifest> {
    const folder = vaultFolder(root.id);
    const { name, bytes, sha256 } = root.manifest;
    const key = folder + name;
    const page = await fetchObject(store, { key, bytes, sha256: Buffer.from(sha256, "hex") }, signal);
    const top = parsePage(ManifestPageType.top, page, key).rows;
    const manifest = new RestoreManifest(store, folder, top, signal);
    const merkle = merkleOf(manifest.#of(ManifestPageType.packs).map((row) => row.packHash));
    const counts = [ManifestPageType.packs, ManifestPageType.snapshots].map((type) => manifest.count(type));
    if (toHex(merkle) !== root.merkle || counts[0] !== root.packs || counts[1] !== root.snapshots) {
      throw damagedObject(key, "is not the manifest that its root describes");
    }
    return manifest;
  }

  #of(type: ManifestPageType): TopRow[] {
    return this.#top.filter((row) => row.type === type);
  }

  /** Rows of a type, in all pages. */
  count(type: ManifestPageType): number {
    return this.#of(type).reduce((sum, { rows }) => sum + rows, 0);
  }

  /** The pages of a type in order. @throws HoldfastError replica-damaged; as ReplicaStore.getRange */
  async *pages<Type extends TopRow["type"]>(type: Type): AsyncGenerator<ManifestPage<Type>["rows"]> {
    for (const row of this.#of(type)) {
      const key = namedKey(this.#folder, "manifest", row.page);
      const bytes = await fetchObject(this.#store, { key, bytes: row.bytes, sha256: row.page }, this.#signal);
      const { rows } = parsePage(type, bytes, key);
      if (rows.length !== row.rows) throw damagedObject(key, "has another number of rows than is listed");
      if (type === ManifestPageType.packs) {
        const packs = rows as ManifestPage<2>["rows"];
        if (!asBuffer(row.packHash).equals(packHash(packs))) {
          throw damagedObject(key, "does not have the tree hash that is listed");
        }
      }
      yield rows;
    }
  }
}

function parsePage<Type extends 1 | 2 | 3 | 4 | 5>(
  type: Type,
  bytes: Buffer,
  key: string,
): ManifestPage<Type> {
  try {
    return parseManifestPage(type, bytes);
  } catch (error) {
    if (isHoldfastError(error)) throw damagedObject(key, "cannot be read", error);
    throw error;
  }
}
