// Evicting packs of one vault and fetching them back: one move of a pack at a time.

import type { RateLimiter } from "../../ingest/line/rateLimiter.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import type { PackChecks } from "../index/packChecks.ts";
import type { PackPlace, PackPlaces } from "../index/packPlaces.ts";
import type { PackTable } from "../index/packTable.ts";
import type { PackTails } from "../store/packTails.ts";
import { type EvictOutcome, evictPack, needsProof } from "./evictPack.ts";
import { fetchBack } from "./fetchBack.ts";
import type { PackCopies } from "./packCopies.ts";

export type PackMovesPort = {
  /** The vault's directory. */
  readonly directory: string;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly checks: PackChecks;
  readonly copies: PackCopies;
  readonly tails: PackTails;
  readonly reserveBytes: number;
  /** How long a proof is good for, as the settings say now. */
  readonly proofMs: () => number;
  readonly now: () => Date;
  readonly forget: (pack: number) => Promise<void>;
};

export class PackMoves {
  readonly #port: PackMovesPort;
  /** The last move of each pack that is moved now. */
  readonly #moving = new Map<number, Promise<unknown>>();

  constructor(port: PackMovesPort) {
    this.#port = port;
  }

  async #inTurn<T>(pack: number, move: () => Promise<T>): Promise<T> {
    const before = this.#moving.get(pack);
    const run = (before?.catch(() => undefined) ?? Promise.resolve()).then(move);
    this.#moving.set(pack, run);
    try {
      return await run;
    } finally {
      if (this.#moving.get(pack) === run) this.#moving.delete(pack);
    }
  }

  /**
   * Evicts a pack (ordinal), or says why it stays.
   * @throws HoldfastError cancelled, disk-full, io-error
   */
  evict(pack: number, signal?: AbortSignal): Promise<EvictOutcome> {
    return this.#inTurn(pack, async () => {
      const row = this.#port.packs.get(pack);
      if (row === undefined) return { evicted: false, why: "busy" };
      return await evictPack({ ...this.#port, proofMs: this.#port.proofMs() }, row, signal);
    });
  }

  /**
   * Makes a pack's file local again, as fast as the limiter lets it; one that is local stays as it is.
   * @throws HoldfastError as fetchBack
   */
  fetchBack(pack: number, signal?: AbortSignal, limiter?: RateLimiter): Promise<void> {
    return this.#inTurn(pack, async () => {
      const row = this.#port.packs.get(pack);
      if (row?.state === "evicted") await fetchBack(this.#port, row, signal, limiter);
    });
  }

  /**
   * Replaces the file of a closed pack that is damaged or missing by a good copy from a replica. The old file stays until the new one is whole.
   * @returns what the replica is called; undefined when the pack is not local (any more)
   * @throws HoldfastError as fetchBack
   */
  replaceLocal(pack: number, signal?: AbortSignal): Promise<string | undefined> {
    return this.#inTurn(pack, async () => {
      const row = this.#port.packs.get(pack);
      if (row?.state !== "closed") return undefined;
      const replica = await fetchBack(this.#port, row, signal);
      await this.#port.forget(pack);
      return this.#port.copies.nameOf(replica);
    });
  }

  /** Runs work while none of these packs is moved. */
  async whileStill<T>(packs: readonly number[], work: () => Promise<T>): Promise<T> {
    const [first, ...others] = packs;
    if (first === undefined) return await work();
    return await this.#inTurn(first, () => this.whileStill(others, work));
  }

  /** Whether evicting would have to prove a copy first; undefined when no replica lists the pack. */
  needsProof(pack: number): boolean | undefined {
    return needsProof({ ...this.#port, proofMs: this.#port.proofMs() }, pack);
  }

  /**
   * Fetches back what is proven nowhere but in a replica (32 hex digits), until there is none (see `isNeeded`).
   * @throws HoldfastError as fetchBack
   */
  async fetchOnlyIn(replica: string, onFetched: () => void, signal?: AbortSignal): Promise<void> {
    // A pack may be evicted meanwhile.
    while (this.isNeeded(replica)) {
      for (const pack of this.#onlyIn(replica)) {
        await this.fetchBack(pack, signal);
        onFetched();
      }
    }
  }

  /** Whether any pack is proven nowhere but in this replica. */
  isNeeded(replica: string): boolean {
    return this.#onlyIn(replica).next().done !== true;
  }

  /** Evicted packs of which no replica but this one has a listed and proven copy. */
  *#onlyIn(replica: string): Generator<number> {
    const { packs, places, copies } = this.#port;
    const isCopy = (other: string, { listed, proof, provenMs }: PackPlace): boolean =>
      other !== replica && listed && proof === "hashed" && provenMs > 0 && copies.isKnown(other);
    for (const { ordinal, state } of packs.all()) {
      if (state !== "evicted") continue;
      if (!places.of(ordinal).some((other) => isCopy(other.replica, other.place))) yield ordinal;
    }
  }

  /** Resolves when no pack is moved. */
  async settled(): Promise<void> {
    while (this.#moving.size > 0) {
      for (const moving of [...this.#moving.values()]) {
        await moving.catch((error: unknown) => {
          if (!isHoldfastError(error)) throw error;
        });
      }
    }
  }
}
