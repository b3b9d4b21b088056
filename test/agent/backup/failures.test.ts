// Backup runs that are stopped, that fail, or that meet a gateway which lost or damaged what it had.

import { appendFileSync, mkdirSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { resolveTopPaths } from "../../../agent/source/topPaths.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { backupFixture, noise } from "./backupFixture.ts";
import { MemoryGateway, spoilt } from "./memoryGateway.ts";
import { folderFacts, snapshotFacts } from "./readBack.ts";

const fx = backupFixture();

/** 36 MB in files that are chunks of their own. */
function largeFiles(): void {
  for (let index = 0; index < 12; index++)
    writeFileSync(join(fx.source, `l${index}`), noise(3_000_000, index + 1));
}

describe("when things go wrong", () => {
  test("a stopped run commits nothing, and the next sends only the rest", async () => {
    largeFiles();
    const stop = new AbortController();
    fx.gateway.beforeRecords = () => {
      if (fx.gateway.receivedRecords > 8) stop.abort();
    };
    await expect(fx.run({}, { signal: stop.signal })).rejects.toMatchObject({ code: ErrorCode.cancelled });
    expect(fx.gateway.head).toBeNull();
    fx.gateway.beforeRecords = () => undefined;
    await fx.run();
    expect(fx.gateway.sentTwice).toBe(0);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a failing upload ends the run with its error", async () => {
    fx.smallTree(50);
    fx.gateway.beforeRecords = () => {
      throw new HoldfastError(ErrorCode.diskFull, "no room at the gateway");
    };
    await expect(fx.run()).rejects.toMatchObject({ code: ErrorCode.diskFull });
    fx.gateway.beforeRecords = () => undefined;
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("chunks that the gateway lost are sent again", async () => {
    fx.smallTree(50);
    await fx.run();
    const lost = [...fx.gateway.records.keys()].filter((_, index) => index % 3 === 0);
    for (const id of lost) fx.gateway.records.delete(id);
    writeFileSync(join(fx.source, "d1", "new"), "something to commit");
    await fx.run();
    // Its pages are in the cache, so only what is lost is looked for, not everything read as if there were no snapshot.
    expect(fx.warnings).toEqual([]);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a first backup begins once more where the gateway no longer has what it said it had", async () => {
    largeFiles();
    let lost = 0;
    fx.gateway.beforeRecords = () => {
      if (lost > 0 || fx.gateway.receivedRecords < 8) return;
      for (const id of [...fx.gateway.records.keys()].slice(0, 4)) {
        fx.gateway.records.delete(id);
        lost++;
      }
    };
    await fx.run();
    expect(lost).toBe(4);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a first backup asks nothing, until something is there that it did not send", async () => {
    largeFiles();
    await fx.run();
    expect(fx.gateway.askedHave).toBe(0);
    const all = new Map(fx.gateway.records);

    // Another device sends the same at the same time.
    fx.gateway = new MemoryGateway();
    let bodies = 0;
    fx.gateway.beforeRecords = () => {
      if (bodies++ === 1) for (const [id, record] of all) fx.gateway.records.set(id, record);
    };
    await fx.run();
    expect(fx.gateway.askedHave).toBeGreaterThan(0);
    // The bodies that were on their way, of 36 MB.
    expect(fx.gateway.receivedBytes).toBeLessThan(30_000_000);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("after a new cache token, what the gateway lost is found by asking, and nothing else is read or sent", async () => {
    fx.smallTree(300);
    writeFileSync(join(fx.source, "large"), noise(14_000_000, 5));
    writeFileSync(join(fx.source, "other"), noise(3_000_000, 6));
    await fx.run({}, { aheadMs: 10_000 });
    const typeOf = (record: Buffer): number => record[5] as number;
    const lost = [...fx.gateway.records].filter(
      ([, record], index) => typeOf(record) === 3 || (typeOf(record) === 1 && index % 8 === 0),
    );
    expect(new Set(lost.map(([, record]) => typeOf(record)))).toEqual(new Set([1, 3]));
    // A page of a folder in which nothing else is lost.
    const page = [...fx.gateway.records].find(([, record]) => typeOf(record) === 2) as [string, Buffer];
    for (const [id] of [...lost, page]) fx.gateway.records.delete(id);
    fx.gateway.cacheToken = "second";
    const before = { bytes: fx.gateway.receivedBytes, asked: fx.gateway.asked };
    const outcome = await fx.run({}, { aheadMs: 10_000 });
    expect(fx.warnings).toEqual([]);
    expect(outcome.counts.filesRead).toBeLessThan(200);
    const lostBytes = [...lost, page].reduce((sum, [, record]) => sum + record.length, 0);
    // Files of lost bundles may share other ones now, which their folders' pages name.
    const sent = fx.gateway.receivedBytes - before.bytes;
    expect(sent / lostBytes).toBeGreaterThan(0.95);
    expect(sent / lostBytes).toBeLessThan(1.05);
    expect(fx.gateway.asked).toBeGreaterThan(before.asked);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
    // The token is known now.
    const { asked } = fx.gateway;
    await fx.run({}, { aheadMs: 10_000 });
    expect(fx.gateway.asked).toBe(asked);
  });

  test("wrong bytes under an id are found by reading back and replaced", async () => {
    for (let index = 0; index < 90; index++)
      writeFileSync(join(fx.source, `l${index}`), noise(300_000, index + 1));
    await fx.run();
    for (const [id, record] of fx.gateway.records)
      if (record[5] === 1) fx.gateway.records.set(id, spoilt(record));
    const honest = new MemoryGateway();
    for (const [id, record] of fx.gateway.records) honest.records.set(id, record);
    await fx.run({}, { gateway: honest, readBackOneIn: 1 });
    expect(honest.suspects.length).toBeGreaterThan(80);
    expect(fx.warnings.filter((text) => text.includes("which device desktop wrote")).length).toBe(
      honest.suspects.length,
    );
    for (const id of honest.suspects) expect(honest.records.has(id)).toBe(true);
  });

  test("wrong bytes that another device stores while a first backup runs are found and replaced, too", async () => {
    largeFiles();
    await fx.run();
    const all = new Map(fx.gateway.records);
    fx.gateway = new MemoryGateway();
    let bodies = 0;
    fx.gateway.beforeRecords = () => {
      if (bodies++ !== 0) return;
      for (const [id, record] of all) if (record[5] === 1) fx.gateway.records.set(id, spoilt(record));
    };
    await fx.run({}, { readBackOneIn: 1 });
    expect(new Set(fx.gateway.suspects)).toEqual(
      new Set([...all].filter(([, record]) => record[5] === 1).map(([id]) => id)),
    );
    expect(fx.warnings.some((text) => text.includes("which device desktop wrote"))).toBe(true);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a file that grows while it is read is a warning and a snapshot that fits itself", async () => {
    const file = join(fx.source, "growing");
    writeFileSync(file, noise(30 * 2 ** 20, 1));
    const timer = setInterval(() => appendFileSync(file, noise(1000, 2)), 1);
    try {
      await fx.run();
    } finally {
      clearInterval(timer);
    }
    expect(fx.warnings.join()).toMatch(/changed while it was read/);
    expect(snapshotFacts(fx.gateway, fx.source).get(file)).toMatch(/^file/);
    await fx.run();
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });

  test("a folder that does not exist stops the run before it starts", async () => {
    expect(() => resolveTopPaths([join(fx.source, "missing")])).toThrow(/does not exist/);
    expect(fx.gateway.head).toBeNull();
  });

  test("a named file of a pseudo file system is a warning: its bytes are not kept", async () => {
    fx.smallTree(2);
    await fx.run({ paths: resolveTopPaths([fx.source, "/proc/self/mem"]) });
    expect(fx.warnings).toEqual([expect.stringMatching(/mem.*pseudo file system.*kept as an empty file/)]);
  });

  test("an invalid filter stops the run before it starts", async () => {
    await expect(fx.run({ rules: { excludeRegexes: ["("] } })).rejects.toMatchObject({
      code: ErrorCode.usage,
    });
    expect(fx.gateway.receivedRecords).toBe(0);
  });

  test("a run that was stopped before it began, and one without a place for its cache", async () => {
    fx.smallTree(5);
    const ports = (): number =>
      process.getActiveResourcesInfo().filter((kind) => kind === "MessagePort").length;
    const before = ports();
    const stop = new AbortController();
    stop.abort();
    await expect(fx.run({}, { signal: stop.signal })).rejects.toMatchObject({ code: ErrorCode.cancelled });
    fx.cachePath = join(fx.source, "missing", "cache");
    await expect(fx.run()).rejects.toMatchObject({ code: ErrorCode.ioError });
    expect(fx.gateway.receivedRecords).toBe(0);
    // No worker is left that would keep this process alive.
    expect(ports()).toBeLessThanOrEqual(before);
  });

  test("a run that fails half-way leaves no descriptor open and asks for nothing more", async () => {
    fx.smallTree(300);
    for (let index = 0; index < 6; index++)
      writeFileSync(join(fx.source, `l${index}`), noise(5_000_000, index + 1));
    await fx.run(); // whatever is opened once, is open now
    rmSync(fx.cachePath);
    fx.gateway = new MemoryGateway();
    const before = readdirSync("/proc/self/fd").length;
    fx.gateway.beforeRecords = () => {
      if (fx.gateway.receivedRecords > 3)
        throw new HoldfastError(ErrorCode.diskFull, "no room at the gateway");
    };
    await expect(fx.run()).rejects.toMatchObject({ code: ErrorCode.diskFull });
    expect(readdirSync("/proc/self/fd").length).toBe(before);
    const received = fx.gateway.receivedRecords;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(fx.gateway.receivedRecords).toBe(received);
  });

  test("a cache that cannot be kept does not undo a snapshot", async () => {
    fx.smallTree(20);
    mkdirSync(`${fx.cachePath}.sweep`); // where a hint for the next run would go
    await fx.run();
    writeFileSync(join(fx.source, "more"), noise(900_000, 5));
    await fx.run();
    expect(fx.gateway.sequence).toBe(2);
    expect(fx.warnings.join()).toMatch(/the snapshot is committed, but the next run may be slower/);
    expect(snapshotFacts(fx.gateway, fx.source)).toEqual(folderFacts(fx.source));
  });
});
