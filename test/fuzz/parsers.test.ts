// Every parser of bytes from outside: what the corpus holds, with the outcome that it had, then random changes of sound bytes. A parser reads or
// refuses in a typed way; nothing else comes out of it, and no memory is taken for what bytes only claim.
//
// corpus/parsers/NAME.json: what found something, one input for each outcome, and sound bytes where no vector has them. Inputs are in base64.
// `node test/fuzz/makeCorpus.ts NAME` makes one for a new parser.

import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { type CorpusRow, outcomeOf } from "./corpus.ts";
import { hostileBytes } from "./hostileBytes.ts";
import { parsers } from "./parsers.ts";
import { runs } from "./runs.ts";

const folder = join(import.meta.dirname, "corpus", "parsers");

test("every parser has a corpus, and every corpus a parser", () => {
  expect(readdirSync(folder).sort()).toEqual(
    Object.keys(parsers)
      .map((name) => `${name}.json`)
      .sort(),
  );
});

describe.each(Object.entries(parsers))("%s", (name, { parse, seeds }) => {
  const path = join(folder, `${name}.json`);
  const rows = existsSync(path) ? (JSON.parse(readFileSync(path, "utf8")) as CorpusRow[]) : [];

  test("the corpus, as before", async () => {
    expect(rows.length).toBeGreaterThan(0);
    for (const { bytes, outcome } of rows)
      expect(await outcomeOf(parse, Buffer.from(bytes, "base64"))).toBe(outcome);
    const outcomes = await Promise.all(seeds.map((bytes) => outcomeOf(parse, bytes)));
    expect(new Set([...outcomes, ...rows.map(({ outcome }) => outcome)]), "sound bytes").toContain("read");
  });

  test("random changes", async () => {
    const all = [...seeds, ...rows.map(({ bytes }) => Buffer.from(bytes, "base64"))];
    await fc.assert(
      fc.asyncProperty(hostileBytes(all), async (bytes) => {
        await outcomeOf(parse, bytes);
      }),
      runs(250),
    );
  });
});
