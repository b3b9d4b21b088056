// HMAC-SHA-256, by an engine that can be exchanged: this one needs nothing but Node. Backups and drives hand in one that takes bytes
// into two HMACs in the time of one (agent/platform/nativeHmac.ts).
import { createHmac, createSecretKey, type Hmac } from "node:crypto";

/** An HMAC that is taking in its message. */
export type RunningHmac = {
  readonly update: (bytes: Uint8Array) => unknown;
  /** The 32 bytes. Nothing may be called afterwards. */
  readonly digest: () => Buffer;
  /** In place of `digest`: whether it is these 32 bytes. */
  readonly isDigest: (expected: Uint8Array) => boolean;
};

export type HmacEngine = {
  /** Begins an HMAC whose message starts with `first`. */
  start(key: Uint8Array, first: Uint8Array): RunningHmac;
  /** The next bytes of two HMACs that this engine began; `otherBytes`: of the other, where they are not the same. */
  both(one: RunningHmac, other: RunningHmac, bytes: Uint8Array, otherBytes?: Uint8Array): void;
};

class NodeHmac implements RunningHmac {
  readonly #hmac: Hmac;

  constructor(hmac: Hmac) {
    this.#hmac = hmac;
  }

  update(bytes: Uint8Array): void {
    this.#hmac.update(bytes);
  }

  digest(): Buffer {
    return this.#hmac.digest();
  }

  isDigest(expected: Uint8Array): boolean {
    return this.digest().equals(expected);
  }
}

/** On node:crypto. */
export const nodeHmacs: HmacEngine = {
  // Through a KeyObject, which makes small HMACs faster than raw bytes.
  start: (key, first) => new NodeHmac(createHmac("sha256", createSecretKey(key)).update(first)),
  both(one, other, bytes, otherBytes = bytes) {
    one.update(bytes);
    other.update(otherBytes);
  },
};
