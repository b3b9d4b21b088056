// The keys of an unlocked vault. Everything is derived from S and the epoch keys A when first needed, and kept.
//
// Invariants: holds copies of its own in memory of their own; epochs are added and never go or change; after wipe() every one of them is zeros and every use is refused; key
// buffers handed out are views of the kept ones, so they are zeros then too.
import { timingSafeEqual } from "node:crypto";
import { ErrorCode, HoldfastError } from "../errors.ts";
import type { SealKeys } from "../seal/seal.ts";
import { derive } from "./hkdf.ts";

/**
 * The root secrets of a vault: its id (16 bytes), S and one A per epoch (32 bytes each). Survives structured cloning, so it can be
 * posted to a worker thread (where Buffers arrive as plain Uint8Arrays).
 */
export type VaultSecrets = {
  readonly vaultId: Uint8Array;
  readonly s: Uint8Array;
  readonly epochs: ReadonlyMap<number, Uint8Array>;
  readonly currentEpoch: number;
};

/** Zero-fills a copy of secrets. */
export function wipeSecrets({ s, epochs }: VaultSecrets): void {
  s.fill(0);
  for (const a of epochs.values()) a.fill(0);
}

/** The epoch whose A the metadata key derives from, so that rotation does not change it. */
const firstEpoch = 1;

/** A copy that does not share Buffer's pool: posting pooled memory to a worker would take its neighbours along. */
function ownCopy(bytes: Uint8Array): Buffer {
  const copy = Buffer.alloc(bytes.length);
  copy.set(bytes);
  return copy;
}

function copySecrets(secrets: VaultSecrets): VaultSecrets {
  return {
    vaultId: ownCopy(secrets.vaultId),
    s: ownCopy(secrets.s),
    epochs: new Map([...secrets.epochs].map(([epoch, a]) => [epoch, ownCopy(a)])),
    currentEpoch: secrets.currentEpoch,
  };
}

/** The value of `key`, made once. */
function cached<Key, Value>(cache: Map<Key, Value>, key: Key, make: () => Value): Value {
  const known = cache.get(key);
  if (known !== undefined) return known;
  const value = make();
  cache.set(key, value);
  return value;
}

export class VaultKeys {
  #secrets: VaultSecrets;
  readonly #idKeys = new Map<number, Buffer>();
  readonly #gearTables = new Map<number, Uint32Array>();
  readonly #splitTables = new Map<number, Uint32Array>();
  readonly #sealKeys = new Map<number, { readonly encKey: Buffer; readonly macKey: Buffer }>();
  #fileHashKey: Buffer | undefined;
  #metadataKey: Buffer | undefined;
  #wiped = false;

  constructor(secrets: VaultSecrets) {
    this.#secrets = copySecrets(secrets);
  }

  #use(): VaultSecrets {
    if (this.#wiped) throw new HoldfastError(ErrorCode.vaultLocked, "the vault was locked meanwhile");
    return this.#secrets;
  }

  /** The vault's id, 16 bytes. */
  get vaultId(): Uint8Array {
    return this.#secrets.vaultId;
  }

  /** The epoch that new records are sealed in. */
  get currentEpoch(): number {
    return this.#secrets.currentEpoch;
  }

  /** The key of chunk ids in a deduplication group, 32 bytes. */
  idKey(group: number): Buffer {
    const { s, vaultId } = this.#use();
    return cached(this.#idKeys, group, () => derive(s, vaultId, "holdfast id v1", group));
  }

  /** The 256 words of the chunker's gear table in a group. */
  gearTable(group: number): Uint32Array {
    const { s, vaultId } = this.#use();
    return cached(this.#gearTables, group, () => table(derive(s, vaultId, "holdfast gear v1", group, 1024)));
  }

  /** The 256 words of the table by which bundles and directory pages split in a group. */
  splitTable(group: number): Uint32Array {
    const { s, vaultId } = this.#use();
    return cached(this.#splitTables, group, () =>
      table(derive(s, vaultId, "holdfast split v1", group, 1024)),
    );
  }

  /** The key of file hashes, 32 bytes. */
  get fileHashKey(): Buffer {
    const { s, vaultId } = this.#use();
    this.#fileHashKey ??= derive(s, vaultId, "holdfast file hash v1");
    return this.#fileHashKey;
  }

  /**
   * The keys that seal in an epoch.
   * @throws HoldfastError key-wrong for an epoch that these secrets do not have
   */
  sealKeys(epoch: number): SealKeys {
    const { vaultId } = this.#use();
    return cached(this.#sealKeys, epoch, () => {
      const a = this.#epochKey(epoch);
      return {
        encKey: derive(a, vaultId, "holdfast seal enc v1"),
        macKey: derive(a, vaultId, "holdfast seal mac v1"),
      };
    });
  }

  /** The key that the gateway gets at vault creation, for roots and the vault's part of the catalog. Not a content key. */
  get metadataKey(): Buffer {
    const { vaultId } = this.#use();
    this.#metadataKey ??= derive(this.#epochKey(firstEpoch), vaultId, "holdfast metadata v1");
    return this.#metadataKey;
  }

  #epochKey(epoch: number): Uint8Array {
    const a = this.#secrets.epochs.get(epoch);
    if (a === undefined) {
      throw new HoldfastError(ErrorCode.keyWrong, `these keys do not include key epoch ${epoch}`, {
        next: "The vault's keys were rotated meanwhile: run again, or unlock the vault again.",
      });
    }
    return a;
  }

  /** A copy of the secrets, for a worker thread. The caller wipes it (wipeSecrets). */
  export(): VaultSecrets {
    return copySecrets(this.#use());
  }

  /** Whether there is an A for this epoch. */
  hasEpoch(epoch: number): boolean {
    return this.#secrets.epochs.has(epoch);
  }

  /**
   * Takes over the epochs that `newer` has besides, and seals in its current one from now on: whoever holds these keys goes on with them after
   * a rotation. Answers false, and changes nothing, where `newer` is not of the same vault or lacks an epoch, or either was wiped.
   */
  extendWith(newer: VaultKeys): boolean {
    if (this.#wiped || newer.#wiped) return false;
    const [own, other] = [this.#secrets, newer.#secrets];
    const pairs = [...own.epochs].map(([epoch, key]) => [key, other.epochs.get(epoch)] as const);
    const same = [[own.vaultId, other.vaultId] as const, [own.s, other.s] as const, ...pairs].every(
      ([one, two]) => two !== undefined && timingSafeEqual(one, two),
    );
    if (!same || other.currentEpoch < own.currentEpoch) return false;
    const added = [...other.epochs].filter(([epoch]) => !own.epochs.has(epoch));
    const epochs = new Map([...own.epochs, ...added.map(([epoch, a]) => [epoch, ownCopy(a)] as const)]);
    this.#secrets = { ...own, epochs, currentEpoch: other.currentEpoch };
    return true;
  }

  /** Zero-fills the secrets and every key that was derived. */
  wipe(): void {
    this.#wiped = true;
    wipeSecrets(this.#secrets);
    for (const key of this.#idKeys.values()) key.fill(0);
    for (const gear of this.#gearTables.values()) gear.fill(0);
    for (const split of this.#splitTables.values()) split.fill(0);
    for (const { encKey, macKey } of this.#sealKeys.values()) {
      encKey.fill(0);
      macKey.fill(0);
    }
    this.#fileHashKey?.fill(0);
    this.#metadataKey?.fill(0);
  }
}

/** 256 little-endian words. */
function table(bytes: Buffer): Uint32Array {
  return Uint32Array.from({ length: 256 }, (_, i) => bytes.readUInt32LE(i * 4));
}
