// SHA-256, by an engine that can be exchanged: this one needs nothing but Node. A gateway hands in one that takes bytes into two hashes
// in the time of one (agent/platform/nativeSha256.ts).
import { createHash } from "node:crypto";

/** A hash that is taking in its message. */
export type RunningSha256 = {
  readonly update: (bytes: Uint8Array) => unknown;
  /** Another one that has taken in the same. */
  readonly copy: () => RunningSha256;
  /** The 32 bytes. Nothing may be called afterwards. */
  readonly digest: () => Buffer;
};

export type Sha256Engine = {
  start(): RunningSha256;
  /** The next bytes of two different hashes that this engine began, as many of one as of the other. */
  both(one: RunningSha256, oneBytes: Uint8Array, other: RunningSha256, otherBytes: Uint8Array): void;
};

/** On node:crypto. */
export const nodeSha256: Sha256Engine = {
  start: () => createHash("sha256"),
  both(one, oneBytes, other, otherBytes) {
    one.update(oneBytes);
    other.update(otherBytes);
  },
};
