// Objects to store: sources of seeded bytes, true ones and ones that go wrong.
import { createHash } from "node:crypto";
import type { ObjectSource } from "../../gateway/replica/replicaStore.ts";

/** The source of these bytes. */
export function sourceOf(bytes: Uint8Array): ObjectSource {
  return {
    bytes: bytes.length,
    sha256: createHash("sha256").update(bytes).digest(),
    read: async (offset, length) => bytes.subarray(offset, offset + length),
  };
}

/** A source whose bytes are not those of its hash: one bit of the byte at `at` is turned. */
export function alteredSource(bytes: Uint8Array, at: number): ObjectSource {
  const altered = Buffer.from(bytes);
  altered[at]! ^= 1;
  return { ...sourceOf(altered), sha256: createHash("sha256").update(bytes).digest() };
}

/** A source that calls `before` ahead of every read. */
export function watchedSource(
  source: ObjectSource,
  before: (offset: number, length: number) => Promise<void> | void,
): ObjectSource {
  return {
    ...source,
    async read(offset, length) {
      await before(offset, length);
      return source.read(offset, length);
    },
  };
}
