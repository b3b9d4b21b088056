// Plain SHA-256 on sha256Blocks.ts: a gateway takes what it stores into two hashes, the record's and the pack's.
//
// Stateful; one engine per thread. Invariant: a hash whose digest was taken is used again for the next that starts.

import { hash } from "node:crypto";
import { nodeSha256, type RunningSha256, type Sha256Engine } from "../../vault/sha256.ts";
import { whereNative } from "./select.ts";
import { DIGEST_BYTES, Sha256Blocks, Sha256State } from "./sha256Blocks.ts";

class NativeSha256 extends Sha256State implements RunningSha256 {
  readonly #engine: NativeSha256s;

  constructor(engine: NativeSha256s) {
    super(engine.blocks);
    this.#engine = engine;
  }

  copy(): NativeSha256 {
    const other = this.#engine.start();
    other.become(this);
    return other;
  }

  digest(): Buffer {
    this.finish(this.length);
    const digest = Buffer.from(this.bytes.subarray(0, DIGEST_BYTES));
    this.#engine.free.push(this);
    return digest;
  }
}

class NativeSha256s implements Sha256Engine {
  readonly free: NativeSha256[] = [];
  readonly blocks = new Sha256Blocks();

  start(): NativeSha256 {
    const state = this.free.pop() ?? new NativeSha256(this);
    state.begin();
    return state;
  }

  both(one: NativeSha256, oneBytes: Uint8Array, other: NativeSha256, otherBytes: Uint8Array): void {
    this.blocks.both(one, oneBytes, other, otherBytes);
  }
}

/** An engine for this thread. Throws where this Node does not offer the functions, or they do not do what they did. */
export function createNativeSha256(): Sha256Engine {
  const engine = new NativeSha256s();
  const bytes = Uint8Array.from({ length: 1000 }, (_, i) => i * i);
  const [long, short] = [engine.start(), engine.start()];
  long.update(bytes.subarray(0, 23));
  engine.both(long, bytes.subarray(23), short, bytes.subarray(0, 977));
  const copied = short.copy();
  const right = [long, short, copied].map((each) => each.digest().toString("hex"));
  const expected = [bytes, bytes.subarray(0, 977), bytes.subarray(0, 977)].map((each) =>
    hash("sha256", each),
  );
  if (right.join() !== expected.join()) throw new Error("the process's SHA-256 does not work as expected");
  return engine;
}

/** The fastest that this process has. They differ in speed only, so a missing one is no error. */
export function selectSha256(): Sha256Engine {
  return whereNative(createNativeSha256) ?? nodeSha256;
}
