import { randomBytes } from "node:crypto";
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { CachedRecordSource } from "../../../agent/session/cachedRecordSource.ts";
import { SealedCache } from "../../../agent/session/sealedCache.ts";
import { createCaches } from "../../../fs/view/recordOpener.ts";
import { VaultView } from "../../../fs/view/vaultView.ts";
import type { ViewNode } from "../../../fs/view/view.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, sparseOf } from "../../fs/treeSpec.ts";

const MiB = 2 ** 20;
const marker = Buffer.from("this text must not be found on the disk");
let folder: string;
let caches: SealedCache[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "holdfast-cache-"));
});
afterEach(async () => {
  for (const cache of caches) await cache.close();
  caches = [];
  rmSync(folder, { recursive: true, force: true });
});

function open(bytesMax = 64 * MiB, failures: unknown[] = []): SealedCache {
  const cache = new SealedCache(folder, bytesMax, (error) => failures.push(error));
  caches.push(cache);
  return cache;
}

/** A vault whose snapshot has a file of four chunks and a small one; what is asked of it is counted in its `reads`. */
function fixture() {
  const vault = new FixtureVault();
  const parts = Array.from({ length: 4 }, () => Buffer.concat([marker, randomBytes(600_000)]));
  vault.snapshot(directoryOf({ big: sparseOf(parts), small: fileOf(marker) }));
  return { vault, whole: Buffer.concat(parts) };
}

function sourceOf(vault: FixtureVault, cache: SealedCache): CachedRecordSource {
  return new CachedRecordSource(vault, cache);
}

async function readBig(vault: FixtureVault, cache: SealedCache): Promise<Buffer> {
  const keyring = { keysOf: () => vault.keys, onChanged: () => () => {} };
  const view = new VaultView({
    source: sourceOf(vault, cache),
    catalog: vault,
    keyring,
    caches: createCaches(),
  });
  let node: ViewNode = view.root;
  for (const name of ["anna", "laptop", "files", "2026-11-22T054512Z", "big"]) {
    node = (await view.lookup(node, Buffer.from(name))) as ViewNode;
  }
  const bytes = Buffer.from(await view.read(node, 0n, Number(node.attributes.size)));
  view.close();
  return bytes;
}

const segments = (): string[] => readdirSync(folder).map((name) => join(folder, name));

describe("the drive's cache of sealed records", () => {
  test("serves the next mount without asking the gateway, and holds nothing that can be read", async () => {
    const { vault, whole } = fixture();
    const first = open();
    expect((await readBig(vault, first)).equals(whole)).toBe(true);
    await first.close();
    vault.reads.length = 0;
    expect((await readBig(vault, open())).equals(whole)).toBe(true);
    expect(vault.reads).toEqual([]);
    for (const path of segments()) {
      expect(readFileSync(path).includes(marker)).toBe(false);
      expect(statSync(path).mode & 0o777).toBe(0o600);
    }
  });

  test("finds out what was damaged on the disk, and fetches just that again", async () => {
    const { vault, whole } = fixture();
    const first = open();
    await readBig(vault, first);
    await first.close();
    const [path] = segments() as [string];
    const bytes = readFileSync(path);
    const at = bytes.length - 300_000;
    bytes[at] = (bytes[at] as number) ^ 1;
    writeFileSync(path, bytes);
    vault.reads.length = 0;
    expect((await readBig(vault, open())).equals(whole)).toBe(true);
    expect(vault.reads.length).toBe(1);
  });

  test("takes a segment that was cut off, or that is none, for what is whole in it", async () => {
    const { vault, whole } = fixture();
    const first = open();
    await readBig(vault, first);
    await first.close();
    const [path] = segments() as [string];
    truncateSync(path, statSync(path).size - 1000);
    writeFileSync(join(folder, "0123456789abcdef.records"), randomBytes(5000));
    writeFileSync(join(folder, "1123456789abcdef.records"), "HFDRIVE1");
    vault.reads.length = 0;
    expect((await readBig(vault, open())).equals(whole)).toBe(true);
    expect(vault.reads.length).toBe(1);
  });

  test("is used by two mounts at once, and lives with a folder that is emptied under them", async () => {
    const { vault, whole } = fixture();
    const [one, two] = [open(), open()];
    expect((await readBig(vault, one)).equals(whole)).toBe(true);
    expect((await readBig(vault, two)).equals(whole)).toBe(true);
    await one.close();
    await two.close();
    const three = open();
    for (const path of segments()) rmSync(path);
    expect((await readBig(vault, three)).equals(whole)).toBe(true);
  });

  test("stays within its bounds: what was written first goes first, what is read again stays", async () => {
    const vaultId = "ab".repeat(16);
    const keyOf = (number: number): string =>
      SealedCache.key(vaultId, 1, Buffer.alloc(32).fill(String(number)));
    const cache = open(16 * MiB);
    const records = Array.from({ length: 100 }, () => randomBytes(512 * 1024));
    for (const [number, record] of records.entries()) {
      cache.add(keyOf(number), vaultId, 1, record);
      await expect.poll(() => cache.has(keyOf(number)), { interval: 1 }).toBe(true);
      expect((await cache.read(keyOf(0)))?.equals(records[0] as Buffer), `after ${number}`).toBe(true);
      await expect.poll(() => cache.has(keyOf(0)), { interval: 1 }).toBe(true);
      const sum = segments().reduce((bytes, path) => bytes + statSync(path).size, 0);
      expect(sum).toBeLessThanOrEqual(16 * MiB);
    }
    expect(cache.has(keyOf(1))).toBe(false);
    expect((await cache.read(keyOf(99)))?.equals(records[99] as Buffer)).toBe(true);
  });

  test("gives up writing when the disk refuses, and says so once", async () => {
    const { vault, whole } = fixture();
    const failures: unknown[] = [];
    const cache = open(64 * MiB, failures);
    rmSync(folder, { recursive: true });
    expect((await readBig(vault, cache)).equals(whole)).toBe(true);
    await cache.close();
    expect((await readBig(vault, cache)).equals(whole)).toBe(true);
    expect(failures.length).toBe(1);
  });
});
