// Whole-file hashes: a keyed Merkle tree over 1 MiB blocks (docs/format.md section 6.3), in which blocks of zeros cost nothing.
//
// FileHasher takes a file front to back, as data at any boundaries and as runs of zeros. Invariants:
// - `#size` bytes were taken. Up to one block they are only kept (`#head`): whether the file gets the small or the tree form is not
//   known before. The kept pieces are copies, since callers reuse their buffers. Where it is known that the file has no more than
//   one block, they go straight into the HMAC of the small form (`#small`), and nothing below is used.
// - Beyond that every block is fed straight into its leaf's HMAC, without copying. Zeros at the start of a block are only counted
//   (`#blockZeros`), until a byte that is not zero starts the HMAC; so a block of zeros never starts one and is Z.
// - `#subtrees` are the complete subtrees of the leaves so far, largest first with strictly falling levels: the binary digits of the
//   number of leaves. Folding them from the right gives the shape of RFC 6962. A run of n zero blocks adds O(log n) subtrees,
//   because a complete subtree of zeros of any size is Z.
import { isZero } from "./bytes.ts";
import { type HmacEngine, nodeHmacs, type RunningHmac } from "./hmac.ts";
import { limits } from "./limits.ts";
import { Width } from "./magic.ts";

const blockBytes = limits.fileHashBlockBytes;
const zeroHash = Buffer.alloc(Width.id);
const zeroBytes = Buffer.alloc(64 * 1024);

/** The byte that HMAC inputs begin with, by what they hash. */
const Domain = {
  leaf: Buffer.from([0]),
  node: Buffer.from([1]),
  tree: Buffer.from([2]),
  small: Buffer.from([3]),
} as const;

/** The hash of a file of 1 byte to 1 MiB, all of whose bytes are at hand. */
export function hashSmallFile(key: Uint8Array, bytes: Uint8Array, engine = nodeHmacs): Buffer {
  if (bytes.length < 1 || bytes.length > blockBytes)
    throw new RangeError(`not a small file: ${bytes.length} bytes`);
  const hmac = startSmallFile(engine, key);
  hmac.update(bytes);
  return hmac.digest();
}

/** The hash of a file of 1 byte to 1 MiB whose bytes come in pieces: it is the digest once all of them were taken. */
export function startSmallFile(engine: HmacEngine, key: Uint8Array): RunningHmac {
  return engine.start(key, Domain.small);
}

function updateZeros(hmac: RunningHmac, length: number): void {
  for (let rest = length; rest > 0; rest -= zeroBytes.length) {
    hmac.update(rest < zeroBytes.length ? zeroBytes.subarray(0, rest) : zeroBytes);
  }
}

export type FileHasherOptions = {
  /** node:crypto by default. */
  readonly engine?: HmacEngine;
  /** The file is known to have no more bytes. */
  readonly sizeMax?: number;
  /** The file is known to have no fewer bytes; of one that has, the digest is that of no file. */
  readonly sizeMin?: number;
};

type Subtree = { readonly level: number; readonly hash: Buffer };

export class FileHasher {
  readonly #key: Uint8Array;
  readonly #engine: HmacEngine;
  readonly #small: RunningHmac | undefined;
  #size = 0;
  /** Pieces of the first block (a number is a run of zeros) until the file is longer than one. */
  #head: (Buffer | number)[] | undefined = [];
  #subtrees: Subtree[] = [];
  #leaves = 0;
  /** Bytes of the current block, of which the first #blockZeros are zeros while #blockHmac is undefined. */
  #blockLength = 0;
  #blockHmac: RunningHmac | undefined;

  /** `key` is the vault's fileHashKey. It must stay as it is until digest(). */
  constructor(
    key: Uint8Array,
    { engine = nodeHmacs, sizeMax = Number.MAX_SAFE_INTEGER, sizeMin = 0 }: FileHasherOptions = {},
  ) {
    this.#key = key;
    this.#engine = engine;
    this.#small = sizeMax <= blockBytes ? startSmallFile(engine, key) : undefined;
    if (sizeMin > blockBytes) this.#head = undefined;
  }

  /** Takes the next bytes of the file. They may be reused afterwards. `beside`, an HMAC of the same engine, takes them too. */
  update(bytes: Uint8Array, beside?: RunningHmac): void {
    this.#grow(bytes.length);
    if (this.#small !== undefined) this.#take(this.#small, bytes, beside);
    else if (this.#head === undefined) this.#feed(bytes, beside);
    else {
      this.#head.push(Buffer.from(bytes));
      beside?.update(bytes);
    }
  }

  /** Takes `length` bytes of zeros: a hole. */
  skipZeros(length: number): void {
    this.#grow(length);
    if (this.#small !== undefined) updateZeros(this.#small, length);
    else if (this.#head === undefined) this.#feedZeros(length);
    else this.#head.push(length);
  }

  /** The file's hash (32 bytes), or undefined for an empty file. The hasher cannot be used afterwards. */
  digest(): Buffer | undefined {
    if (this.#size === 0) return undefined;
    if (this.#small !== undefined) return this.#small.digest();
    if (this.#head !== undefined) {
      const hmac = startSmallFile(this.#engine, this.#key);
      for (const piece of this.#head)
        typeof piece === "number" ? updateZeros(hmac, piece) : hmac.update(piece);
      return hmac.digest();
    }
    if (this.#blockLength > 0) this.#endBlock();
    const size = Buffer.alloc(8);
    size.writeBigUInt64LE(BigInt(this.#size));
    const root = this.#subtrees.reduceRight<Buffer | undefined>(
      (right, { hash }) => (right === undefined ? hash : this.#node(hash, right)),
      undefined,
    );
    return this.#hmac(Domain.tree, size, root!);
  }

  /** Counts bytes that are coming, and turns to the tree form before the first that go beyond one block. */
  #grow(length: number): void {
    this.#size += length;
    if (!Number.isSafeInteger(this.#size)) throw new RangeError("FileHasher: file of 2^53 bytes or more");
    if (this.#head === undefined || this.#size <= blockBytes) return;
    if (this.#small !== undefined) throw new RangeError("FileHasher: the file is longer than was said");
    const head = this.#head;
    this.#head = undefined;
    for (const piece of head) typeof piece === "number" ? this.#feedZeros(piece) : this.#feed(piece);
  }

  #take(hmac: RunningHmac, bytes: Uint8Array, beside: RunningHmac | undefined): void {
    if (beside === undefined) hmac.update(bytes);
    else this.#engine.both(hmac, beside, bytes);
  }

  #feed(bytes: Uint8Array, beside?: RunningHmac): void {
    for (let at = 0; at < bytes.length; ) {
      const length = Math.min(bytes.length - at, blockBytes - this.#blockLength);
      const part = length === bytes.length ? bytes : bytes.subarray(at, at + length);
      if (this.#blockHmac === undefined && !isZero(part)) {
        this.#blockHmac = this.#engine.start(this.#key, Domain.leaf);
        updateZeros(this.#blockHmac, this.#blockLength);
      }
      if (this.#blockHmac === undefined) beside?.update(part);
      else this.#take(this.#blockHmac, part, beside);
      this.#blockLength += length;
      if (this.#blockLength === blockBytes) this.#endBlock();
      at += length;
    }
  }

  #feedZeros(length: number): void {
    let rest = length;
    if (this.#blockLength > 0) {
      const part = Math.min(rest, blockBytes - this.#blockLength);
      if (this.#blockHmac !== undefined) updateZeros(this.#blockHmac, part);
      this.#blockLength += part;
      rest -= part;
      if (this.#blockLength < blockBytes) return;
      this.#endBlock();
    }
    this.#addZeroLeaves(Math.floor(rest / blockBytes));
    this.#blockLength = rest % blockBytes;
  }

  #endBlock(): void {
    const leaf = this.#blockHmac === undefined ? zeroHash : this.#blockHmac.digest();
    this.#blockHmac = undefined;
    this.#blockLength = 0;
    this.#addSubtree(0, leaf);
  }

  /** Adds zero leaves as the largest complete subtrees that are aligned and fit. */
  #addZeroLeaves(count: number): void {
    for (let rest = count; rest > 0; ) {
      let level = 0;
      let leaves = 1;
      // Numbers of leaves reach 2^33: no bit operations here.
      while (leaves * 2 <= rest && this.#leaves % (leaves * 2) === 0) {
        leaves *= 2;
        level++;
      }
      this.#addSubtree(level, zeroHash);
      rest -= leaves;
    }
  }

  #addSubtree(level: number, hash: Buffer): void {
    this.#leaves += 2 ** level;
    let merged: Subtree = { level, hash };
    for (let last = this.#subtrees.at(-1); last?.level === merged.level; last = this.#subtrees.at(-1)) {
      this.#subtrees.pop();
      merged = { level: merged.level + 1, hash: this.#node(last.hash, merged.hash) };
    }
    this.#subtrees.push(merged);
  }

  #node(left: Buffer, right: Buffer): Buffer {
    if (isZero(left) && isZero(right)) return zeroHash;
    return this.#hmac(Domain.node, left, right);
  }

  #hmac(domain: Buffer, first: Buffer, second: Buffer): Buffer {
    const hmac = this.#engine.start(this.#key, domain);
    hmac.update(first);
    hmac.update(second);
    return hmac.digest();
  }
}
