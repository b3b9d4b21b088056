// Who may rely on what is in a vault without a lease: garbage collection and those that it must not meet.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** Holds several vaults while work runs. @throws HoldfastError busy; what it throws */
export async function whileHeld<T>(
  vaults: readonly { readonly holds: VaultHolds }[],
  what: string,
  work: () => Promise<T>,
): Promise<T> {
  const ends: (() => void)[] = [];
  try {
    for (const { holds } of vaults) ends.push(holds.hold(what));
    return await work();
  } finally {
    for (const end of ends) end();
  }
}

export class VaultHolds {
  readonly #holders = new Map<symbol, string>();
  #collecting = false;

  /** Whoever holds the vault now, in words; undefined: nobody. */
  get holder(): string | undefined {
    return this.#holders.values().next().value;
  }

  /**
   * Nothing is collected until what this returns is called. `what`: "an import", for the message of who wants to.
   * @throws HoldfastError busy while garbage is collected
   */
  hold(what: string): () => void {
    if (this.#collecting) {
      throw new HoldfastError(ErrorCode.busy, "the vault's garbage is being collected", {
        next: "Wait until `holdfast gateway gc` has ended, or stop it: it goes on where it stopped.",
      });
    }
    const key = Symbol(what);
    this.#holders.set(key, what);
    return () => void this.#holders.delete(key);
  }

  /** Begins to collect. @throws HoldfastError busy where somebody does; who holds it is looked at before, by `holder` */
  collect(): () => void {
    if (this.#collecting) {
      throw new HoldfastError(ErrorCode.busy, "the vault's garbage is being collected already", {
        next: "Wait until that has ended, or stop it.",
      });
    }
    this.#collecting = true;
    return () => {
      this.#collecting = false;
    };
  }
}
