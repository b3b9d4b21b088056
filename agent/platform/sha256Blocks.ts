// SHA-256 on the block functions of the OpenSSL that Node carries. Where the processor has instructions for SHA-256, one hash leaves
// them idle half of the time, waiting for its own last result; OpenSSL can run two beside each other in the time of one.
//
// The functions are internal ones of OpenSSL, so what is built on them proves itself against node:crypto before it is used.
//
// Stateful; one of these per thread. Invariant of a state: its words are the hash after the whole blocks that were taken; the tail holds
// the `length % 64` bytes after them.

import { addressIn, allocateBlock, type Block, bindProcess, processText } from "./libc.ts";

export const BLOCK_BYTES = 64;
export const DIGEST_BYTES = 32;
const WORDS = 8;
/** A state's memory: the words, then from here on the tail and room for padding. */
export const TAIL = 64;
const STATE_BYTES = TAIL + 2 * BLOCK_BYTES;
const initial = [
  0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19,
];

const blockFunction = { sha256_block_data_order: ["void", "uintptr_t", "uintptr_t", "int64"] } as const;
const pairFunction = { sha256_multi_block: ["void", "uintptr_t", "uintptr_t", "int"] } as const;
/** OPENSSL_INFO_CPU_SETTINGS; bit 29 of the second number says that there are SHA instructions. */
const CPU_SETTINGS = 1008;
const SHA_BIT = 29n;

type HashBlocks = (state: number, bytes: number, blocks: number) => void;
type HashPair = (states: number, inputs: number, quads: number) => void;

/** Both block functions of this process; without the pair where it is not there or would gain nothing. */
function bindHash(): { one: HashBlocks; pair: HashPair | undefined } {
  const one = bindProcess(blockFunction).sha256_block_data_order;
  const cpu =
    process.arch === "x64"
      ? /=0x[0-9a-f]+:(0x[0-9a-f]+)/.exec(processText("OPENSSL_info", CPU_SETTINGS))
      : null;
  const hasSha = cpu !== null && ((BigInt(cpu[1] as string) >> SHA_BIT) & 1n) === 1n;
  return { one, pair: hasSha ? bindProcess(pairFunction).sha256_multi_block : undefined };
}

/** One hash that is taking in its message. */
export class Sha256State {
  readonly words: Uint32Array;
  readonly bytes: Buffer;
  readonly #view: DataView;
  readonly address: number;
  length = 0;
  readonly #blocks: Sha256Blocks;

  constructor(blocks: Sha256Blocks, block: Block = allocateBlock(STATE_BYTES)) {
    this.#blocks = blocks;
    this.bytes = block.bytes;
    this.#view = block.view;
    this.words = new Uint32Array(block.bytes.buffer, block.bytes.byteOffset, WORDS);
    this.address = block.address;
  }

  /** Begins a message. */
  begin(): void {
    this.words.set(initial);
    this.length = 0;
  }

  /** Takes over what another one has taken in. */
  become(other: Sha256State): void {
    this.bytes.set(other.bytes);
    this.length = other.length;
  }

  update(bytes: Uint8Array): void {
    const start = this.fill(bytes);
    const blocks = (bytes.length - start) >>> 6;
    if (blocks > 0) this.#blocks.hash(this.address, addressIn(bytes) + start, blocks);
    this.keep(bytes, start, blocks);
  }

  /** Completes a tail that was begun, as far as the bytes go; returns how many of them it took. */
  fill(bytes: Uint8Array): number {
    const kept = this.length % BLOCK_BYTES;
    if (kept === 0) return 0;
    const taken = Math.min(BLOCK_BYTES - kept, bytes.length);
    for (let i = 0; i < taken; i++) this.bytes[TAIL + kept + i] = bytes[i] as number;
    this.length += taken;
    if (kept + taken === BLOCK_BYTES) this.#blocks.hash(this.address, this.address + TAIL, 1);
    return taken;
  }

  /** Counts blocks from `start` on that were hashed, and keeps what lies behind them. */
  keep(bytes: Uint8Array, start: number, blocks: number): void {
    const end = start + blocks * BLOCK_BYTES;
    for (let i = end; i < bytes.length; i++) this.bytes[TAIL + i - end] = bytes[i] as number;
    this.length += bytes.length - start;
  }

  /** Pads the tail of a message of `length` bytes, hashes it, and turns the words into the bytes of a digest, at `to`. */
  finish(length: number, to = 0): void {
    const { bytes, words } = this;
    const view = this.#view;
    const kept = length % BLOCK_BYTES;
    const blocks = kept + 9 > BLOCK_BYTES ? 2 : 1;
    const end = TAIL + blocks * BLOCK_BYTES;
    bytes[TAIL + kept] = 0x80;
    bytes.fill(0, TAIL + kept + 1, end - 8);
    view.setUint32(end - 8, Math.floor(length / 2 ** 29));
    view.setUint32(end - 4, length * 8);
    this.#blocks.hash(this.address, this.address + TAIL, blocks);
    for (let i = 0; i < WORDS; i++) view.setUint32(to + i * 4, words[i] as number);
  }

  /** The digest that `finish` left, in memory of its own: a view of Node's pool would take all of the pool along to another thread. */
  taken(): Buffer {
    const digest = Buffer.allocUnsafeSlow(DIGEST_BYTES);
    this.bytes.copy(digest, 0, 0, DIGEST_BYTES);
    return digest;
  }
}

export class Sha256Blocks {
  readonly hash: HashBlocks;
  readonly #pair: HashPair | undefined;
  // Two hashes of four: word i of hash k is at i * 8 + k; aligned as OpenSSL does.
  readonly #states: Uint32Array;
  readonly #statesAddress: number;
  /** Of each of the four: u64 address ‖ i32 blocks ‖ 4 unused. */
  readonly #inputs = allocateBlock(64);

  /** Throws where this Node does not offer the functions. */
  constructor() {
    const { one, pair } = bindHash();
    this.hash = one;
    this.#pair = pair;
    const memory = allocateBlock(WORDS * 32 + 32);
    const aligned = (32 - (memory.address % 32)) % 32;
    this.#states = new Uint32Array(memory.bytes.buffer, aligned, WORDS * 8);
    this.#statesAddress = memory.address + aligned;
  }

  /** The next bytes of two different messages; those that both have go beside each other. */
  both(one: Sha256State, oneBytes: Uint8Array, other: Sha256State, otherBytes: Uint8Array): void {
    if (this.#pair === undefined || oneBytes.length === 0 || otherBytes.length === 0) {
      one.update(oneBytes);
      other.update(otherBytes);
      return;
    }
    const start = one.fill(oneBytes);
    const otherStart = other.fill(otherBytes);
    const blocks = (oneBytes.length - start) >>> 6;
    const otherBlocks = (otherBytes.length - otherStart) >>> 6;
    const address = addressIn(oneBytes) + start;
    const otherAddress =
      oneBytes === otherBytes ? address - start + otherStart : addressIn(otherBytes) + otherStart;
    const together = Math.min(blocks, otherBlocks);
    if (together > 0) this.#hashPair(one, address, other, otherAddress, together);
    const done = together * BLOCK_BYTES;
    if (blocks > together) this.hash(one.address, address + done, blocks - together);
    if (otherBlocks > together) this.hash(other.address, otherAddress + done, otherBlocks - together);
    one.keep(oneBytes, start, blocks);
    other.keep(otherBytes, otherStart, otherBlocks);
  }

  /** Zero-fills what is left of states. */
  wipe(): void {
    this.#states.fill(0);
  }

  #hashPair(one: Sha256State, from: number, other: Sha256State, otherFrom: number, blocks: number): void {
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
}
