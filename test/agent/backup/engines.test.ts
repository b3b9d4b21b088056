// A worker that hashes and seals with native code and one that has only Node find the same ids and hashes, and both seals open.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { noise } from "./backupFixture.ts";
import { Reading } from "./reading.ts";

const KiB = 1024;
const scratch = mkdtempSync(join(tmpdir(), "holdfast-engines-"));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

// Small files that share a bundle, one at each side of a block's end, and large ones in both forms of the file hash.
const sizes = [1, 63, 64, 5000, 256 * KiB, 700 * KiB, 1024 * KiB, 5000 * KiB];
const paths = sizes.map((size, i) => {
  const path = join(scratch, `${i}`);
  // Half noise and half text, so that compressed and stored chunks occur.
  writeFileSync(path, i % 2 === 0 ? noise(size, i + 1) : Buffer.alloc(size, `line of file ${i}\n`));
  return path;
});

async function readWith(platform: string) {
  const { HOLDFAST_PLATFORM } = process.env;
  process.env.HOLDFAST_PLATFORM = platform;
  const reading = new Reading();
  try {
    const reads = await reading.read(paths.map((path) => reading.see(path)));
    return reads.map((read) => ({
      hash: read.outcome.fileHash,
      content: read.content,
      bytes: reading.content(read), // opens every record, which proves its tag and its id
    }));
  } finally {
    if (HOLDFAST_PLATFORM === undefined) delete process.env.HOLDFAST_PLATFORM;
    else process.env.HOLDFAST_PLATFORM = HOLDFAST_PLATFORM;
    await reading.close();
  }
}

test("native and portable workers agree", async () => {
  const native = await readWith("");
  const portable = await readWith("portable");
  expect(native).toEqual(portable);
  expect(native.map(({ bytes }) => bytes.length)).toEqual(sizes);
});
