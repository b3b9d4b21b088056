import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { expect, test } from "vitest";
import { type ChunkGroup, encodeChunkList, readChunkList } from "../../../vault/seed/chunkList.ts";
import { mutated, outcome } from "../sampleVault.ts";
import { seededBytes } from "../seeded.ts";

type Plain = { readonly group: number; readonly prefixes: readonly bigint[] };

function groupOf({ group, prefixes }: Plain): ChunkGroup {
  const runs = prefixes.map((prefix) => {
    const bytes = Buffer.alloc(8);
    bytes.writeBigUInt64BE(prefix);
    return bytes;
  });
  return { group, count: prefixes.length, prefixes: runs };
}

async function encoded(groups: readonly Plain[]): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for await (const piece of encodeChunkList(groups.map(groupOf))) pieces.push(piece);
  return Buffer.concat(pieces);
}

async function read(pieces: Iterable<Uint8Array>): Promise<Plain[]> {
  const groups = new Map<number, bigint[]>();
  for await (const { group, prefixes } of readChunkList(pieces)) {
    const known = groups.get(group) ?? [];
    groups.set(group, known);
    for (let at = 0; at < prefixes.length; at += 8) known.push(prefixes.readBigUInt64BE(at));
  }
  return [...groups].map(([group, prefixes]) => ({ group, prefixes }));
}

async function refusal(bytes: Uint8Array): Promise<string> {
  return read([bytes]).then(
    () => "ok",
    (error: unknown) =>
      outcome(() => {
        throw error;
      }),
  );
}

const prefixes = fc
  .uniqueArray(fc.bigInt({ min: 0n, max: 2n ** 64n - 1n }), { minLength: 1, maxLength: 40 })
  .map((list) => list.sort((a, b) => (a < b ? -1 : 1)));
const lists = fc
  .uniqueArray(fc.record({ group: fc.nat(0xffff_ffff), prefixes }), {
    selector: ({ group }) => group,
    maxLength: 4,
  })
  .map((groups) => groups.sort((a, b) => a.group - b.group));

test("a list is read as it was written, in pieces of any length", async () => {
  await fc.assert(
    fc.asyncProperty(lists, fc.integer({ min: 1, max: 50 }), async (groups, pieceBytes) => {
      const bytes = await encoded(groups);
      const pieces: Buffer[] = [];
      for (let at = 0; at < bytes.length; at += pieceBytes) pieces.push(bytes.subarray(at, at + pieceBytes));
      expect(await read(pieces)).toEqual(groups);
    }),
  );
});

const sample: Plain[] = [
  { group: 1, prefixes: [0n, 5n, 2n ** 32n, 2n ** 64n - 1n] },
  { group: 65_537, prefixes: [7n] },
];

test.each<[string, number, number, string]>([
  ["magic", 0, 1, "corrupt"],
  ["version", 4, 2, "unsupported"],
  ["type", 5, 1, "corrupt"],
  ["count that is too small", 8, 4, "corrupt"],
  ["count that is too large", 8, 6, "truncated"],
  ["reserved byte", 28, 1, "corrupt"],
  ["group without chunks", 32, 0, "corrupt"],
  ["group of more than there are", 32, 6, "corrupt"],
  ["prefix twice", 55, 0, "corrupt"],
  ["group that does not follow", 72, 1, "corrupt"],
])("refuses a bad %s", async (_, at, value, code) => {
  const bytes = await encoded(sample);
  bytes[at] = value;
  if (at === 72) bytes.writeUInt32LE(1, 72);
  expect(await refusal(bytes)).toBe(code);
});

test("fuzz: any bytes are read, as what they are, or refused", async () => {
  const bytes = await encoded(sample);
  await fc.assert(
    fc.asyncProperty(mutated(bytes), async (other) => {
      if ((await refusal(other)) !== "ok") return;
      expect(await encoded(await read([other]))).toEqual(other);
    }),
  );
});

test("nothing is written that could not be read", async () => {
  await expect(encoded([{ group: 2, prefixes: [3n, 3n] }])).rejects.toThrow(RangeError);
  await expect(encoded([{ group: 2, prefixes: [] }])).rejects.toThrow(RangeError);
  await expect(encoded([sample[1]!, sample[0]!])).rejects.toThrow(RangeError);
  const short = { ...groupOf(sample[0]!), count: 5 };
  await expect(Array.fromAsync(encodeChunkList([short]))).rejects.toThrow(RangeError);
});

test("golden vector", async () => {
  const path = join(import.meta.dirname, "../../vectors/chunk-list.json");
  const { groups, object } = JSON.parse(readFileSync(path, "utf8")) as {
    groups: { group: number; prefixes: string[] }[];
    object: string;
  };
  const plain = groups.map(({ group, prefixes }) => ({
    group,
    prefixes: prefixes.map((prefix) => BigInt(`0x${prefix}`)),
  }));
  expect(await read([Buffer.from(object, "base64")])).toEqual(plain);
  expect((await encoded(plain)).toString("base64")).toBe(object);
  // Made from seeded ids: two are a group's first and last possible ones.
  expect(plain[0]!.prefixes).toContain(seededBytes("vector chunk 0", 32).readBigUInt64BE(0));
});
