// Hashes of files beside the id of their bundle: the same as one by one, for every way in which files lie in it.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { selectEngines } from "../../../agent/platform/engines.ts";
import { FileHashes } from "../../../agent/restore/fileHashes.ts";
import type { FileJob } from "../../../agent/restore/jobs.ts";
import { chunkId, startChunkId } from "../../../vault/chunkId.ts";
import { hashSmallFile } from "../../../vault/fileHash.ts";
import { nodeHmacs } from "../../../vault/hmac.ts";
import { RecordType } from "../../../vault/magic.ts";

const fileHashKey = randomBytes(32);
const idKey = randomBytes(32);
const noRefs = new Uint8Array(0);

test.each(["this process's", "Node's"] as const)("by %s engine", (name) => {
  const engines = selectEngines();
  const engine = name === "Node's" ? nodeHmacs : engines.hmacs;
  try {
    fc.assert(
      fc.property(
        fc.uint8Array({ minLength: 1, maxLength: 4000 }),
        fc.array(fc.record({ offset: fc.nat(4200), size: fc.nat(700) }), { maxLength: 30 }),
        (bytes, places) => {
          const plaintext = Buffer.from(bytes);
          const files = new FileHashes(engine, fileHashKey, places as unknown as FileJob[]);
          const id = startChunkId(engine, idKey, RecordType.data, noRefs);
          files.take(id, plaintext);
          expect(id.digest()).toEqual(chunkId(idKey, RecordType.data, noRefs, plaintext));
          let known = 0;
          for (const [index, { offset, size }] of places.entries()) {
            const hash = files.hashes[index];
            if (hash === undefined) continue;
            known += 1;
            expect(hash).toEqual(hashSmallFile(fileHashKey, plaintext.subarray(offset, offset + size)));
          }
          const first = places.filter(({ offset, size }) => size > 0 && offset + size <= plaintext.length);
          if (first.length > 0) expect(known).toBeGreaterThan(0);
        },
      ),
      { numRuns: 300 },
    );
  } finally {
    engines.close();
  }
});
