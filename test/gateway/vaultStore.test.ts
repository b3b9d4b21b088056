import { createHash, randomBytes } from "node:crypto";
import {
  appendFileSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  truncateSync,
} from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { closedPackPath, openPackPath } from "../../gateway/store/packPaths.ts";
import { openTrailer, parseFooter } from "../../vault/pack/footer.ts";
import { openStore, plainRecord, readOne } from "./vaultStoreFixture.ts";

let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), "holdfast-store-"));
});
afterEach(async () => {
  await rm(directory, { recursive: true, force: true });
});

function openFiles(): string[] {
  return readdirSync(join(directory, "open")).sort();
}

function closedFiles(): string[] {
  const packs = join(directory, "packs");
  if (!existsSync(packs)) return [];
  return readdirSync(packs).flatMap((ab) =>
    readdirSync(join(packs, ab)).map((name) => join(packs, ab, name)),
  );
}

test("packs are closed at their target, named by their hash, with a trailer that fits", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 20_000 });
  const records = Array.from({ length: 100 }, () => plainRecord(1000));
  for (let i = 0; i < 100; i += 10) await put(...records.slice(i, i + 10));
  const page = plainRecord(
    50,
    records.slice(0, 30).map((each) => each.id),
  );
  await put(page);
  await store.settled();
  const files = closedFiles();
  expect(files.length).toBeGreaterThanOrEqual(5);
  let rows = 0;
  for (const file of files) {
    const bytes = readFileSync(file);
    expect(createHash("sha256").update(bytes).digest("hex")).toBe(file.split("/").at(-1));
    expect(statSync(file).mode & 0o777).toBe(0o600);
    const footer = parseFooter(bytes, bytes.length);
    rows += openTrailer(
      footer,
      bytes.subarray(footer.trailerOffset, footer.trailerOffset + footer.trailerLength),
    ).length;
  }
  expect(rows).toBeGreaterThanOrEqual(80);
  for (const each of [...records, page]) expect(await readOne(store, each.id)).toEqual(each.record);
  await store.close();
  const again = await openStore(directory, { packBytesTarget: 20_000 });
  for (const each of [...records, page]) expect(await readOne(again.store, each.id)).toEqual(each.record);
  await again.store.close();
});

/** Copies what a crash at this moment would leave, while the store is open. */
function crashCopy(to: string): void {
  cpSync(directory, to, { recursive: true });
}

test("after a crash everything acknowledged is there, children and parents, and the pack goes on", async () => {
  const { store, put } = await openStore(directory);
  const chunks = Array.from({ length: 20 }, () => plainRecord(500));
  const page = plainRecord(
    80,
    chunks.map((each) => each.id),
  );
  const root = plainRecord(80, [page.id]);
  await put(...chunks, page, root);
  const crashed = `${directory}-crashed`;
  crashCopy(crashed);
  await store.close();
  const first = directory;
  directory = crashed;
  try {
    const again = await openStore(crashed);
    expect(again.store.recovery).toMatchObject({ admitted: 22, refused: 0, missing: [] });
    for (const each of [...chunks, page, root])
      expect(await readOne(again.store, each.id)).toEqual(each.record);
    const files = openFiles();
    const more = plainRecord(300);
    expect([...(await again.put(more, chunks[0]!)).statuses]).toEqual([0, 1]);
    expect(openFiles()).toEqual(files);
    await again.store.close();
    // What was flushed is not admitted a second time.
    const third = await openStore(crashed);
    expect(third.store.recovery.admitted).toBe(0);
    expect(await readOne(third.store, more.id)).toEqual(more.record);
    await third.store.close();
  } finally {
    directory = first;
    await rm(crashed, { recursive: true, force: true });
  }
});

test("a torn tail of any length is cut, nothing before it is lost, and the pack closes with a right hash", async () => {
  const base = `${directory}-base`;
  const { store, put } = await openStore(directory);
  const records = Array.from({ length: 5 }, () => plainRecord(300));
  await put(...records);
  crashCopy(base);
  await store.close();
  await fc.assert(
    fc.asyncProperty(fc.nat(2000), fc.boolean(), async (torn, garbage) => {
      await rm(directory, { recursive: true });
      const from = directory;
      directory = base;
      crashCopy(from);
      directory = from;
      const path = openPackPath(directory, 0);
      const size = statSync(path).size;
      if (garbage) appendFileSync(path, randomBytes(torn));
      else truncateSync(path, size - (torn % 380));
      const again = await openStore(directory, { packBytesTarget: 3000 });
      const kept = !garbage && torn % 380 > 0 ? records.slice(0, 4) : records;
      for (const each of kept) expect(await readOne(again.store, each.id)).toEqual(each.record);
      if (kept.length < 5) expect(await readOne(again.store, records[4]!.id)).toBeUndefined();
      // Enough to close the pack: its name must be the hash of what is in it.
      await again.put(...Array.from({ length: 6 }, () => plainRecord(300)));
      await again.store.settled();
      const [closed] = closedFiles();
      expect(createHash("sha256").update(readFileSync(closed!)).digest("hex")).toBe(
        closed!.split("/").at(-1),
      );
      await again.store.close();
    }),
    { numRuns: 15 },
  );
  await rm(base, { recursive: true, force: true });
});

test("a record whose reference was lost with a torn tail is not admitted, and never acknowledged again by itself", async () => {
  const { store, put } = await openStore(directory);
  const child = plainRecord(300);
  const other = plainRecord(300);
  await put(other);
  await put(child);
  const page = plainRecord(60, [child.id]);
  const good = plainRecord(60, [other.id]);
  await put(good);
  await put(page);
  const crashed = `${directory}-crashed`;
  crashCopy(crashed);
  await store.close();
  try {
    // The data pack loses its last record as if it had never reached the disk.
    const data = openPackPath(crashed, 0);
    truncateSync(data, statSync(data).size - 10);
    const again = await openStore(crashed);
    expect(again.store.recovery).toMatchObject({ admitted: 2, refused: 1 });
    expect(again.store.lookup(1, page.id)).toBeUndefined();
    expect(await readOne(again.store, good.id)).toEqual(good.record);
    expect([...(await again.put(page)).statuses]).toEqual([2]);
    expect([...(await again.put(child, page)).statuses]).toEqual([0, 0]);
    await again.store.close();
  } finally {
    await rm(crashed, { recursive: true, force: true });
  }
});

test("a crash between the name in the pack table and the rename is healed", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 5000 });
  const records = Array.from({ length: 6 }, () => plainRecord(1000));
  await put(...records);
  await store.settled();
  const ordinal = store.lookup(1, records[0]!.id)!.pack;
  const name = store.packs.get(ordinal)!.name!;
  await store.close();
  renameSync(closedPackPath(directory, name), openPackPath(directory, ordinal));
  const again = await openStore(directory);
  expect(existsSync(closedPackPath(directory, name))).toBe(true);
  for (const each of records) expect(await readOne(again.store, each.id)).toEqual(each.record);
  await again.store.close();
});

test("an open pack that an emptied index does not know is taken in under a new number", async () => {
  const { store, put } = await openStore(directory);
  const chunks = [plainRecord(), plainRecord()];
  const page = plainRecord(
    50,
    chunks.map((each) => each.id),
  );
  await put(...chunks, page);
  await store.close();
  rmSync(join(directory, "index"), { recursive: true });
  const again = await openStore(directory);
  expect(again.store.recovery.admitted).toBe(3);
  for (const each of [...chunks, page]) expect(await readOne(again.store, each.id)).toEqual(each.record);
  await again.store.close();
});

test("a lost index beside closed packs is refused and nothing is touched", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 3000 });
  const chunks = Array.from({ length: 10 }, () => plainRecord(1000));
  await put(
    ...chunks,
    plainRecord(
      50,
      chunks.map((each) => each.id),
    ),
  );
  await store.settled();
  await store.close();
  rmSync(join(directory, "index"), { recursive: true });
  const before = openFiles().map((name) => statSync(join(directory, "open", name)).size);
  await expect(openStore(directory)).rejects.toMatchObject({ code: "data-dir-invalid" });
  expect(openFiles().map((name) => statSync(join(directory, "open", name)).size)).toEqual(before);
});

test("an open pack whose file vanished is reported and does not stop the gateway", async () => {
  const { store, put } = await openStore(directory);
  const lost = plainRecord();
  await put(lost);
  await store.close();
  rmSync(openPackPath(directory, 0));
  const again = await openStore(directory);
  expect(again.store.recovery.missing).toEqual([0]);
  expect(await readOne(again.store, lost.id)).toBe("chunk-missing");
  const more = plainRecord();
  await again.put(more);
  expect(await readOne(again.store, more.id)).toEqual(more.record);
  await again.store.close();
});

test("many small sessions at a time share commits and all get their answer", async () => {
  const { store, put } = await openStore(directory, { packBytesTarget: 50_000 });
  const batches = Array.from({ length: 200 }, () => [plainRecord(100), plainRecord(100)]);
  const answers = await Promise.all(batches.map((batch) => put(...batch)));
  expect(answers.every((answer) => answer.statuses.every((status) => status === 0))).toBe(true);
  for (const each of batches.flat()) expect(await readOne(store, each.id)).toEqual(each.record);
  await store.close();
});
