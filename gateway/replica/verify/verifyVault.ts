// Verifying one vault in one replica: its root and manifest whole, and a share of packs, index segments and snapshots.
//
// Packs that were proven longest ago come first, so that repeated runs go through all of them. Segments and snapshots are drawn by chance.

import { randomInt } from "node:crypto";
import { createReadStream } from "node:fs";
import { asBuffer, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import { ManifestPageType } from "../../../vault/magic.ts";
import type { NamedObject, VaultRoot } from "../../../vault/replica/root.ts";
import { isWrongCopy, PackCopies } from "../../cache/packCopies.ts";
import { ReplicaStores } from "../../cache/replicaStores.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { Gateway } from "../../gateway.ts";
import { PackPlaces } from "../../index/packPlaces.ts";
import type { PackRow } from "../../index/packTable.ts";
import type { OpenVault } from "../../openVault.ts";
import { errnoOf } from "../../store/files.ts";
import { closedPackPath } from "../../store/packPaths.ts";
import { Manifest } from "../chain/manifest.ts";
import { readNamed } from "../chain/namedObjects.ts";
import { vaultChain } from "../chain/vaultChain.ts";
import { packKey, vaultFolder } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { healPack, healSnapshot } from "./healObject.ts";
import type { Finding } from "./verifyReplica.ts";

export type VerifyPlan = {
  readonly packsListed: number;
  readonly objects: number;
  readonly requests: number;
  readonly egressBytes: number;
};

export type VaultVerifyOptions = {
  readonly gateway: Gateway;
  readonly replica: Replica;
  readonly store: ReplicaStore;
  readonly roots: ReplicaStore;
  /** 32 hex digits. */
  readonly vault: string;
  readonly sharePercent: number;
  readonly heal: boolean;
  readonly signal: AbortSignal;
};

/** Bytes that one request for a pack brings (PackCopies). */
const pieceBytes = 4 * 2 ** 20;
type SmallObject = NamedObject & { readonly kind: "snapshot" | "other" };

export class VaultVerify {
  readonly plan: VerifyPlan;
  readonly #options: VaultVerifyOptions;
  readonly #vault: OpenVault;
  readonly #places: PackPlaces;
  readonly #copies: PackCopies;
  readonly #packs: readonly PackRow[];
  readonly #small: readonly SmallObject[];

  private constructor(
    options: VaultVerifyOptions,
    vault: OpenVault,
    packsListed: number,
    packs: readonly PackRow[],
    small: readonly SmallObject[],
  ) {
    const { gateway, replica, store } = options;
    this.#options = options;
    this.#vault = vault;
    this.#packs = packs;
    this.#small = small;
    this.#places = new PackPlaces(vault.store.environment);
    const stores = new ReplicaStores({
      replica: () => replica,
      open: async () => store,
      monotonicMs: () => 0,
      report: () => undefined,
    });
    this.#copies = new PackCopies({
      vault: vault.id,
      packs: vault.store.packs,
      places: this.#places,
      stores,
      now: gateway.now,
      report: (event, facts) => gateway.logger.warn(facts, event),
    });
    const read = packs.filter((pack) => !this.#isChallenged(pack));
    const smallBytes = small.reduce((sum, { bytes }) => sum + bytes, 0);
    this.plan = {
      packsListed,
      objects: packs.length + small.length,
      requests: read.reduce(
        (sum, { bytes }) => sum + Math.ceil(bytes / pieceBytes),
        packs.length - read.length + small.length,
      ),
      egressBytes: read.reduce((sum, { bytes }) => sum + bytes, smallBytes),
    };
  }

  /**
   * Reads root and manifest and draws what is to be read; undefined where nothing of the vault is in the replica. What the root names and is wrong goes to `findings`.
   * @throws HoldfastError rollback-detected, replica-damaged for a root, replica-unreachable, replica-refused, cancelled
   */
  static async prepare(options: VaultVerifyOptions, findings: Finding[]): Promise<VaultVerify | undefined> {
    const { gateway, replica, store, roots, sharePercent, signal } = options;
    const vault = await gateway.vault(options.vault);
    const { chain } = vaultChain(gateway, replica, roots, vault.id);
    const newest = await chain.newest(signal);
    if (newest === undefined) return undefined;
    const small = documentsOf(newest.root);
    const listed: { readonly pack: PackRow; readonly provenMs: number }[] = [];
    try {
      const manifest = await Manifest.load(store, vault.id, newest.root, signal);
      small.push(...(await drawn(manifest, sharePercent, signal)));
      listed.push(...(await knownPacks(manifest, vault, replica.id, signal)));
    } catch (error) {
      if (!isHoldfastError(error, ErrorCode.replicaDamaged)) throw error;
      const key = `${vaultFolder(vault.id)}${newest.root.manifest.name}`;
      findings.push({ vault: vault.id, key, why: error.message, healed: false });
    }
    listed.sort((a, b) => a.provenMs - b.provenMs);
    const count = Math.ceil((listed.length * sharePercent) / 100);
    const packs = listed.slice(0, count).map(({ pack }) => pack);
    return new VaultVerify(options, vault, listed.length, packs, small);
  }

  /** Whether the far end proves a pack, instead of sending it. */
  #isChallenged(pack: PackRow): boolean {
    return this.#options.store.challenge !== undefined && pack.state === "closed";
  }

  /**
   * Reads what was drawn; tells the bytes of each object. Returns how many packs are right now.
   * @throws HoldfastError replica-unreachable, replica-refused, cancelled
   */
  async run(findings: Finding[], onObject: (bytes: number) => void): Promise<number> {
    const { signal } = this.#options;
    for (const object of this.#small) {
      signal.throwIfAborted();
      const finding = await this.#checkSmall(object);
      if (finding !== undefined) findings.push(finding);
      onObject(object.bytes);
    }
    let right = 0;
    for (const pack of this.#packs) {
      signal.throwIfAborted();
      this.#requireReplica();
      const finding = await this.#checkPack(pack);
      if (finding !== undefined) findings.push(finding);
      if (finding === undefined || finding.healed) right++;
      onObject(pack.bytes);
    }
    return right;
  }

  /** @throws HoldfastError cancelled when the replica was removed meanwhile: nothing is to be noted of it any more */
  #requireReplica(): void {
    const { gateway, replica } = this.#options;
    if (gateway.catalog.replicas.get(replica.id) !== undefined) return;
    throw new HoldfastError(ErrorCode.cancelled, `replica ${replica.name} was removed meanwhile`);
  }

  async #checkSmall(object: SmallObject): Promise<Finding | undefined> {
    const { store, signal, heal } = this.#options;
    const folder = vaultFolder(this.#vault.id);
    try {
      await readNamed(store, folder, object, signal);
      return undefined;
    } catch (error) {
      if (!isWrongCopy(error)) throw error;
      const key = `${folder}${object.name}`;
      const able = heal && object.kind === "snapshot";
      const directory = this.#options.gateway.vaultDirectory(this.#vault.id);
      const healed = able && (await healSnapshot(store, directory, key, object, signal));
      return { vault: this.#vault.id, key, why: error.message, healed };
    }
  }

  async #checkPack(pack: PackRow): Promise<Finding | undefined> {
    const { replica, gateway } = this.#options;
    const key = packKey(this.#vault.id, asBuffer(pack.name!));
    try {
      await this.#prove(pack);
      return undefined;
    } catch (error) {
      if (!isWrongCopy(error)) throw error;
      this.#copies.wrong(pack, replica.id, error);
      const healed = this.#options.heal && (await this.#heal(pack, key));
      if (healed) {
        const provenMs = gateway.now().getTime();
        this.#places.put(pack.ordinal, replica.id, { listed: true, proof: "hashed", provenMs });
      }
      return { vault: this.#vault.id, key, why: error.message, healed };
    }
  }

  /** @throws HoldfastError as PackCopies.readWhole */
  async #prove(pack: PackRow): Promise<void> {
    const { replica, signal, gateway } = this.#options;
    if (this.#isChallenged(pack)) {
      const path = closedPackPath(gateway.vaultDirectory(this.#vault.id), pack.name!);
      try {
        await this.#copies.prove(pack, replica.id, () => createReadStream(path), signal);
        this.#places.put(pack.ordinal, replica.id, { listed: true, proof: "none", provenMs: 0 });
        return;
      } catch (error) {
        // Perhaps it is the file here that is wrong or missing: then all of the copy is read.
        if (!isWrongCopy(error) && errnoOf(error) === undefined) throw error;
      }
    }
    const provenMs = gateway.now().getTime();
    const before = this.#places.get(pack.ordinal, replica.id);
    await this.#copies.readWhole(pack, replica.id, () => undefined, signal);
    // A reader may have found it wrong meanwhile: then that counts.
    if (before !== undefined && this.#places.get(pack.ordinal, replica.id) === undefined) return;
    this.#places.put(pack.ordinal, replica.id, { listed: true, proof: "hashed", provenMs });
  }

  /** Puts the pack there from this disk, or by way of it from another replica, and reads it back. */
  async #heal(pack: PackRow, key: string): Promise<boolean> {
    const { store, gateway, replica, signal } = this.#options;
    if (pack.state === "evicted") {
      try {
        await this.#vault.store.elsewhere?.moves.fetchBack(pack.ordinal, signal);
      } catch (error) {
        if (!isHoldfastError(error) || error.code === ErrorCode.cancelled) throw error;
        gateway.logger.warn({ pack: toHex(pack.name!), err: error }, "a damaged copy cannot be healed");
        return false;
      }
    }
    if (!(await healPack(store, gateway.vaultDirectory(this.#vault.id), pack, key, signal))) return false;
    try {
      await this.#copies.readWhole(pack, replica.id, () => undefined, signal);
      return true;
    } catch (error) {
      if (!isWrongCopy(error)) throw error;
      return false;
    }
  }
}

/** What a root names, besides its manifest, which is read on its own. */
function documentsOf({ document, keys, catalog }: VaultRoot): SmallObject[] {
  return [document, keys, catalog].map((object) => ({ ...object, kind: "other" as const }));
}

/** The packs that the root lists and that are known here, and when each was last proven. */
async function knownPacks(
  manifest: Manifest,
  vault: OpenVault,
  replica: string,
  signal: AbortSignal,
): Promise<{ readonly pack: PackRow; readonly provenMs: number }[]> {
  const { packs, environment } = vault.store;
  const places = new PackPlaces(environment);
  const known: { readonly pack: PackRow; readonly provenMs: number }[] = [];
  for await (const rows of manifest.rows(ManifestPageType.packs, signal)) {
    for (const { name } of rows) {
      const ordinal = packs.ordinalOf(name);
      const pack = ordinal === undefined ? undefined : packs.get(ordinal);
      if (pack !== undefined)
        known.push({ pack, provenMs: places.get(pack.ordinal, replica)?.provenMs ?? 0 });
    }
  }
  return known;
}

async function drawn(manifest: Manifest, sharePercent: number, signal: AbortSignal): Promise<SmallObject[]> {
  const draws = (): boolean => randomInt(1_000_000) < sharePercent * 10_000;
  const objects: SmallObject[] = [];
  for await (const rows of manifest.rows(ManifestPageType.segments, signal)) {
    for (const { name, bytes } of rows) {
      const sha256 = toHex(name);
      if (draws()) objects.push({ name: `index/${sha256}`, bytes, sha256, kind: "other" });
    }
  }
  for await (const rows of manifest.rows(ManifestPageType.snapshots, signal)) {
    for (const { id, bytes } of rows) {
      const sha256 = toHex(id);
      if (draws()) objects.push({ name: `snapshots/${sha256}`, bytes, sha256, kind: "snapshot" });
    }
  }
  return objects;
}
