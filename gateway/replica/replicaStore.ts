// What a place for replicas must do: a folder, an S3 bucket or another gateway. One conformance suite
// (test/conformance/replicaStore.ts) holds all of them to this.
//
// Guarantees of every store
// - What `putIfAbsent` and `heal` acknowledged is durable there, whole, with the bytes whose SHA-256 the source names. A put that fails or is
//   killed leaves either nothing under the key or the whole object; never a part of it.
// - `putIfAbsent` never changes an object that is there. Of racing puts of one key exactly one is answered "created" (where the
//   store can do that at all: see `conditionalPuts`).
// - Reading after an acknowledged write sees that write.
// - Failures are HoldfastErrors: replica-unreachable (after bounded tries), replica-refused, replica-full, replica-damaged (fewer bytes than
//   were asked for), cancelled (also after close), corrupt (a source whose bytes are not those of its hash; nothing is stored then). What a source
//   throws passes as it is. What is worth another try is tried again inside the store, with growing, spread pauses.
// - Messages and logs never hold credentials.

/** The bytes of an object that is to be stored. `read` may be called more than once for the same range. */
export type ObjectSource = {
  readonly bytes: number;
  /** SHA-256 of all bytes, 32 bytes. */
  readonly sha256: Uint8Array;
  /**
   * `read` hands out the last byte only after all bytes were found to have that hash: whoever reads all in order need not check. What it hands out is
   * the caller's own memory.
   */
  readonly checks?: true;
  /** Exactly `length` bytes from `offset` on. */
  read(offset: number, length: number): Promise<Uint8Array>;
};

/** Gives so many bytes of memory that nobody else uses. */
export type Memory = (bytes: number) => Buffer;

export type StoredObject = { readonly key: string; readonly bytes: number };

export type PutOptions = {
  readonly signal?: AbortSignal;
  /** What an earlier try of this put left behind (`savePart` gave it): parts that are there are not sent again. */
  readonly resume?: string | undefined;
  /** Told what to remember so that a put that is interrupted here can be resumed; undefined when there is nothing any more. */
  readonly savePart?: (resume: string | undefined) => void;
  /** Called before bytes are sent; resolves when so many may go (bandwidth limits). */
  readonly throttle?: (bytes: number) => Promise<void>;
};

/** How far an acknowledged object is proven: `hashed`: the far end compared SHA-256; `checksum`: another checksum; `unproven`: read it back. */
export type PutProof = "hashed" | "checksum" | "unproven";

/** Requests and bytes since the store was opened. `requests` is by the store's own name of the request (PutObject, ...). */
export type StoreUsage = {
  readonly requests: Readonly<Record<string, number>>;
  readonly sentBytes: number;
  readonly receivedBytes: number;
  readonly retries: number;
};

/** What a receipt is asked for. Ids and hashes in hex. */
export type ReceiptRequest = {
  readonly vault: string;
  /** Our id of the replica, 32 hex digits. */
  readonly replica: string;
  /** The committed root that the receipts are to cover: its generation and the SHA-256 of its object. */
  readonly generation: number;
  readonly root: string;
  /** Snapshots that this root's manifest lists, at most 4,096. */
  readonly snapshots: readonly string[];
};

/** What a far end that computes proves by itself: only another gateway does. Stores without it leave both out. */
export interface PeerProofs {
  /**
   * Has the far end look whether every pack of the root is there, hashed since it arrived, and sign that.
   * @returns one receipt (docs/format.md, section 11.5: two lines of text) per snapshot, in their order; signature and fields have been checked
   * @throws HoldfastError replica-damaged when packs are missing or wrong there, or the receipt is not what was asked for;
   *   sequence-conflict when the root is not the newest there
   */
  receipts(asked: ReceiptRequest, signal?: AbortSignal): Promise<string[]>;
  /**
   * HMAC-SHA-256 under `nonce` (32 bytes, used once) of all bytes of each object, computed at the far end; undefined where there is
   * none. At most 64 keys at a time. Compare with answers that were computed here from the bytes: who does not have them cannot answer.
   */
  challenge(
    nonce: Uint8Array,
    keys: readonly string[],
    signal?: AbortSignal,
  ): Promise<readonly (Buffer | undefined)[]>;
}

export interface ReplicaStore extends Partial<PeerProofs> {
  readonly kind: "folder" | "s3" | "peer";
  /** Where it is, for people; without credentials. */
  readonly url: string;
  /** Whether `putIfAbsent` is atomic here: false for stores that overwrite instead. */
  readonly conditionalPuts: boolean;
  /** Stores an object unless there is one with this key. */
  putIfAbsent(
    key: string,
    source: ObjectSource,
    options?: PutOptions,
  ): Promise<{ readonly outcome: "created"; readonly proof: PutProof } | { readonly outcome: "exists" }>;
  /** Puts these bytes there, whatever is there now. Only for content-named objects, with the bytes of their name. */
  heal(key: string, source: ObjectSource, options?: PutOptions): Promise<PutProof>;
  /**
   * Exactly `length` bytes from `offset` on. `memory` may be asked for where they are to come (each try asks anew).
   * @throws HoldfastError not-found; replica-damaged when the object ends before
   */
  getRange(
    key: string,
    offset: number,
    length: number,
    signal?: AbortSignal,
    memory?: Memory,
  ): Promise<Buffer>;
  /** The object's size, or undefined where there is none. */
  head(key: string, signal?: AbortSignal): Promise<{ readonly bytes: number } | undefined>;
  /** All objects whose keys begin with `prefix` (ends with `/` or is empty), in no order. For maintenance and salvage only. */
  list(prefix: string, signal?: AbortSignal): AsyncIterable<StoredObject>;
  /** Deletes an object. `locked`: a retention forbids it for now, which is no failure. */
  delete(key: string): Promise<"deleted" | "absent" | "locked">;
  usage(): StoreUsage;
  /** Ends connections; calls that run are cancelled. */
  close(): Promise<void>;
}
