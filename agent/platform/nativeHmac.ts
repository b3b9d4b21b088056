// HMAC-SHA-256 on the block functions of the OpenSSL that Node carries. Where the processor has instructions for SHA-256, one
// hash leaves them idle half of the time, waiting for its own last result; OpenSSL can run two beside each other in the time of one,
// and a backup hashes every byte twice: for the chunk's id and for the file's hash.
//
// The functions are internal ones of OpenSSL, so an engine proves itself against node:crypto before it is used.
//
// Stateful; one engine per thread. Invariants of an HMAC: its words are the inner hash after the whole
// blocks that were taken, the key's among them; the tail holds the `length % 64` bytes after them. An HMAC whose digest was taken is used
// again for the next that starts, so nothing is allocated per file.

import { createHmac, createSecretKey } from "node:crypto";
import type { HmacEngine, RunningHmac } from "../../vault/hmac.ts";
import { addressIn, allocateBlock, type Block, bindProcess, processText } from "./libc.ts";

const BLOCK_BYTES = 64;
const DIGEST_BYTES = 32;
const WORDS = 8;
/** An HMAC's memory: the state, then from here on the tail and room for padding. */
const TAIL = 64;
const HMAC_BYTES = TAIL + 2 * BLOCK_BYTES;
const IPAD = 0x36;
const OPAD = 0x5c;
const initial = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const blockFunction = { sha256_block_data_order: ["void", "uintptr_t", "uintptr_t", "int64"] } as const;
const pairFunction = { sha256_multi_block: ["void", "uintptr_t", "uintptr_t", "int"] } as const;
/** OPENSSL_INFO_CPU_SETTINGS; bit 29 of the second number says that there are SHA instructions. */
const CPU_SETTINGS = 1008;
const SHA_BIT = 29n;

type HashBlocks = (state: number, bytes: number, blocks: number) => void;

/** Both block functions of this process; without the pair where it is not there or would gain nothing. */
function bindHash(): {
  one: HashBlocks;
  pair: ((states: number, inputs: number, quads: number) => void) | undefined;
} {
  const one = bindProcess(blockFunction).sha256_block_data_order;
  const cpu =
    process.arch === "x64"
      ? /=0x[0-9a-f]+:(0x[0-9a-f]+)/.exec(processText("OPENSSL_info", CPU_SETTINGS))
      : null;
  const hasSha = cpu !== null && ((BigInt(cpu[1] as string) >> SHA_BIT) & 1n) === 1n;
  return { one, pair: hasSha ? bindProcess(pairFunction).sha256_multi_block : undefined };
}

class NativeHmac implements RunningHmac {
  readonly words: Uint32Array;
  readonly bytes: Buffer;
  readonly address: number;
  length = 0;
  outer: Uint32Array = new Uint32Array(WORDS);
  readonly #engine: NativeHmacs;

  constructor(engine: NativeHmacs, block: Block) {
    this.#engine = engine;
    this.bytes = block.bytes;
    this.words = new Uint32Array(block.bytes.buffer, block.bytes.byteOffset, WORDS);
    this.address = block.address;
  }

  update(bytes: Uint8Array): void {
    const start = this.fill(bytes);
    const blocks = (bytes.length - start) >>> 6;
    if (blocks > 0) this.#engine.hash(this.address, addressIn(bytes) + start, blocks);
    this.keep(bytes, start, blocks);
  }

  /** Completes a tail that was begun, as far as the bytes go; returns how many of them it took. */
  fill(bytes: Uint8Array): number {
    const kept = this.length % BLOCK_BYTES;
    if (kept === 0) return 0;
    const taken = Math.min(BLOCK_BYTES - kept, bytes.length);
    for (let i = 0; i < taken; i++) this.bytes[TAIL + kept + i] = bytes[i] as number;
    this.length += taken;
    if (kept + taken === BLOCK_BYTES) this.#engine.hash(this.address, this.address + TAIL, 1);
    return taken;
  }

  /** Counts blocks from `start` on that were hashed, and keeps what lies behind them. */
  keep(bytes: Uint8Array, start: number, blocks: number): void {
    const end = start + blocks * BLOCK_BYTES;
    for (let i = end; i < bytes.length; i++) this.bytes[TAIL + i - end] = bytes[i] as number;
    this.length += bytes.length - start;
  }

  digest(): Buffer {
    this.#finish(this.length);
    this.#swap();
    const inner = this.bytes;
    inner.copy(inner, TAIL, 0, DIGEST_BYTES);
    this.words.set(this.outer);
    this.#finish(BLOCK_BYTES + DIGEST_BYTES);
    this.#swap();
    // Memory of its own: a view of Node's pool would take all of the pool along to another thread.
    const digest = Buffer.allocUnsafeSlow(DIGEST_BYTES);
    this.bytes.copy(digest, 0, 0, DIGEST_BYTES);
    this.#engine.free.push(this);
    return digest;
  }

  /** Pads the tail of a message of `length` bytes and hashes it. */
  #finish(length: number): void {
    const { bytes } = this;
    const kept = length % BLOCK_BYTES;
    const blocks = kept + 9 > BLOCK_BYTES ? 2 : 1;
    const end = TAIL + blocks * BLOCK_BYTES;
    bytes[TAIL + kept] = 0x80;
    bytes.fill(0, TAIL + kept + 1, end - 8);
    bytes.writeUInt32BE(Math.floor(length / 2 ** 29), end - 8);
    bytes.writeUInt32BE((length * 8) >>> 0, end - 4);
    this.#engine.hash(this.address, this.address + TAIL, blocks);
  }

  /** From the words of the state to the bytes of a digest. */
  #swap(): void {
    for (let i = 0; i < WORDS; i++) this.bytes.writeUInt32BE(this.words[i] as number, i * 4);
  }
}

type KeyStates = { readonly inner: Uint32Array; readonly outer: Uint32Array };

class NativeHmacs implements HmacEngine {
  readonly free: NativeHmac[] = [];
  readonly hash: HashBlocks;
  readonly #pair: ReturnType<typeof bindHash>["pair"];
  readonly #keys = new Map<Uint8Array, KeyStates>();
  // Two hashes of four: word i of hash k is at i * 8 + k; aligned as OpenSSL does.
  readonly #states: Uint32Array;
  readonly #statesAddress: number;
  /** Of each of the four: u64 address ‖ i32 blocks ‖ 4 unused. */
  readonly #inputs = allocateBlock(64);

  constructor() {
    const { one, pair } = bindHash();
    this.hash = one;
    this.#pair = pair;
    const memory = allocateBlock(WORDS * 32 + 32);
    const aligned = (32 - (memory.address % 32)) % 32;
    this.#states = new Uint32Array(memory.bytes.buffer, aligned, WORDS * 8);
    this.#statesAddress = memory.address + aligned;
  }

  start(key: Uint8Array, first: Uint8Array): NativeHmac {
    const hmac = this.free.pop() ?? new NativeHmac(this, allocateBlock(HMAC_BYTES));
    let states = this.#keys.get(key);
    if (states === undefined) {
      states = { inner: this.#stateOf(hmac, key, IPAD), outer: this.#stateOf(hmac, key, OPAD) };
      this.#keys.set(key, states);
    }
    hmac.words.set(states.inner);
    hmac.outer = states.outer;
    hmac.length = BLOCK_BYTES;
    hmac.update(first);
    return hmac;
  }

  both(one: NativeHmac, other: NativeHmac, bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    if (this.#pair === undefined) {
      one.update(bytes);
      other.update(bytes);
      return;
    }
    const start = one.fill(bytes);
    const otherStart = other.fill(bytes);
    const blocks = (bytes.length - start) >>> 6;
    const otherBlocks = (bytes.length - otherStart) >>> 6;
    const address = addressIn(bytes);
    const together = Math.min(blocks, otherBlocks);
    if (together > 0) this.#hashPair(one, address + start, other, address + otherStart, together);
    const done = together * BLOCK_BYTES;
    if (blocks > together) this.hash(one.address, address + start + done, blocks - together);
    if (otherBlocks > together) {
      this.hash(other.address, address + otherStart + done, otherBlocks - together);
    }
    one.keep(bytes, start, blocks);
    other.keep(bytes, otherStart, otherBlocks);
  }

  /** Zero-fills what was derived from keys. */
  close(): void {
    for (const { inner, outer } of this.#keys.values()) {
      inner.fill(0);
      outer.fill(0);
    }
    this.#keys.clear();
    this.#states.fill(0);
    for (const hmac of this.free) hmac.bytes.fill(0);
  }

  #hashPair(one: NativeHmac, from: number, other: NativeHmac, otherFrom: number, blocks: number): void {
    const states = this.#states;
    const { view, address } = this.#inputs;
    for (let i = 0; i < WORDS; i++) {
      states[i * 8] = one.words[i] as number;
      states[i * 8 + 1] = other.words[i] as number;
    }
    view.setUint32(0, from >>> 0, true);
    view.setUint32(4, Math.floor(from / 2 ** 32), true);
    view.setInt32(8, blocks, true);
    view.setUint32(16, otherFrom >>> 0, true);
    view.setUint32(20, Math.floor(otherFrom / 2 ** 32), true);
    view.setInt32(24, blocks, true);
    this.#pair?.(this.#statesAddress, address, 1);
    for (let i = 0; i < WORDS; i++) {
      one.words[i] = states[i * 8] as number;
      other.words[i] = states[i * 8 + 1] as number;
    }
  }

  #stateOf(hmac: NativeHmac, key: Uint8Array, pad: number): Uint32Array {
    if (key.length > BLOCK_BYTES) throw new RangeError("an HMAC key of more than 64 bytes");
    for (let i = 0; i < BLOCK_BYTES; i++) hmac.bytes[TAIL + i] = pad ^ (key[i] ?? 0);
    hmac.words.set(initial);
    this.hash(hmac.address, hmac.address + TAIL, 1);
    hmac.bytes.fill(0, TAIL, TAIL + BLOCK_BYTES);
    return Uint32Array.from(hmac.words);
  }
}

export type NativeHmacEngine = HmacEngine & { readonly close: () => void };

/** An engine for this thread. Throws where this Node does not offer the functions, or they do not do what they did. */
export function createNativeHmacs(): NativeHmacEngine {
  const engine = new NativeHmacs();
  const key = Buffer.from("a key of no account, 32 bytes it", "latin1");
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * i);
  const expected = (prefix: Uint8Array): Buffer =>
    createHmac("sha256", createSecretKey(key)).update(prefix).update(bytes).digest();
  const [short, long] = [bytes.subarray(0, 1), bytes.subarray(0, 23)];
  const one = engine.start(key, short);
  const other = engine.start(key, long);
  engine.both(one, other, bytes);
  if (!one.digest().equals(expected(short)) || !other.digest().equals(expected(long))) {
    throw new Error("the process's SHA-256 does not work as expected");
  }
  return engine;
}
