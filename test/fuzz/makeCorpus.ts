// Makes corpus files of parsers: `node test/fuzz/makeCorpus.ts NAME...`. For each outcome (and message, without its numbers) the smallest input
// that a run of random changes came to, and what the file had before. Look at what it wrote before it is committed.

import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { HoldfastError } from "../../vault/errors.ts";
import { type CorpusRow, outcomeOf } from "./corpus.ts";
import { hostileBytes } from "./hostileBytes.ts";
import { parsers } from "./parsers.ts";

const tries = 3000;
const rowsMax = 12;
const bytesMax = 2000;
const folder = join(import.meta.dirname, "corpus", "parsers");
mkdirSync(folder, { recursive: true });

for (const name of process.argv.slice(2)) {
  const parser = parsers[name];
  if (parser === undefined) throw new Error(`there is no parser ${name}`);
  const { parse, seeds } = parser;
  const path = join(folder, `${name}.json`);
  const before = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as CorpusRow[]) : [];
  const own = before.map(({ bytes }) => Buffer.from(bytes, "base64"));
  const all = [...seeds, ...own];
  const found = new Map<string, CorpusRow>();
  const note = async (bytes: Buffer): Promise<void> => {
    let why = "read";
    try {
      await parse(bytes);
    } catch (error) {
      if (!(error instanceof HoldfastError)) throw error;
      why = `${error.code} ${error.message.replace(/[0-9a-f]{8,}|\d+|".*?"/g, "#").slice(0, 60)}`;
    }
    const known = found.get(why);
    const row = { bytes: bytes.toString("base64"), outcome: await outcomeOf(parse, bytes) };
    if (bytes.length <= bytesMax && (known === undefined || row.bytes.length < known.bytes.length))
      found.set(why, row);
  };
  for (const bytes of all) await note(bytes);
  for (const bytes of fc.sample(hostileBytes(all), { numRuns: tries, seed: 1 })) await note(bytes);
  const rows = [
    ...before,
    ...[...found.values()].filter((row) => !before.some((old) => old.bytes === row.bytes)),
  ];
  writeFileSync(path, `${JSON.stringify(rows.slice(0, Math.max(rowsMax, before.length)), null, 1)}\n`);
  console.log(`${name}: ${rows.length} inputs`);
}
