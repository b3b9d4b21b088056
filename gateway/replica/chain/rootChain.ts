// One chain of roots in a replica: its newest root, and the next one (docs/format.md, section 11.2).
//
// Invariants
// - A root is appended by put-if-absent after the newest one, which is looked at again just before. It is this data directory's own
//   when its nonce was noted before the put (`intend`) or its hash after it: an id of a writer can be copied with its disk, nonces
//   that were never noted cannot.
// - Nothing is appended after a root that is not our own, unless that is asked for (take-over), and then with a higher fence.
// - What was seen is noted before it is used: a chain that is behind it, or differs from it, is a rollback.

import { createHash, randomBytes } from "node:crypto";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { encodeRoot, noPrevious, parseRoot, type Root, rootHash } from "../../../vault/replica/root.ts";
import type { Replicas } from "../../catalog/replicas.ts";
import { gatewayFolder, rootKey, vaultFolder } from "../keys.ts";
import type { ReplicaStore } from "../replicaStore.ts";
import { type ChainPlace, fenced, noTakeOver, rolledBack, unreadableRoot } from "./chainErrors.ts";
import { newestGeneration } from "./newestGeneration.ts";

type RootOf<Chain extends Root["chain"]> = Extract<Root, { readonly chain: Chain }>;

/** What a root says besides its place in the chain. */
export type RootContent<Chain extends Root["chain"]> = Omit<
  RootOf<Chain>,
  "chain" | "id" | "generation" | "previous" | "writer" | "fence" | "nonce" | "time" | "features"
>;

/** A root as it stands in the replica: its hash (hex) and bytes are those of the whole object. */
export type FoundRoot<Chain extends Root["chain"]> = {
  readonly root: RootOf<Chain>;
  readonly hash: string;
  readonly bytes: number;
};

export type ChainOptions<Chain extends Root["chain"]> = {
  /** Where roots are. */
  readonly store: ReplicaStore;
  readonly chain: Chain;
  /** Of the vault or gateway, 32 hex digits. */
  readonly id: string;
  /** Proves roots; see vaultRootKey and gatewayRootKey. */
  readonly key: Uint8Array;
  /** Id of the replica: what was seen is noted under it. */
  readonly replica: string;
  readonly memory: Pick<Replicas, "seen" | "note" | "intend" | "get">;
  /** Names this data directory in roots, 32 hex digits. */
  readonly writer: string;
  readonly now: () => Date;
};

/** How many roots of another writer are followed back to what was seen before; more are taken as proven by the newest one's MAC. */
const linksMax = 256;

export class RootChain<Chain extends Root["chain"]> {
  readonly #options: ChainOptions<Chain>;
  readonly #folder: string;
  /** Undefined until it was looked for; null where the chain is empty. */
  #newest: FoundRoot<Chain> | null | undefined;
  #appending = false;

  constructor(options: ChainOptions<Chain>) {
    this.#options = options;
    this.#folder = options.chain === "vault" ? vaultFolder(options.id) : gatewayFolder;
  }

  get #place(): ChainPlace {
    const { store, memory, replica } = this.#options;
    return { url: store.url, name: memory.get(replica)?.name };
  }

  /**
   * The newest root, undefined where there is none yet. Two requests when nothing changed.
   * @throws HoldfastError rollback-detected; replica-damaged for a root that proves nothing; what the store throws
   */
  async newest(signal?: AbortSignal): Promise<FoundRoot<Chain> | undefined> {
    const { store, memory, replica, id } = this.#options;
    this.#newest = undefined;
    const seen = memory.seen(replica, id);
    const known = seen === undefined || seen.generation === 0 ? undefined : seen;
    let base: FoundRoot<Chain> | undefined;
    if (known !== undefined) {
      base = await this.#read(known.generation, signal, known.root);
      if (base === undefined) throw rolledBack(this.#place, known.generation);
    }
    const generation = await newestGeneration(
      known?.generation ?? 0,
      async (wanted) => (await store.head(rootKey(this.#folder, wanted), signal)) !== undefined,
    );
    const found = generation === known?.generation ? base : await this.#readIfAny(generation, signal);
    if (found !== undefined && base !== undefined) await this.#checkLinks(base, found, signal);
    if (found !== undefined) this.#note(found, this.isOwn(found));
    this.#newest = found ?? null;
    return found;
  }

  /** Whether this data directory wrote a root. */
  isOwn({ root, hash }: FoundRoot<Chain>): boolean {
    const { memory, replica, id } = this.#options;
    const seen = memory.seen(replica, id);
    return seen !== undefined && (seen.own === hash || (seen.pending ?? []).includes(root.nonce));
  }

  /**
   * Appends a root to the newest one. All that it names must have been acknowledged. `overtaken`: an earlier try of this data directory, whose
   * answer was lost, stands in its place: look at that one and begin again from it.
   * @throws HoldfastError replica-fenced when another gateway wrote; replica-refused for a take-over where put-if-absent does not work;
   * rollback-detected; what the store throws: then it may have been appended or not, which the next `newest` finds out
   */
  async append(
    content: RootContent<Chain>,
    options: { readonly takeOver?: boolean; readonly signal?: AbortSignal } = {},
  ): Promise<{ readonly outcome: "appended" | "overtaken"; readonly found: FoundRoot<Chain> }> {
    if (this.#appending) throw new Error("RootChain.append: one at a time");
    this.#appending = true;
    try {
      const before =
        this.#newest === undefined ? ((await this.newest(options.signal)) ?? null) : this.#newest;
      return await this.#append(content, before ?? undefined, options);
    } finally {
      this.#appending = false;
    }
  }

  async #append(
    content: RootContent<Chain>,
    before: FoundRoot<Chain> | undefined,
    { takeOver = false, signal }: { readonly takeOver?: boolean; readonly signal?: AbortSignal },
  ): Promise<{ readonly outcome: "appended" | "overtaken"; readonly found: FoundRoot<Chain> }> {
    const { store, chain, id, key, memory, replica, writer, now } = this.#options;
    const foreign = before !== undefined && !this.isOwn(before);
    if (foreign && !takeOver) throw fenced(this.#place, before.root);
    if (foreign && !store.conditionalPuts) throw noTakeOver(store.url);
    if (before !== undefined) await this.#confirm(before, signal);
    const nonce = toHex(randomBytes(16));
    // The members of both kinds of roots; `content` has those of this chain's.
    const root = {
      chain,
      id,
      generation: (before?.root.generation ?? 0) + 1,
      previous: before?.hash ?? noPrevious,
      writer,
      fence: (before?.root.fence ?? 0) + (foreign || before === undefined ? 1 : 0),
      nonce,
      time: now().toISOString(),
      features: { read: [] },
      ...content,
    } as unknown as RootOf<Chain>;
    const bytes = encodeRoot(root, key);
    const found = { root, hash: rootHash(bytes), bytes: bytes.length };
    memory.intend(replica, id, nonce);
    // From here on the chain may have moved without our knowing.
    this.#newest = undefined;
    const created = await this.#put(root.generation, bytes, signal);
    const there = created ? found : await this.#read(root.generation, signal);
    if (there === undefined)
      throw unreadableRoot(store.url, root.generation, "it is there and cannot be read");
    const own = this.isOwn(there);
    this.#note(there, own);
    this.#newest = there;
    if (!own) throw fenced(this.#place, there.root);
    return { outcome: there.hash === found.hash ? "appended" : "overtaken", found: there };
  }

  /** Whether it was created, with a proof; false when something may be there otherwise: our own after an answer that was lost, say. */
  async #put(generation: number, bytes: Buffer, signal: AbortSignal | undefined): Promise<boolean> {
    const { store } = this.#options;
    const key = rootKey(this.#folder, generation);
    if (!store.conditionalPuts && (await store.head(key, signal)) !== undefined) return false;
    const source = {
      bytes: bytes.length,
      sha256: createHash("sha256").update(bytes).digest(),
      read: async (offset: number, length: number) => bytes.subarray(offset, offset + length),
    };
    const put = await store.putIfAbsent(key, source, signal === undefined ? {} : { signal });
    return put.outcome === "created" && put.proof !== "unproven" && store.conditionalPuts;
  }

  /** That the root before is still there, as it was: else somebody put an old state of the replica back. */
  async #confirm(before: FoundRoot<Chain>, signal: AbortSignal | undefined): Promise<void> {
    const { store } = this.#options;
    const { generation } = before.root;
    try {
      const bytes = await store.getRange(rootKey(this.#folder, generation), 0, before.bytes, signal);
      if (rootHash(bytes) === before.hash) return;
    } catch (error) {
      if (!isHoldfastError(error, ErrorCode.notFound) && !isHoldfastError(error, ErrorCode.replicaDamaged))
        throw error;
    }
    this.#newest = undefined;
    throw rolledBack(this.#place, generation);
  }

  /** That `found` goes on from `base`, and its fence did not fall. */
  async #checkLinks(
    base: FoundRoot<Chain>,
    found: FoundRoot<Chain>,
    signal: AbortSignal | undefined,
  ): Promise<void> {
    if (found.root.fence < base.root.fence) throw rolledBack(this.#place, found.root.generation);
    if (found.root.generation - base.root.generation > linksMax) return;
    let above = found;
    while (above.root.generation > base.root.generation + 1) {
      const below = await this.#readIfAny(above.root.generation - 1, signal);
      if (below === undefined || below.hash !== above.root.previous || below.root.fence > above.root.fence) {
        throw rolledBack(this.#place, above.root.generation);
      }
      above = below;
    }
    if (above.root.generation > base.root.generation && above.root.previous !== base.hash) {
      throw rolledBack(this.#place, above.root.generation);
    }
  }

  async #readIfAny(
    generation: number,
    signal: AbortSignal | undefined,
  ): Promise<FoundRoot<Chain> | undefined> {
    return generation === 0 ? undefined : this.#read(generation, signal);
  }

  /** Reads and proves a root; where its hash is known and differs, that is a rollback rather than damage. */
  async #read(
    generation: number,
    signal: AbortSignal | undefined,
    hash?: string,
  ): Promise<FoundRoot<Chain> | undefined> {
    const { store, chain, id, key } = this.#options;
    const name = rootKey(this.#folder, generation);
    const size = await store.head(name, signal);
    if (size === undefined) return undefined;
    if (size.bytes > limits.rootBytesMax)
      throw unreadableRoot(store.url, generation, `it has ${size.bytes} bytes`);
    const bytes = await store.getRange(name, 0, size.bytes, signal);
    const found = rootHash(bytes);
    if (hash !== undefined && found !== hash) throw rolledBack(this.#place, generation);
    try {
      const root = parseRoot(bytes, { chain, id, generation }, key) as RootOf<Chain>;
      return { root, hash: found, bytes: bytes.length };
    } catch (error) {
      if (!isHoldfastError(error) || error.code === ErrorCode.unsupported) throw error;
      throw unreadableRoot(store.url, generation, error.message, error);
    }
  }

  #note({ root, hash }: FoundRoot<Chain>, own: boolean): void {
    const { memory, replica, id } = this.#options;
    memory.note(replica, id, { generation: root.generation, root: hash, fence: root.fence }, own);
  }
}
