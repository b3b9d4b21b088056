// The two hashes of what is stored, whichever engine makes them: records' in frames and trailers, and the packs' names.

import { createHash, hash } from "node:crypto";
import { readFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { createNativeSha256 } from "../../agent/platform/nativeSha256.ts";
import { closedPackPath } from "../../gateway/store/packPaths.ts";
import { Width } from "../../vault/magic.ts";
import { openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { nodeSha256 } from "../../vault/sha256.ts";
import { emptyPage, openStore, plainRecord } from "./vaultStoreFixture.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-hashes-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

test.each([
  ["node", nodeSha256],
  ["native", createNativeSha256()],
])(
  "%s: records of any length, in commits of any size, also in a pack that was gone on with",
  async (_, sha256) => {
    const lengths = [4, 47, 48, 64, 500_000, 5, 70_001, 120_000, 64, 300_000, 9, 200_000];
    let { store, put } = await openStore(directory, { sha256 });
    for (let at = 0; at < lengths.length; ) {
      const count = 1 + (at % 4);
      await put(...lengths.slice(at, at + count).flatMap((length) => [plainRecord(length), emptyPage()]));
      at += count;
      if (at < 6) {
        await store.close();
        ({ store, put } = await openStore(directory, { sha256 }));
      }
    }
    await store.closeOpenPacks();
    const packs = [...store.packs.all()];
    expect(packs).toHaveLength(2);
    let records = 0;
    for (const { name } of packs) {
      const file = readFileSync(closedPackPath(directory, name!));
      expect(createHash("sha256").update(file).digest().equals(name!)).toBe(true);
      const footer = parseFooter(file, file.length);
      const trailer = file.subarray(footer.trailerOffset, file.length - Width.footer);
      for (const { offset, length, hash16 } of openTrailer(footer, trailer)) {
        const expected = hash("sha256", file.subarray(offset, offset + length), "buffer").subarray(0, 16);
        expect(expected.equals(hash16)).toBe(true);
        records += 1;
      }
    }
    expect(records).toBe(lengths.length * 2);
    await store.close();
  },
);
