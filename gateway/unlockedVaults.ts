// The vaults whose keys this process holds for now. Keys are in memory only and are wiped when they go.

import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { VaultKeys } from "../vault/keys/vaultKeys.ts";

type Unlocked = {
  readonly keys: VaultKeys;
  readonly until: number | undefined;
  readonly timer: NodeJS.Timeout | undefined;
};

/** Its time is over, the process ends, or it has newer keys, which did not come along. */
export type LockReason = "time" | "end" | "rotation";

/** setTimeout takes at most so much. */
const timerMaxMs = 2 ** 31 - 1;

export class UnlockedVaults {
  readonly #vaults = new Map<string, Unlocked>();
  readonly #listeners = new Set<() => void>();
  readonly #monotonicMs: () => number;
  readonly #locked: (vault: string, why: LockReason) => void;

  /** `locked` is told of vaults that nobody asked to lock. */
  constructor(
    monotonicMs: () => number = () => performance.now(),
    locked: (vault: string, why: LockReason) => void = () => undefined,
  ) {
    this.#monotonicMs = monotonicMs;
    this.#locked = locked;
  }

  /**
   * Holds a vault's keys, for `forMs` or until it is locked; a vault that is unlocked already gets the new time, and what was opened with its keys
   * stays open. Takes over `keys` and wipes them at the end.
   */
  unlock(vault: string, keys: VaultKeys, forMs?: number): void {
    const known = this.#vaults.get(vault);
    const again = known?.keys.extendWith(keys) === true;
    if (again) {
      clearTimeout(known.timer);
      if (keys !== known.keys) keys.wipe();
    } else this.#drop(vault);
    const until = forMs === undefined ? undefined : this.#monotonicMs() + forMs;
    this.#vaults.set(vault, {
      keys: again ? known.keys : keys,
      until,
      timer: until === undefined ? undefined : this.#lockAt(vault, until),
    });
    this.#tell();
  }

  #lockAt(vault: string, until: number): NodeJS.Timeout {
    const left = until - this.#monotonicMs();
    const timer = setTimeout(
      () => {
        const entry = this.#vaults.get(vault);
        if (entry?.until !== until) return;
        if (this.#monotonicMs() >= until) {
          this.lock(vault);
          this.#locked(vault, "time");
        } else this.#vaults.set(vault, { ...entry, timer: this.#lockAt(vault, until) });
      },
      Math.min(Math.max(left, 1), timerMaxMs),
    );
    return timer.unref();
  }

  /** The keys of a vault. @throws HoldfastError vault-locked */
  keys(vault: string): VaultKeys {
    const entry = this.#vaults.get(vault);
    if (entry === undefined) {
      throw new HoldfastError(ErrorCode.vaultLocked, "the vault is locked", {
        next: "Unlock it with `holdfast vault unlock ACCOUNT --data DIR`.",
      });
    }
    return entry.keys;
  }

  /** Unlocked vaults and how long they stay so (undefined: until they are locked). */
  list(): { vault: string; leftMs: number | undefined }[] {
    return [...this.#vaults].map(([vault, { until }]) => ({
      vault,
      leftMs: until === undefined ? undefined : Math.max(0, until - this.#monotonicMs()),
    }));
  }

  /** Forgets a vault's keys. Returns whether it was unlocked. */
  lock(vault: string): boolean {
    const dropped = this.#drop(vault);
    if (dropped) this.#tell();
    return dropped;
  }

  /**
   * The vault has a new key epoch. Keys that are held go on with `newer` (which the caller wipes), and what was opened with them stays open;
   * without, they would show nothing that is sealed from now on, and are forgotten.
   */
  rotated(vault: string, newer: VaultKeys | undefined): "renewed" | "locked" | "none" {
    const entry = this.#vaults.get(vault);
    if (entry === undefined) return "none";
    if (newer !== undefined && entry.keys.extendWith(newer)) {
      this.#tell();
      return "renewed";
    }
    this.lock(vault);
    this.#locked(vault, "rotation");
    return "locked";
  }

  /** Forgets all keys. */
  lockAll(): void {
    for (const vault of [...this.#vaults.keys()]) {
      this.lock(vault);
      this.#locked(vault, "end");
    }
  }

  /** Calls back when a vault was locked or unlocked; returns a stop function. */
  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  #drop(vault: string): boolean {
    const entry = this.#vaults.get(vault);
    if (entry === undefined) return false;
    clearTimeout(entry.timer);
    entry.keys.wipe();
    return this.#vaults.delete(vault);
  }

  #tell(): void {
    for (const listener of this.#listeners) listener();
  }
}
