// Copies of one vault's packs in replicas: which there are, reading them, proving them, and what is done about wrong ones.
//
// Invariants
// - A copy that was found wrong is reported once and no longer counts as kept elsewhere. The last known copy of an evicted pack
//   stays in the table, unproven: what is right in it can still be read.
// - A copy counts as proven only after all its bytes were hashed since it was put there, here or, under a challenge, at the far end.

import { createHash, createHmac, randomBytes, timingSafeEqual } from "node:crypto";
import type { RateLimiter } from "../../ingest/line/rateLimiter.ts";
import { asBuffer, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import type { PackPlaces } from "../index/packPlaces.ts";
import type { PackRow, PackTable } from "../index/packTable.ts";
import { packKey } from "../replica/keys.ts";
import type { Memory, ReplicaStore } from "../replica/replicaStore.ts";
import { BlockMemory } from "./blockMemory.ts";
import { isOutage, type ReplicaStores } from "./replicaStores.ts";

export type PackCopiesOptions = {
  /** 32 hex digits. */
  readonly vault: string;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly stores: ReplicaStores;
  readonly now: () => Date;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
  /** How long a replica may take for a range, besides the time of its bytes, milliseconds; one minute by default. */
  readonly patienceMs?: number;
};

const patienceMsDefault = 60_000;
/** A range that comes more slowly than this is given up: stores try for a quarter of an hour, and somebody waits at a drive. */
const bytesPerSecondMin = 32 * 1024;

const answerKeptMs = 30_000;

/** Bytes that one request for a whole pack brings. */
const pieceBytes = 4 * 2 ** 20;

/** Failures that say that an object is not what it should be. */
export function isWrongCopy(error: unknown): error is HoldfastError {
  return (
    isHoldfastError(error, ErrorCode.replicaDamaged) ||
    isHoldfastError(error, ErrorCode.notFound) ||
    isHoldfastError(error, ErrorCode.corrupt)
  );
}

export class PackCopies {
  readonly #options: PackCopiesOptions;
  readonly #reported = new Set<string>();
  /** When a replica said last that it has a pack, milliseconds since 1970. */
  readonly #answeredMs = new Map<string, number>();

  constructor(options: PackCopiesOptions) {
    this.#options = options;
  }

  /** Replicas (32 hex digits) that have a pack, those that proved it best first. */
  of(pack: PackRow): string[] {
    return this.#options.places
      .of(pack.ordinal)
      .sort((a, b) => b.place.provenMs - a.place.provenMs)
      .map(({ replica }) => replica);
  }

  /** Whether a replica is still this gateway's: what is noted of one that was removed counts for nothing. */
  isKnown(replica: string): boolean {
    return this.#options.stores.isKnown(replica);
  }

  /** What a replica is called. */
  nameOf(replica: string): string {
    return this.#options.stores.nameOf(replica);
  }

  /** Exactly `length` bytes of a copy, in `memory` where the store can. @throws HoldfastError replica-unreachable, replica-refused, replica-damaged, not-found, cancelled */
  async read(
    pack: PackRow,
    replica: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Memory,
  ): Promise<Buffer> {
    const { stores, vault, patienceMs = patienceMsDefault } = this.#options;
    const limitMs = Math.ceil(patienceMs + (length * 1000) / bytesPerSecondMin);
    const bytes = await stores.use(replica, async (store) => {
      const limit = AbortSignal.timeout(limitMs);
      const either = signal === undefined ? limit : AbortSignal.any([limit, signal]);
      try {
        return await store.getRange(packKey(vault, nameOf(pack)), offset, length, either, memory);
      } catch (error) {
        if (!limit.aborted || signal?.aborted) throw error;
        throw new HoldfastError(
          ErrorCode.replicaUnreachable,
          `the replica gave no answer in ${Math.ceil(limitMs / 1000)} s`,
          { next: "Check the network and the other end.", cause: error },
        );
      }
    });
    if (bytes.length !== length)
      throw new HoldfastError(ErrorCode.replicaDamaged, "the replica sent fewer bytes than were asked for");
    return bytes;
  }

  /**
   * Sees to it that a replica is there, before its proof from some days ago is relied on: it is asked for the pack, unless it answered within the last
   * half minute. One that does not have it no longer counts.
   * @throws HoldfastError replica-unreachable, replica-refused, not-found, replica-damaged, cancelled
   */
  async answers(pack: PackRow, replica: string, signal?: AbortSignal): Promise<void> {
    const { stores, vault, now } = this.#options;
    const nowMs = now().getTime();
    if (Math.abs(nowMs - (this.#answeredMs.get(replica) ?? Number.NEGATIVE_INFINITY)) < answerKeptMs) return;
    const key = packKey(vault, nameOf(pack));
    const found = await stores.use(replica, (store) => store.head(key, signal));
    if (found?.bytes !== pack.bytes) {
      const how = found === undefined ? "is not in the replica" : "has another length in the replica";
      const error = new HoldfastError(ErrorCode.replicaDamaged, `pack ${toHex(nameOf(pack))} ${how}`);
      this.wrong(pack, replica, error);
      throw error;
    }
    this.#answeredMs.set(replica, nowMs);
  }

  /**
   * Reads all of a copy in order and compares it with the pack's name. `take` gets the pieces before that is known; each is its own until it resolves.
   * @throws HoldfastError as read; replica-damaged when the bytes are others
   */
  async readWhole(
    pack: PackRow,
    replica: string,
    take: (piece: Buffer, offset: number) => Promise<void> | void,
    signal?: AbortSignal,
    limiter?: RateLimiter,
  ): Promise<void> {
    const hash = createHash("sha256");
    const memory = new BlockMemory();
    let next: Promise<Buffer> | undefined;
    const ask = (offset: number): Promise<Buffer> | undefined => {
      if (offset >= pack.bytes) return undefined;
      const length = Math.min(limiter?.pieceBytes(pieceBytes) ?? pieceBytes, pack.bytes - offset);
      const go = limiter?.take(length, signal) ?? Promise.resolve();
      const asked = go.then(() => this.read(pack, replica, offset, length, signal, memory.take));
      asked.catch(() => undefined);
      return asked;
    };
    next = ask(0);
    for (let offset = 0; next !== undefined; ) {
      const piece = await next;
      signal?.throwIfAborted();
      next = ask(offset + piece.length);
      hash.update(piece);
      await take(piece, offset);
      offset += piece.length;
      memory.give(piece);
    }
    memory.trim(0);
    if (hash.digest().equals(nameOf(pack))) return;
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      `pack ${toHex(nameOf(pack))} in replica ${this.nameOf(replica)} has other bytes than its name says`,
    );
  }

  /**
   * Proves a copy now and notes it. `local` gives bytes of the pack from this disk, for a challenge.
   * @throws HoldfastError as readWhole, a wrong copy was reported then; chunk-damaged when the local bytes are wrong
   */
  async prove(pack: PackRow, replica: string, local: LocalBytes, signal?: AbortSignal): Promise<void> {
    const { stores, vault, places, now } = this.#options;
    const provenMs = now().getTime();
    try {
      const asked = await stores.use(replica, (store) => challenged(store, vault, pack, local, signal));
      if (asked === undefined) await this.readWhole(pack, replica, () => undefined, signal);
      else if (!asked) {
        throw new HoldfastError(
          ErrorCode.replicaDamaged,
          `replica ${this.nameOf(replica)} does not know the bytes of pack ${toHex(nameOf(pack))}`,
        );
      }
    } catch (error) {
      if (isWrongCopy(error)) this.wrong(pack, replica, error);
      throw error;
    }
    places.hashed(pack.ordinal, replica, provenMs);
  }

  /** A copy was found missing or wrong. */
  wrong(pack: PackRow, replica: string, error: HoldfastError): void {
    const { places, packs, report } = this.#options;
    const evicted = packs.get(pack.ordinal)?.state === "evicted";
    const last = places.of(pack.ordinal).every((other) => other.replica === replica);
    const place = places.get(pack.ordinal, replica);
    places.clear(replica, pack.ordinal);
    if (evicted && last && place !== undefined)
      places.put(pack.ordinal, replica, { listed: place.listed, proof: "none", provenMs: 0 });
    const key = `${pack.ordinal} ${replica}`;
    if (this.#reported.has(key)) return;
    if (this.#reported.size >= reportedMax) this.#reported.clear();
    this.#reported.add(key);
    report("replica-copy-wrong", {
      pack: toHex(nameOf(pack)),
      replica: this.nameOf(replica),
      code: error.code,
      why: error.message,
      onlyCopy: evicted && last,
    });
  }

  /**
   * Runs `work` with one copy after the other until it succeeds. Wrong copies are reported.
   * @throws HoldfastError an outage when there was one; else replica-damaged; what else `work` throws at once
   */
  async first<T>(pack: PackRow, work: (replica: string) => Promise<T>): Promise<T> {
    let outage: HoldfastError | undefined;
    let wrong: HoldfastError | undefined;
    for (const replica of this.of(pack)) {
      try {
        return await work(replica);
      } catch (error) {
        if (isOutage(error)) outage ??= error;
        else if (isWrongCopy(error)) {
          wrong ??= error;
          this.wrong(pack, replica, error);
        } else throw error;
      }
    }
    if (outage !== undefined) throw outage;
    throw new HoldfastError(
      ErrorCode.replicaDamaged,
      `no replica holds pack ${toHex(nameOf(pack))} as it should be`,
      { detail: { pack: toHex(nameOf(pack)) }, ...(wrong !== undefined && { cause: wrong }) },
    );
  }
}

const reportedMax = 10_000;

/** Hands out the bytes of a pack in order. */
export type LocalBytes = () => AsyncIterable<Uint8Array>;

/** Whether a store that can hash objects itself answers a challenge rightly; undefined where it cannot. */
async function challenged(
  store: ReplicaStore,
  vault: string,
  pack: PackRow,
  local: LocalBytes,
  signal: AbortSignal | undefined,
): Promise<boolean | undefined> {
  if (store.challenge === undefined) return undefined;
  const nonce = randomBytes(32);
  const hmac = createHmac("sha256", nonce);
  const hash = createHash("sha256");
  for await (const piece of local()) {
    hmac.update(piece);
    hash.update(piece);
  }
  // The far end must not be blamed for what is wrong here.
  if (!hash.digest().equals(nameOf(pack))) {
    throw new HoldfastError(
      ErrorCode.chunkDamaged,
      `the local file of pack ${toHex(nameOf(pack))} is damaged`,
    );
  }
  const [answer] = await store.challenge(nonce, [packKey(vault, nameOf(pack))], signal);
  const wanted = hmac.digest();
  return answer?.length === wanted.length && timingSafeEqual(answer, wanted);
}

function nameOf({ name }: PackRow): Buffer {
  if (name === undefined) throw new Error("an open pack is in no replica");
  return asBuffer(name);
}
