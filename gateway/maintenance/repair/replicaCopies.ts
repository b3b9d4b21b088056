// What replicas have of a vault that is being repaired: by their newest roots alone, since the vault's own tables may be gone.
//
// Invariant: nothing is taken from a replica that has not the hash it must have; roots are proven by their MACs.

import { fromHex, toHex } from "../../../vault/bytes.ts";
import { type HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import type { VaultRoot } from "../../../vault/replica/root.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Vault } from "../../catalog/vaults.ts";
import type { VaultPart } from "../../replica/gatewayState/vaultPart.ts";
import { namedKey, packKey, vaultFolder } from "../../replica/keys.ts";
import { openReplicaStore, type StoreContext } from "../../replica/openStore.ts";
import type { ReplicaStore } from "../../replica/replicaStore.ts";
import { damagedObject, fetchObject, fetchRange, fetchToFile } from "../../replica/restore/fetchObject.ts";
import { newestOf } from "../../replica/restore/findRoot.ts";
import { RestoreManifest } from "../../replica/restore/manifest.ts";
import { fetchNamed, openPart } from "../../replica/restore/restoreVault.ts";
import { provenRoot } from "../../replica/restore/vaultRoots.ts";
import { readTailOf } from "../../store/packTails.ts";
import { parseTail } from "../rebuild/packFile.ts";

type Opened = {
  readonly replica: Replica;
  readonly store: ReplicaStore;
  readonly roots: ReplicaStore;
  readonly root: VaultRoot;
  readonly manifest: RestoreManifest;
};

/** A pack that a replica lists. */
export type ListedPack = { readonly name: string; readonly bytes: number; readonly kind: number };
/** A snapshot that a replica lists. */
export type ListedSnapshot = { readonly id: string; readonly bytes: number; readonly receivedMs: number };

export class ReplicaCopies {
  readonly #vault: Vault;
  readonly #signal: AbortSignal;
  readonly #opened: Opened[] = [];
  readonly #packs = new Map<string, { readonly pack: ListedPack; readonly by: Opened[] }>();
  readonly #snapshots = new Map<string, { readonly snapshot: ListedSnapshot; readonly by: Opened[] }>();
  /** Names of replicas that could not be read, and why. */
  readonly away: { readonly replica: string; readonly why: string }[] = [];

  private constructor(vault: Vault, signal: AbortSignal) {
    this.#vault = vault;
    this.#signal = signal;
  }

  /** Reads what all replicas list; one that does not answer, or has nothing of this vault, is passed over. */
  static async open(
    vault: Vault,
    replicas: readonly Replica[],
    context: StoreContext,
    signal: AbortSignal,
  ): Promise<ReplicaCopies> {
    const copies = new ReplicaCopies(vault, signal);
    for (const replica of replicas) {
      try {
        await copies.#read(replica, context);
      } catch (error) {
        signal.throwIfAborted();
        if (!isHoldfastError(error)) throw error;
        copies.away.push({ replica: replica.name, why: error.message });
      }
    }
    return copies;
  }

  async #read(replica: Replica, context: StoreContext): Promise<void> {
    const { id, metadataKey } = this.#vault;
    const store = await openReplicaStore(replica, context);
    const { rootUrl } = replica.options;
    let roots = store;
    let kept = false;
    try {
      if (rootUrl !== undefined) roots = await openReplicaStore({ ...replica, url: rootUrl }, context);
      const port = { roots, signal: this.#signal };
      const generation = await newestOf(roots, vaultFolder(id), this.#signal);
      if (generation === 0) return;
      const { root } = await provenRoot(port, id, generation, Buffer.from(metadataKey, "base64"));
      const manifest = await RestoreManifest.open(store, root, this.#signal);
      const opened = { replica, store, roots, root, manifest };
      await this.#list(opened);
      this.#opened.push(opened);
      kept = true;
    } finally {
      if (!kept) await closeStores({ store, roots });
    }
  }

  async #list(opened: Opened): Promise<void> {
    for await (const rows of opened.manifest.pages(ManifestPageType.packs)) {
      for (const { name, bytes, kind } of rows) {
        const pack = { name: toHex(name), bytes, kind };
        const known = this.#packs.get(pack.name);
        if (known !== undefined) known.by.push(opened);
        else this.#packs.set(pack.name, { pack, by: [opened] });
      }
    }
    for await (const rows of opened.manifest.pages(ManifestPageType.snapshots)) {
      for (const { id, bytes, receivedMs } of rows) {
        const snapshot = { id: toHex(id), bytes, receivedMs };
        const known = this.#snapshots.get(snapshot.id);
        if (known !== undefined) known.by.push(opened);
        else this.#snapshots.set(snapshot.id, { snapshot, by: [opened] });
      }
    }
  }

  packs(): ListedPack[] {
    return [...this.#packs.values()].map(({ pack }) => pack);
  }

  snapshots(): ListedSnapshot[] {
    return [...this.#snapshots.values()].map(({ snapshot }) => snapshot);
  }

  /** Which replicas (ids) list a pack (name in hex). */
  listing(name: string): string[] {
    return this.#packs.get(name)?.by.map(({ replica }) => replica.id) ?? [];
  }

  /** What people call the replicas that list a pack. */
  namesOf(name: string): string {
    return (this.#packs.get(name)?.by ?? []).map(({ replica }) => replica.name).join(", ");
  }

  /** Length of a pack that is listed; 0 for any other. */
  bytesOf(name: string): number {
    return this.#packs.get(name)?.pack.bytes ?? 0;
  }

  hasPack(name: string): boolean {
    return this.#packs.has(name);
  }

  /** Puts a pack at a path, durable, in the place of what is there; its folder exists. The replica's name, or why there is no copy. */
  async packTo(name: string, path: string): Promise<{ from: string } | { none: string }> {
    return this.#first(this.#packs.get(name)?.by, async ({ store }) => {
      const sha256 = fromHex(name, 32);
      const { bytes } = this.#packs.get(name)!.pack;
      const arrived = (): void => undefined;
      const expected = { key: packKey(this.#vault.id, sha256), bytes, sha256 };
      await fetchToFile(store, expected, path, { signal: this.#signal, arrived });
    });
  }

  /** The bytes of a pack; undefined where no copy has its hash. */
  async packBytes(name: string): Promise<Buffer | undefined> {
    let found: Buffer | undefined;
    await this.#first(this.#packs.get(name)?.by, async ({ store }) => {
      const sha256 = fromHex(name, 32);
      const { bytes } = this.#packs.get(name)!.pack;
      if (bytes > limits.packBytesMax) return;
      found = await fetchObject(store, { key: packKey(this.#vault.id, sha256), bytes, sha256 }, this.#signal);
    });
    return found;
  }

  /** The same for one that was there before. @throws HoldfastError replica-damaged */
  async requirePack(name: string): Promise<Buffer> {
    const bytes = await this.packBytes(name);
    if (bytes === undefined)
      throw damagedObject(packKey(this.#vault.id, fromHex(name, 32)), "is not there any more");
    return bytes;
  }

  /** Header, trailer and footer of a pack; undefined where no copy has one that is whole. */
  async packTail(name: string): Promise<Buffer | undefined> {
    let found: Buffer | undefined;
    await this.#first(this.#packs.get(name)?.by, async ({ store }) => {
      const pack = { ...this.#packs.get(name)!.pack, name: fromHex(name, 32), nonce: Buffer.alloc(0) };
      const key = packKey(this.#vault.id, pack.name);
      const tail = await readTailOf(pack, (offset, length) =>
        fetchRange(store, key, offset, length, this.#signal),
      );
      parseTail(tail);
      found = tail;
    });
    return found;
  }

  /** The same of a snapshot object. */
  async snapshot(id: string): Promise<{ bytes: Buffer; from: string } | { none: string }> {
    let bytes: Buffer | undefined;
    const outcome = await this.#first(this.#snapshots.get(id)?.by, async ({ store }) => {
      const sha256 = fromHex(id, 32);
      const { snapshot } = this.#snapshots.get(id)!;
      const key = namedKey(vaultFolder(this.#vault.id), "snapshots", sha256);
      bytes = await fetchObject(store, { key, bytes: snapshot.bytes, sha256 }, this.#signal);
    });
    return "none" in outcome ? outcome : { bytes: bytes as Buffer, from: outcome.from };
  }

  /** Bytes of vault.json or of the keys document, as the first replica that answers has them. */
  async document(which: "document" | "keys"): Promise<Buffer | undefined> {
    let bytes: Buffer | undefined;
    await this.#first(this.#opened, async ({ store, root }) => {
      const port = { store, vault: this.#vault.id, signal: this.#signal };
      bytes = await fetchNamed(port, root[which]);
    });
    return bytes;
  }

  /** What a replica's sealed catalog says of the vault. */
  async part(): Promise<VaultPart | undefined> {
    let part: VaultPart | undefined;
    await this.#first(this.#opened, async ({ store, root }) => {
      const port = { store, vault: this.#vault.id, signal: this.#signal };
      const metadataKey = Buffer.from(this.#vault.metadataKey, "base64");
      part = openPart(await fetchNamed(port, root.catalog), metadataKey, this.#vault.id);
    });
    return part;
  }

  /** Tries one replica after the other. */
  async #first(
    by: readonly Opened[] | undefined,
    work: (opened: Opened) => Promise<void>,
  ): Promise<{ from: string } | { none: string }> {
    let last = "no replica has it";
    for (const opened of by ?? []) {
      try {
        await work(opened);
        return { from: opened.replica.name };
      } catch (error) {
        this.#signal.throwIfAborted();
        if (!isHoldfastError(error)) throw error;
        last = (error as HoldfastError).message;
      }
    }
    return { none: last };
  }

  async close(): Promise<void> {
    for (const opened of this.#opened) await closeStores(opened);
  }
}

async function closeStores({ store, roots }: Pick<Opened, "store" | "roots">): Promise<void> {
  await store.close();
  if (roots !== store) await roots.close();
}
