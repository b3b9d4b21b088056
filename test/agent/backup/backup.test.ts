// Runs of a backup against a gateway in memory, on real folders: what is sent, what is kept, what happens when things go wrong.

import {
  appendFileSync,
  chmodSync,
  closeSync,
  ftruncateSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readFileSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeEach, describe, expect, test } from "vitest";
import { runBackup } from "../../../agent/backup/backup.ts";
import type { BackupOutcome, BackupRequest } from "../../../agent/backup/request.ts";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { MemoryGateway, testDevice, testKeys } from "./memoryGateway.ts";
import { folderFacts, snapshotFacts } from "./readBack.ts";

const scratch = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-backup-")));
afterAll(() => rmSync(scratch, { recursive: true, force: true }));

let counter = 0;
let source = "";
let cachePath = "";
let gateway = new MemoryGateway();
let warnings: string[] = [];

beforeEach(() => {
  const base = join(scratch, `t${counter++}`);
  source = join(base, "source");
  cachePath = join(base, "cache.pages");
  mkdirSync(source, { recursive: true });
  gateway = new MemoryGateway();
  warnings = [];
});

function run(
  changes: Partial<BackupRequest> = {},
  options: { signal?: AbortSignal; gateway?: MemoryGateway } = {},
): Promise<BackupOutcome> {
  return runBackup(
    {
      paths: resolveTopPaths([source]),
      item: "files",
      rules: {},
      rescan: false,
      oneFileSystem: false,
      excludeCaches: false,
      limitUploadBytesPerSecond: undefined,
      chunker: "fastcdc-1",
      ...changes,
    },
    {
      session: (options.gateway ?? gateway).session(),
      keys: testKeys,
      device: testDevice,
      agentVersion: "test",
      cachePath,
      nowMs: Date.now,
      signal: options.signal ?? new AbortController().signal,
      warn: (path, what) => warnings.push(`${Buffer.from(path).toString()}: ${what}`),
      progress: () => undefined,
    },
  );
}

/** Deterministic bytes that neither compress away nor repeat. */
function noise(length: number, seed: number): Buffer {
  const bytes = Buffer.allocUnsafe(length);
  let state = seed >>> 0 || 1;
  for (let at = 0; at < length; at++) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    bytes[at] = state >>> 24;
  }
  return bytes;
}

function old(path: string): void {
  utimesSync(path, 1_600_000_000, 1_600_000_000);
}

function smallTree(files: number): void {
  for (let index = 0; index < files; index++) {
    const folder = join(source, `d${index % 7}`);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, `f${index}`), noise((index * 977) % 9000, index + 1));
  }
}

describe("what a snapshot holds", () => {
  test("every kind of thing, exactly", async () => {
    smallTree(60);
    writeFileSync(join(source, "large"), noise(9_000_000, 5));
    writeFileSync(join(source, "empty"), "");
    mkdirSync(join(source, "hollow"));
    symlinkSync("nowhere", join(source, "dangling"));
    linkSync(join(source, "d1", "f1"), join(source, "hard"));
    writeFileSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x66, 0xff, 0xfe])]), "not UTF-8");
    chmodSync(join(source, "empty"), 0o4711);
    const outcome = await run();
    expect(warnings).toEqual([]);
    const facts = snapshotFacts(gateway, source);
    expect(facts.get(`${source}/f\xff\xfe`)).toMatch(/^file .* 9 /);
    facts.delete(`${source}/f\xff\xfe`);
    rmSync(Buffer.concat([Buffer.from(`${source}/`), Buffer.from([0x66, 0xff, 0xfe])]));
    expect(facts).toEqual(folderFacts(source));
    expect(outcome.counts.files).toBe(64);
    expect(outcome.counts.others).toBe(1);
  });

  test("holes cost nothing and come back as zeros", async () => {
    const fd = openSync(join(source, "sparse"), "w");
    ftruncateSync(fd, 40 * 2 ** 20);
    writeSync(fd, noise(100_000, 1), 0, 100_000, 20 * 2 ** 20);
    closeSync(fd);
    const outcome = await run();
    expect(outcome.sentBytes).toBeLessThan(300_000);
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("a single file, and a folder below a link that was named", async () => {
    mkdirSync(join(source, "real"));
    writeFileSync(join(source, "real", "a"), "a");
    writeFileSync(join(source, "one"), "1");
    symlinkSync("real", join(source, "link"));
    const paths = resolveTopPaths([join(source, "one"), join(source, "link")]);
    expect(paths[1]?.resolvedFrom).toBe(join(source, "link"));
    await run({ paths });
    expect([...snapshotFacts(gateway, source).keys()].sort()).toEqual([
      `${source}/one`,
      `${source}/real`,
      `${source}/real/a`,
    ]);
  });

  test("filters leave out what they name", async () => {
    smallTree(20);
    await run({ rules: { excludes: ["d3", "f1?"] } });
    const names = [...snapshotFacts(gateway, source).keys()];
    expect(names.some((name) => name.includes("/d3"))).toBe(false);
    expect(names.some((name) => name.endsWith("/f15"))).toBe(false);
    expect(names.some((name) => name.endsWith("/f9"))).toBe(true);
  });
});

describe("the next run", () => {
  test("sends nothing for an unchanged tree, with and without its cache", async () => {
    smallTree(80);
    writeFileSync(join(source, "large"), noise(3_000_000, 7));
    const first = await run();
    for (const prepare of [
      () => undefined,
      () => rmSync(cachePath),
      () => writeFileSync(cachePath, noise(50_000, 3)),
      () => truncateSync(cachePath, Math.floor(readFileSync(cachePath).length / 2)),
      () => corruptMiddle(cachePath),
    ]) {
      prepare();
      const next = await run();
      expect(next.root).toBe(first.root);
      expect(next.newChunks).toBe(0);
      expect(next.sentBytes).toBe(0);
    }
    expect(warnings).toEqual([]);
    expect(gateway.sentTwice).toBe(0);
  });

  test("--rescan reads everything and sends nothing", async () => {
    smallTree(40);
    const first = await run();
    const again = await run({ rescan: true });
    expect(again.counts.filesRead).toBe(first.counts.filesRead);
    expect(again.root).toBe(first.root);
    expect(again.sentBytes).toBe(0);
  });

  test("a touched file is read and keeps its content's place", async () => {
    smallTree(40);
    await run();
    old(join(source, "d1", "f1"));
    const next = await run();
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
    expect(next.newChunks).toBeLessThanOrEqual(20); // pages on the way to it, no data
    expect(next.sentBytes).toBeLessThan(20_000);
  });

  test("edits in a large file send little", async () => {
    const file = join(source, "image");
    writeFileSync(file, noise(24 * 2 ** 20, 9));
    await run();
    const fd = openSync(file, "r+");
    writeSync(fd, noise(1000, 77), 0, 1000, 11 * 2 ** 20);
    closeSync(fd);
    const next = await run();
    expect(next.sentBytes).toBeLessThan(9 * 2 ** 20);
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("another tree with the same files sends no data", async () => {
    smallTree(60);
    await run();
    const data = gateway.receivedRecords;
    renameSync(source, `${source}-moved`);
    source = `${source}-moved`;
    await run();
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
    expect(gateway.receivedRecords - data).toBeLessThan(20);
  });

  test("random edits: every snapshot equals the folder", async () => {
    const edit = fc.record({
      kind: fc.constantFrom("write", "append", "remove", "mkdir", "rename", "truncate"),
      a: fc.nat(40),
      b: fc.nat(40),
      size: fc.oneof(fc.nat(3000), fc.nat(400_000), fc.nat(3_000_000)),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(fc.array(edit, { maxLength: 12 }), { minLength: 1, maxLength: 4 }), async (rounds) => {
        rmSync(source, { recursive: true, force: true });
        mkdirSync(source);
        rmSync(cachePath, { force: true });
        gateway = new MemoryGateway();
        smallTree(25);
        for (const edits of rounds) {
          for (const { kind, a, b, size } of edits) applyEdit(kind, a, b, size);
          await run();
          expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
        }
        expect(gateway.sentTwice).toBe(0);
        expect(warnings).toEqual([]);
      }),
      { numRuns: 12 },
    );
  });

  test("bundles that are hardly used any more are emptied", async () => {
    for (let index = 0; index < 200; index++) writeFileSync(join(source, `f${index}`), noise(3000, index + 1));
    for (let index = 0; index < 200; index++) old(join(source, `f${index}`));
    await run();
    for (let index = 0; index < 200; index++) {
      if (index % 10 !== 0) writeFileSync(join(source, `f${index}`), noise(3000, index + 1000));
    }
    await run(); // finds the sparse bundle
    await run(); // moves its rest
    const last = await run();
    expect(last.sentBytes).toBe(0);
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
    expect(JSON.parse(readFileSync(`${cachePath}.sweep`, "utf8"))).toMatchObject({ move: [] });
  });
});

describe("when things go wrong", () => {
  test("a stopped run commits nothing, and the next sends only the rest", async () => {
    for (let index = 0; index < 12; index++) writeFileSync(join(source, `l${index}`), noise(3_000_000, index + 1));
    const stop = new AbortController();
    gateway.beforeRecords = () => {
      if (gateway.receivedRecords > 8) stop.abort();
    };
    await expect(run({}, { signal: stop.signal })).rejects.toMatchObject({ code: ErrorCode.cancelled });
    expect(gateway.head).toBeNull();
    gateway.beforeRecords = () => undefined;
    await run();
    expect(gateway.sentTwice).toBe(0);
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("a failing upload ends the run with its error", async () => {
    smallTree(50);
    gateway.beforeRecords = () => {
      throw new HoldfastError(ErrorCode.diskFull, "no room at the gateway");
    };
    await expect(run()).rejects.toMatchObject({ code: ErrorCode.diskFull });
    gateway.beforeRecords = () => undefined;
    await run();
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("chunks that the gateway lost are sent again", async () => {
    smallTree(50);
    await run();
    const lost = [...gateway.records.keys()].filter((_, index) => index % 3 === 0);
    for (const id of lost) gateway.records.delete(id);
    writeFileSync(join(source, "d1", "new"), "something to commit");
    await run();
    expect(warnings.join()).toMatch(/reading everything/);
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("wrong bytes under an id are found by reading back and replaced", async () => {
    for (let index = 0; index < 90; index++) writeFileSync(join(source, `l${index}`), noise(300_000, index + 1));
    await run();
    for (const [id, record] of gateway.records) {
      const wrong = Buffer.from(record);
      wrong[wrong.length - 20]! ^= 1;
      if (record[5] === 1) gateway.records.set(id, wrong);
    }
    const honest = new MemoryGateway();
    for (const [id, record] of gateway.records) honest.records.set(id, record);
    await run({}, { gateway: honest });
    // About 3 of 90 chunks are looked at; that none is has a chance of (31/32)^90 = 6 %, so look until one was.
    for (let tries = 0; tries < 20 && honest.suspects.length === 0; tries++) {
      honest.head = null;
      honest.sequence = 0;
      await run({}, { gateway: honest });
    }
    expect(honest.suspects.length).toBeGreaterThan(0);
    for (const id of honest.suspects) expect(honest.records.has(id)).toBe(true);
  });

  test("a file that grows while it is read is a warning and a snapshot that fits itself", async () => {
    const file = join(source, "growing");
    writeFileSync(file, noise(30 * 2 ** 20, 1));
    const timer = setInterval(() => appendFileSync(file, noise(1000, 2)), 1);
    try {
      await run();
    } finally {
      clearInterval(timer);
    }
    expect(warnings.join()).toMatch(/changed while it was read/);
    expect(snapshotFacts(gateway, source).get(file)).toMatch(/^file/);
    await run();
    expect(snapshotFacts(gateway, source)).toEqual(folderFacts(source));
  });

  test("a folder that does not exist stops the run before it starts", async () => {
    expect(() => resolveTopPaths([join(source, "missing")])).toThrow(/does not exist/);
    expect(gateway.head).toBeNull();
  });

  test("an invalid filter stops the run before it starts", async () => {
    await expect(run({ rules: { excludeRegexes: ["("] } })).rejects.toMatchObject({ code: ErrorCode.usage });
    expect(gateway.receivedRecords).toBe(0);
  });
});

function corruptMiddle(path: string): void {
  const bytes = readFileSync(path);
  bytes[Math.floor(bytes.length / 2)]! ^= 0xff;
  bytes[Math.floor(bytes.length / 3)]! ^= 0xff;
  writeFileSync(path, bytes);
}

function applyEdit(kind: string, a: number, b: number, size: number): void {
  const file = join(source, `d${a % 7}`, `f${a}`);
  const other = join(source, `d${b % 7}`, `f${b}`);
  try {
    if (kind === "write") writeFileSync(file, noise(size, a + size));
    else if (kind === "append") appendFileSync(file, noise(size % 5000, b));
    else if (kind === "remove") rmSync(file);
    else if (kind === "mkdir") mkdirSync(join(source, `d${a % 7}`, `sub${b}`), { recursive: true });
    else if (kind === "rename") renameSync(file, other);
    else truncateSync(file, size % 4000);
  } catch {
    // the edit does not fit what is there: a different sequence, no less good
  }
}
