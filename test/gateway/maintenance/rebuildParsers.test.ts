// What a rebuild reads from files that nobody vouches for: refused with an error of ours, or read right.

import { randomBytes } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { parseRows } from "../../../gateway/maintenance/rebuild/knownRows.ts";
import { parseTail } from "../../../gateway/maintenance/rebuild/packFile.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { PackKind, RecordType } from "../../../vault/magic.ts";
import { encodeFooter } from "../../../vault/pack/footer.ts";
import { encodePackHeader } from "../../../vault/pack/packHeader.ts";
import { encodeTrailer } from "../../../vault/pack/trailer.ts";

/** Runs a parser; undefined where it refused. */
function tried<T>(parse: () => T): T | undefined {
  try {
    return parse();
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

const nonce = randomBytes(16);
const writer = randomBytes(16);
const rows = [96, 700, 1300].map((offset) => ({
  id: randomBytes(32),
  offset,
  length: 500,
  group: 1,
  writer,
  type: RecordType.data,
  hash16: randomBytes(16),
}));
const trailer = encodeTrailer(rows);
const footer = encodeFooter({ kind: PackKind.data, nonce, trailerOffset: 1800, trailer });
const tail = Buffer.concat([encodePackHeader({ kind: PackKind.data, nonce }), trailer, footer]);

test("a pack's tail", () => {
  expect(parseTail(tail)).toMatchObject({
    kind: PackKind.data,
    bytes: 1800 + trailer.length + footer.length,
  });
  fc.assert(
    fc.property(
      fc.nat(tail.length - 1),
      fc.integer({ min: 1, max: 255 }),
      fc.nat(tail.length),
      (at, mask, end) => {
        const changed = Buffer.from(tail);
        changed[at] = (changed[at] as number) ^ mask;
        // Any byte that counts is under a checksum.
        expect(tried(() => parseTail(changed))).toBeUndefined();
        if (end < tail.length) expect(tried(() => parseTail(tail.subarray(0, end)))).toBeUndefined();
      },
    ),
  );
  fc.assert(
    fc.property(
      fc.uint8Array({ maxLength: 400 }),
      (bytes) => void tried(() => parseTail(Buffer.from(bytes))),
    ),
  );
});

const vault = "ab".repeat(16);
const part = { format: "holdfast-vault-catalog", version: 1, vault, changes: 3, items: [], needs: [] };
const answer = {
  part: JSON.stringify(part),
  snapshots: [
    {
      ...{ id: "cd".repeat(32), device: vault, item: vault, group: 1, sequence: 2, keyEpoch: 1 },
      ...{ root: "ce".repeat(32), received: "2026-01-01T00:00:00.000Z", incomplete: false, bytes: 500 },
    },
  ],
  packs: [{ name: "ef".repeat(32), closed: true }],
  places: [{ pack: "ef".repeat(32), replica: vault, listed: true, proof: 2, provenMs: 5 }],
  wrong: [
    {
      file: "7.pack",
      offset: 96,
      need: { group: 1, id: "01".repeat(32), pack: null, offset: 0, length: 0, reporter: vault },
    },
  ],
};

test("rows of an old database", () => {
  const known = parseRows(Buffer.from(JSON.stringify(answer)), vault);
  expect(known.wrong.get("7.pack")).toEqual(new Set([96]));
  expect(known.part.needs).toHaveLength(1);
  expect(known.places[0]?.place).toEqual({ listed: true, proof: "hashed", provenMs: 5 });
  const text = JSON.stringify(answer);
  fc.assert(
    fc.property(fc.nat(text.length - 1), fc.string({ maxLength: 3 }), (at, put) => {
      const changed = text.slice(0, at) + put + text.slice(at + put.length);
      tried(() => parseRows(Buffer.from(changed), vault));
    }),
  );
  fc.assert(
    fc.property(fc.constantFrom(...Object.keys(answer)), fc.jsonValue(), (key, value) => {
      tried(() => parseRows(Buffer.from(JSON.stringify({ ...answer, [key]: value })), vault));
    }),
  );
});
