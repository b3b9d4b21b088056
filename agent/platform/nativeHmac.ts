// HMAC-SHA-256 on sha256Blocks.ts: a backup hashes every byte twice, for the chunk's id and for the file's hash; a drive proves two chunks at a time.
//
// Stateful; one engine per thread. Invariant: an HMAC whose digest was taken is used again for the next that starts, so nothing is
// allocated per file.

import { createHmac, createSecretKey } from "node:crypto";
import type { HmacEngine, RunningHmac } from "../../vault/hmac.ts";
import { BLOCK_BYTES, DIGEST_BYTES, Sha256Blocks, Sha256State, TAIL } from "./sha256Blocks.ts";

const IPAD = 0x36;
const OPAD = 0x5c;

class NativeHmac extends Sha256State implements RunningHmac {
  outer: Uint32Array = new Uint32Array(8);
  readonly #engine: NativeHmacs;

  constructor(engine: NativeHmacs) {
    super(engine.blocks);
    this.#engine = engine;
  }

  digest(): Buffer {
    this.#end();
    return this.taken();
  }

  isDigest(expected: Uint8Array): boolean {
    this.#end();
    let different = expected.length ^ DIGEST_BYTES;
    for (let i = 0; i < DIGEST_BYTES; i++) different |= (this.bytes[i] as number) ^ (expected[i] ?? 0);
    return different === 0;
  }

  /** Leaves the digest in the first bytes, until the next HMAC begins. */
  #end(): void {
    this.finish(this.length, TAIL);
    this.words.set(this.outer);
    this.finish(BLOCK_BYTES + DIGEST_BYTES);
    this.#engine.free.push(this);
  }
}

type KeyStates = { readonly inner: Uint32Array; readonly outer: Uint32Array };

class NativeHmacs implements HmacEngine {
  readonly free: NativeHmac[] = [];
  readonly blocks = new Sha256Blocks();
  readonly #keys = new Map<Uint8Array, KeyStates>();

  start(key: Uint8Array, first: Uint8Array): NativeHmac {
    const hmac = this.free.pop() ?? new NativeHmac(this);
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

  both(one: NativeHmac, other: NativeHmac, bytes: Uint8Array, otherBytes = bytes): void {
    this.blocks.both(one, bytes, other, otherBytes);
  }

  /** Zero-fills what was derived from keys. */
  close(): void {
    for (const { inner, outer } of this.#keys.values()) {
      inner.fill(0);
      outer.fill(0);
    }
    this.#keys.clear();
    this.blocks.wipe();
    for (const hmac of this.free) hmac.bytes.fill(0);
  }

  #stateOf(hmac: NativeHmac, key: Uint8Array, pad: number): Uint32Array {
    if (key.length > BLOCK_BYTES) throw new RangeError("an HMAC key of more than 64 bytes");
    hmac.begin();
    for (let i = 0; i < BLOCK_BYTES; i++) hmac.bytes[TAIL + i] = pad ^ (key[i] ?? 0);
    this.blocks.hash(hmac.address, hmac.address + TAIL, 1);
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
