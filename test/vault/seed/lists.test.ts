import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "../../../vault/bytes.ts";
import { nextCustodyLine, parseCustody } from "../../../vault/seed/custody.ts";
import { readPackList } from "../../../vault/seed/packList.ts";
import { readSnapshotList } from "../../../vault/seed/snapshotList.ts";
import { mutated, outcome, outcomeAsync } from "../sampleVault.ts";
import { inPieces, packListBytes, packs, snapshotListBytes, snapshots } from "./sampleSeed.ts";

const readPacks = (bytes: Uint8Array, pieceBytes = 1000) =>
  Array.fromAsync(readPackList(inPieces(bytes, pieceBytes)));
const readSnapshots = (bytes: Uint8Array, pieceBytes = 1000) =>
  Array.fromAsync(readSnapshotList(inPieces(bytes, pieceBytes)));

test.each([1, 7, 48, 5000])("lists are read in pieces of %d bytes", async (pieceBytes) => {
  expect(await readPacks(packListBytes(), pieceBytes)).toEqual(packs);
  expect(await readSnapshots(snapshotListBytes(), pieceBytes)).toEqual(snapshots);
  expect(await readPacks(packListBytes([]), pieceBytes)).toEqual([]);
});

test.each<[string, Buffer, string]>([
  ["data packs behind metadata packs", packListBytes(packs.toReversed()), "corrupt"],
  ["a pack that is too long", packListBytes([{ ...packs[0]!, bytes: 2 ** 40 }]), "limit-exceeded"],
  ["a list cut short", packListBytes().subarray(0, -1), "truncated"],
  ["a row too many", Buffer.concat([packListBytes(), Buffer.alloc(48)]), "corrupt"],
  ["a byte too many", Buffer.concat([packListBytes(), Buffer.alloc(1)]), "corrupt"],
  ["another type", snapshotListBytes(), "corrupt"],
  ["nothing", Buffer.alloc(0), "truncated"],
])("refuses %s", async (_, bytes, code) => {
  expect(await outcomeAsync(readPacks(bytes))).toBe(code);
});

test("a snapshot that states too many bytes is refused before they come", async () => {
  const bytes = snapshotListBytes();
  bytes.writeUInt32LE(2 ** 31, 32);
  expect(await outcomeAsync(readSnapshots(bytes.subarray(0, 40)))).toBe("limit-exceeded");
  expect(await outcomeAsync(readSnapshots(snapshotListBytes().subarray(0, -1)))).toBe("truncated");
});

test("fuzz: any bytes are what they are, or refused", async () => {
  await fc.assert(
    fc.asyncProperty(mutated(packListBytes()), async (bytes) => {
      if ((await outcomeAsync(readPacks(bytes))) === "ok") {
        expect(packListBytes(await readPacks(bytes))).toEqual(bytes);
      }
    }),
  );
  await fc.assert(
    fc.asyncProperty(mutated(snapshotListBytes()), async (bytes) => {
      if ((await outcomeAsync(readSnapshots(bytes))) === "ok") {
        expect(snapshotListBytes(await readSnapshots(bytes))).toEqual(bytes);
      }
    }),
  );
});

function custody(lines: number): Buffer {
  let log = Buffer.alloc(0);
  for (let n = 0; n < lines; n++) {
    const entry = { time: "2026-11-25T10:00:00Z", event: "note", by: "anna", note: `note ${n}` } as const;
    log = Buffer.concat([log, nextCustodyLine(parseCustody(log), entry)]);
  }
  return log;
}

test("a custody log is chained; a torn last line is passed over", () => {
  const log = custody(3);
  const read = parseCustody(log);
  expect(read.entries.map(({ n, note }) => [n, note])).toEqual([
    [1, "note 0"],
    [2, "note 1"],
    [3, "note 2"],
  ]);
  expect(parseCustody(log.subarray(0, -1))).toEqual(parseCustody(custody(2)));
  const lines = log.toString().split("\n");
  expect(outcome(() => parseCustody(Buffer.from(`${lines[1]}\n`)))).toBe("corrupt");
  expect(outcome(() => parseCustody(Buffer.from(`${lines[0]}\n${lines[2]}\n`)))).toBe("corrupt");
  expect(outcome(() => parseCustody(Buffer.from(log.toString().replace("note 1", "note 7"))))).toBe(
    "corrupt",
  );
});

test("a note of any length and kind makes a line", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary", maxLength: 3000 }), (note) => {
      const entry = { time: "2026-11-25T10:00:00Z", event: "note", by: note, note } as const;
      const line = nextCustodyLine(parseCustody(Buffer.alloc(0)), entry);
      expect(line.length).toBeLessThanOrEqual(4096);
      expect(parseCustody(line).entries).toHaveLength(1);
    }),
  );
});

test("fuzz: a changed log is refused, or what it was before the change", () => {
  const log = custody(4);
  fc.assert(
    fc.property(mutated(log), (bytes) => {
      expect(["ok", "corrupt", "limit-exceeded"]).toContain(outcome(() => parseCustody(bytes)));
    }),
  );
});

test("golden vector", async () => {
  const vector = JSON.parse(
    readFileSync(join(import.meta.dirname, "../../vectors/seed.json"), "utf8"),
  ) as Record<"packs" | "snapshots", { rows: unknown; object: string }> & {
    custody: { text: string; sha256: string; last: string };
  };
  const packObject = Buffer.from(vector.packs.object, "base64");
  const snapshotObject = Buffer.from(vector.snapshots.object, "base64");
  expect((await readPacks(packObject)).map((row) => ({ ...row, name: toHex(row.name) }))).toEqual(
    vector.packs.rows,
  );
  expect(packListBytes()).toEqual(packObject);
  expect((await readSnapshots(snapshotObject)).map((row) => ({ ...row, object: toHex(row.object) }))).toEqual(
    vector.snapshots.rows,
  );
  expect(snapshotListBytes()).toEqual(snapshotObject);
  const { sha256, last, entries } = parseCustody(Buffer.from(vector.custody.text));
  expect({ sha256, last, entries: entries.length }).toEqual({
    sha256: vector.custody.sha256,
    last: vector.custody.last,
    entries: 3,
  });
});
