// The log on a real disk: chain, rotation, what a stop leaves, and what verifying finds.

import { appendFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterEach, beforeEach, expect, test } from "vitest";
import { AuditLog, type AuditLogOptions } from "../../../gateway/audit/auditLog.ts";
import {
  encodeLine,
  type LineSeal,
  lineBytesMax,
  nextLine,
  noHead,
  parseLine,
} from "../../../gateway/audit/entry.ts";
import type { AuditFacts } from "../../../gateway/audit/events.ts";
import { listEntries, type NotedHead, verifyLog } from "../../../gateway/audit/readLog.ts";
import { isHoldfastError } from "../../../vault/errors.ts";

let folder: string;
const logs: AuditLog[] = [];

beforeEach(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "holdfast-audit-")), "audit");
});
afterEach(async () => {
  for (const log of logs.splice(0)) await log.close();
  await rm(join(folder, ".."), { recursive: true, force: true });
});

function open(options: Partial<AuditLogOptions> = {}): AuditLog {
  const log = new AuditLog({
    ...{ folder, seal: undefined, now: () => new Date(1_000_000), warn: () => undefined },
    ...options,
  });
  logs.push(log);
  return log;
}

function fact(n: number, more = ""): AuditFacts {
  return {
    event: "login.accepted",
    outcome: "done",
    actor: { kind: "account", account: "anna" },
    address: "192.0.2.1",
    subject: { n, more },
  };
}

async function write(from: number, count: number, options: Partial<AuditLogOptions> = {}): Promise<void> {
  const log = open(options);
  for (let n = from; n < from + count; n++) await log.record(fact(n));
  await log.close();
}

const signal = new AbortController().signal;
const verify = (heads: NotedHead[] = [], seal?: LineSeal) =>
  verifyLog(folder, seal, { upTo: undefined, heads, onProgress: () => undefined, signal });
const numbers = async (seal?: LineSeal) =>
  (await listEntries(folder, seal, { after: 0, limit: 10_000, event: "login" })).entries.map(
    ({ subject }) => subject.n,
  );
const file = (number: number) => join(folder, `${String(number).padStart(8, "0")}.jsonl`);

test("lines are chained, also over files and restarts, and pages give each once", async () => {
  await write(0, 10, { fileBytesMax: 1000 });
  await write(10, 10, { fileBytesMax: 1000 });
  expect((await readdir(folder)).length).toBeGreaterThan(4);
  const { problems, notes, entries, head, firstSequence } = await verify();
  expect({ problems, notes, entries, firstSequence }).toEqual({
    problems: [],
    notes: [],
    entries: 21,
    firstSequence: 1,
  });
  expect(head.sequence).toBe(21);
  expect(await numbers()).toEqual([...Array(20).keys()]);
  const seen: unknown[] = [];
  for (let after: number | null = 0; after !== null; ) {
    const page = await listEntries(folder, undefined, { after, limit: 3 });
    seen.push(...page.entries.map(({ sequence }) => sequence));
    after = page.next;
  }
  expect(seen).toEqual([...Array(21).keys()].map((n) => n + 1));
});

test("record waits for the disk and note does not; many at a time keep their order", async () => {
  const log = open();
  log.note(fact(0));
  await Promise.all([...Array(2500).keys()].map((n) => log.record(fact(n + 1))));
  expect(await numbers()).toEqual([...Array(2501).keys()]);
  expect((await verify()).problems).toEqual([]);
});

test("what a stop leaves at the end stays where it is, and the log goes on behind it", async () => {
  for (const torn of [
    "{",
    '{"sequence":4,',
    "\0\0\0\0",
    "\0\0\n",
    "garbage\nmore\n",
    "x".repeat(2 * lineBytesMax),
  ]) {
    await rm(folder, { recursive: true, force: true });
    await write(0, 2);
    await appendFile(file(1), torn);
    const before = await readFile(file(1));
    // Nobody has written since: it is a note when the last line was not ended, else nobody knows.
    expect((await verify()).notes).toHaveLength(1);
    await write(2, 2);
    expect(await readFile(file(1))).toEqual(before);
    expect(await numbers()).toEqual([0, 1, 2, 3]);
    const { problems, notes } = await verify();
    expect(problems).toEqual([]);
    expect(notes).toEqual([expect.stringContaining(`1:${before.length - torn.length}:${torn.length}`)]);
  }
});

test("a file without a whole line, or an empty one, does not hold the log up", async () => {
  await write(0, 2);
  await writeFile(file(2), "");
  await write(2, 1);
  await writeFile(file(3), "nothing whole");
  await write(3, 1);
  expect(await numbers()).toEqual([0, 1, 2, 3]);
  expect((await verify()).problems).toEqual([]);
});

test("every change, cut and insertion in the middle is found", async () => {
  await write(0, 6, { fileBytesMax: 1200 });
  const { head } = await verify();
  const noted = { ...head, by: "auditor" };
  const bytes = await readFile(file(1));
  const text = bytes.toString();
  const lines = text.split("\n");
  const cases: Record<string, string> = {
    "a byte": text.replace('"n":1', '"n":7'),
    "a line less": [lines[0], ...lines.slice(2)].join("\n"),
    "a line twice": [lines[0], lines[1], lines[1], ...lines.slice(2)].join("\n"),
    "two lines swapped": [lines[0], lines[2], lines[1], ...lines.slice(3)].join("\n"),
    "the first line less": lines.slice(1).join("\n"),
    "the file's last line less": `${lines.slice(0, -2).join("\n")}\n`,
    nothing: "",
  };
  for (const [name, changed] of Object.entries(cases)) {
    await writeFile(file(1), changed);
    const { problemsInAll, notes } = await verify([noted]);
    // What begins later looks like a log whose oldest file was moved away: it says so.
    if (name === "the first line less" || name === "nothing") expect(notes.join()).toContain("not here");
    else expect([name, problemsInAll > 0]).toEqual([name, true]);
  }
  await writeFile(file(1), bytes);
  expect((await verify([noted])).problems).toEqual([]);
});

test("a cut end and hashes that were worked out anew are found by a head that somebody noted", async () => {
  await write(0, 5);
  const { head } = await verify();
  const noted = { ...head, by: "replica usb" };
  const lines = (await readFile(file(1), "utf8")).split("\n");
  await writeFile(file(1), `${lines.slice(0, 3).join("\n")}\n`);
  expect((await verify()).problems).toEqual([]);
  expect((await verify([noted])).problems).toEqual([
    expect.stringContaining("line 6, which replica usb noted"),
  ]);
  // The thief goes on with lines of his own.
  await write(10, 5);
  expect((await verify()).problems).toEqual([]);
  expect((await verify([noted])).problems).toEqual([expect.stringContaining("another one")]);
  await rm(folder, { recursive: true });
  expect((await verify([noted])).problems).toHaveLength(1);
});

test("a log that cannot be written loses nothing, says so, and goes on when it can", async () => {
  const warned: number[] = [];
  await mkdir(folder, { recursive: true });
  await mkdir(file(1));
  const log = open({ warn: (_error, waiting) => void warned.push(waiting), waitingMax: 5 });
  await log.record(fact(0));
  for (let n = 1; n < 8; n++) log.note(fact(n));
  expect(warned[0]).toBeGreaterThan(0);
  await rm(file(1), { recursive: true });
  await log.flush();
  const { entries } = await listEntries(folder, undefined, { after: 0, limit: 100 });
  expect(entries.filter(({ event }) => event === "login.accepted").map(({ subject }) => subject.n)).toEqual([
    0, 1, 2, 3, 4,
  ]);
  expect(entries.find(({ event }) => event === "log.lost")?.subject).toEqual({ events: 3 });
  expect((await verify()).problems).toEqual([]);
});

test("nothing of a box's log can be read without its key", async () => {
  const seal = { key: Buffer.alloc(32, 7), gateway: "ab".repeat(16) };
  await write(0, 3, { seal });
  expect(await readFile(file(1), "utf8")).not.toContain("anna");
  expect(await numbers(seal)).toEqual([0, 1, 2]);
  expect((await verify([], seal)).problems).toEqual([]);
  expect(await numbers({ ...seal, key: Buffer.alloc(32, 8) })).toEqual([]);
});

test("any texts come back cut to their limits, in a line that is not too long", () => {
  const words = fc.string({ unit: "binary", maxLength: 300 });
  fc.assert(
    fc.property(words, fc.array(words, { maxLength: 10 }), fc.boolean(), (text, list, sealed) => {
      const seal = sealed ? { key: Buffer.alloc(32, 1), gateway: "00".repeat(16) } : undefined;
      const facts: AuditFacts = {
        event: "snapshot.marked",
        outcome: "refused",
        code: "usage",
        actor: { kind: "device", device: text },
        address: text,
        subject: { text, list, nothing: null, yes: true },
      };
      const line = nextLine(noHead, "2026-11-26T00:00:00.000Z", facts);
      const bytes = encodeLine(line.text, seal);
      expect(bytes.length).toBeLessThanOrEqual(lineBytesMax);
      expect(bytes.includes(10)).toBe(false);
      const entry = parseLine(bytes, seal);
      expect({ sequence: entry.sequence, hash: entry.hash }).toEqual(line.head);
      if (entry.subject.cut !== true) expect(entry.subject.text).toBe(text.slice(0, 256).toWellFormed());
    }),
    { numRuns: 40 },
  );
});

test("no bytes in a file end the reader, and none of them pass for what was written", async () => {
  await write(0, 4);
  const bytes = await readFile(file(1));
  const { head } = await verify();
  const noted = { ...head, by: "auditor" };
  const change = fc.record({
    at: fc.nat(bytes.length - 1),
    cut: fc.nat(60),
    put: fc.uint8Array({ maxLength: 60 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
      let changed = bytes;
      for (const { at, cut, put } of changes) {
        changed = Buffer.concat([changed.subarray(0, at), put, changed.subarray(at + cut)]);
      }
      await writeFile(file(1), changed);
      const { problemsInAll, entries, notes } = await verify([noted]);
      const same = changed.equals(bytes);
      expect(problemsInAll === 0 && entries === 5 && notes.length === 0).toBe(same);
      await listEntries(folder, undefined, { after: 1, limit: 10 });
    }),
    { numRuns: 60 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.option(fc.json(), { nil: undefined }), (raw, json) => {
      const line = json === undefined ? raw : Buffer.from(json);
      try {
        parseLine(line, { key: Buffer.alloc(32), gateway: "00".repeat(16) });
        expect.unreachable();
      } catch (error) {
        expect(isHoldfastError(error)).toBe(true);
      }
    }),
  );
});
