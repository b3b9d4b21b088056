// Makes the golden vector of a box's list of chunks, once: `node test/vectors/makeChunkList.ts`. It refuses to overwrite.
import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodeChunkList } from "../../vault/seed/chunkList.ts";
import { seededBytes } from "../vault/seeded.ts";

const prefixOf = (name: string): string => seededBytes(name, 32).subarray(0, 8).toString("hex");
const groups = [
  { group: 1, prefixes: ["0000000000000000", ...Array.from({ length: 20 }, (_, i) => prefixOf(`vector chunk ${i}`)), "ffffffffffffffff"].sort() },
  { group: 458_753, prefixes: [prefixOf("vector chunk of the box")] },
];
const pieces: Buffer[] = [];
const list = groups.map(({ group, prefixes }) => ({ group, count: prefixes.length, prefixes: prefixes.map((hex) => Buffer.from(hex, "hex")) }));
for await (const piece of encodeChunkList(list)) pieces.push(piece);
const path = join(import.meta.dirname, "chunk-list.json");
if (existsSync(path)) throw new Error(`${path} exists: golden vectors are made once`);
const about = "A list of chunks of a box's manifest (docs/format.md, section 12.3). Prefixes are hex, the object base64.";
writeFileSync(path, `${JSON.stringify({ about, groups, object: Buffer.concat(pieces).toString("base64") }, null, 1)}\n`);
