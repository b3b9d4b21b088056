// What people and programs see: lines, JSON, progress, errors.

import { describe, expect, test } from "vitest";
import { ExitStatus, failureOf, statusOf } from "../../appliance/cli/exitStatus.ts";
import { Output } from "../../appliance/cli/output/output.ts";
import { progressText, shareDone } from "../../appliance/cli/output/progressLine.ts";
import { formatTable } from "../../appliance/cli/output/table.ts";
import { formatBytes, formatCount, formatDuration } from "../../appliance/cli/units.ts";
import { entryLine } from "../../appliance/entryLine.ts";
import { callOf } from "../../appliance/quickstart/tryNext.ts";
import { shellWord } from "../../appliance/shellWord.ts";
import { parseSnapshotPath } from "../../appliance/snapshotPath.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

class Sink {
  text = "";
  readonly isTTY: boolean;
  readonly columns = 200;

  constructor(isTTY = false) {
    this.isTTY = isTTY;
  }

  write(text: string | Uint8Array): boolean {
    this.text += text;
    return true;
  }
}

function open(options: { json?: boolean; quiet?: boolean; terminal?: boolean } = {}) {
  const [stdout, stderr] = [new Sink(), new Sink(options.terminal)];
  let now = 0;
  const output = new Output({
    json: options.json ?? false,
    quiet: options.quiet ?? false,
    stdout,
    stderr,
    nowMs: () => {
      now += 500;
      return now;
    },
  });
  return { output, stdout, stderr };
}

const failure = new HoldfastError(ErrorCode.notFound, "there is no snapshot\nabc", {
  next: "List them.",
  detail: { id: "abc" },
});

describe("exit status", () => {
  test("0 and 3 by warnings; 2 for usage; 1 for the rest", () => {
    expect([statusOf(0), statusOf(2)]).toEqual([ExitStatus.done, ExitStatus.warnings]);
    expect(failureOf(new HoldfastError(ErrorCode.usage, "x")).status).toBe(2);
    expect(failureOf(failure).status).toBe(1);
    const defect = failureOf(new TypeError("x is not a function"));
    expect([defect.status, defect.error.code, defect.stack === undefined]).toEqual([1, "internal", false]);
    expect(failureOf("text").error.message).toContain("text");
  });

  test("what the system refused is said in words", () => {
    const missing = Object.assign(new Error("ENOENT"), { code: "ENOENT", syscall: "open", path: "/x" });
    expect(failureOf(missing).error).toMatchObject({
      code: "not-found",
      message: "/x: no such file or directory",
    });
    const full = Object.assign(new Error("ENOSPC"), { code: "ENOSPC", syscall: "write", path: "/x" });
    expect(failureOf(full).error.code).toBe("disk-full");
    const noThread = Object.assign(new Error("EAGAIN"), { code: "ERR_WORKER_INIT_FAILED" });
    const { error, stack } = failureOf(noThread);
    expect(error).toMatchObject({ code: "io-error", message: "no thread could be started: EAGAIN" });
    expect([error.next, stack]).toEqual([expect.stringContaining("ulimit -u"), undefined]);
  });
});

describe("output", () => {
  test("for people: results on stdout, the rest on stderr; an error is one line", () => {
    const { output, stdout, stderr } = open();
    output.line("result");
    output.warn("cannot be read", "/a");
    output.event({ event: "done" });
    output.progress({ label: "backing up", files: 1, bytes: 1 });
    output.error(failure, undefined);
    expect(stdout.text).toBe("result\n");
    expect(stderr.text).toBe(
      "holdfast: warning: /a: cannot be read\nholdfast: there is no snapshot abc. List them.\n",
    );
    expect(output.warnings).toBe(1);
  });

  test("--json: one object per line, errors too", () => {
    const { output, stdout, stderr } = open({ json: true });
    output.line("result");
    output.warn("cannot be read", "/a");
    for (let i = 0; i < 4; i++) output.progress({ label: "backing up", files: i, bytes: 10 });
    output.event({ event: "done" });
    output.error(failure, undefined);
    const events = stdout.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(events[0]).toEqual({ event: "warning", path: "/a", message: "cannot be read" });
    // Progress comes once a second, not with every call.
    expect(events.filter(({ event }) => event === "progress")).toHaveLength(2);
    expect(events.at(-1)).toEqual({
      event: "error",
      code: "not-found",
      message: "there is no snapshot\nabc",
      next: "List them.",
      detail: { id: "abc" },
    });
    expect(stderr.text).toContain("List them.");
  });

  test("--json: what is counted has its name, another phase is told at once, and how long it will take", () => {
    const { output, stdout } = open({ json: true });
    output.progress({ label: "checking", unit: "list", bytes: 1, total_bytes: 10 });
    const copying = { label: "copying", unit: "record", total_files: 100 };
    for (let files = 0; files <= 50; files++) output.progress({ ...copying, files });
    const [checking, first, ...more] = stdout.text
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as Record<string, unknown>);
    expect(checking).toEqual({ event: "progress", phase: "checking", bytes: 1, total_bytes: 10 });
    expect(first).toEqual({ event: "progress", phase: "copying", records: 0, total_records: 100 });
    const last = more.at(-1)!;
    expect(Number(last.eta_seconds)).toBeGreaterThan(0);
    expect(last).toMatchObject({ phase: "copying", total_records: 100 });
  });

  test("--quiet: errors only, but what is shown once is shown", async () => {
    const { output, stdout, stderr } = open({ quiet: true, terminal: true });
    output.line("result");
    output.note("note");
    output.warn("cannot be read");
    output.progress({ label: "x", files: 1, bytes: 1 });
    output.once("HFA-KEY", { event: "recovery-key" });
    await output.bytes("content");
    expect(stdout.text).toBe("HFA-KEY\ncontent");
    expect(stderr.text).toBe("");
    expect(output.warnings).toBe(1);
  });

  test("a terminal gets a progress line that other words wipe first", () => {
    const { output, stderr } = open({ terminal: true });
    output.progress({ label: "backing up", files: 5, bytes: 2048, total_files: 10, total_bytes: 4096 });
    expect(stderr.text).toContain("[#####.....]  50%");
    output.warn("x");
    expect(stderr.text.endsWith("\r\u001b[Kholdfast: warning: x\n")).toBe(true);
  });
});

describe("progress", () => {
  test("share, rate and time left", () => {
    const state = {
      label: "backing up",
      files: 20,
      bytes: 2 * 1024 ** 2,
      total_files: 100,
      total_bytes: 4 * 1024 ** 2,
    };
    expect(shareDone(state)).toBe(0.5);
    const text = progressText(state, 10);
    expect(text).toContain("50%");
    expect(text).toContain("205 KiB/s");
    expect(text).toContain("10 s left");
    expect(shareDone({ ...state, bytes: 9 * 1024 ** 2 })).toBeLessThan(1);
    expect(shareDone({ label: "x", files: 1, bytes: 1 })).toBeUndefined();
  });

  test("of a portion: what may be read of it, or what is left of the whole", () => {
    const GiB = 1024 ** 3;
    const state = {
      label: "backing up, portion 3",
      files: 2000,
      bytes: 205 * GiB,
      portion: 3,
      portion_bytes: 5 * GiB,
      portion_bytes_max: 100 * GiB,
    };
    expect(shareDone(state)).toBe(0.05);
    expect(progressText(state, 100)).toMatch(
      /portion 3 .* 5% {2}2,000 files .* 51\.2 MiB\/s {2}31 min 40 s left$/,
    );
    expect(shareDone({ ...state, total_bytes: 215 * GiB })).toBeCloseTo(1 / 3);
    expect(shareDone({ ...state, total_bytes: 1 })).toBe(0.99);
    expect(shareDone({ ...state, portion_bytes: 0, total_bytes: 1 })).toBeUndefined();
  });

  test("a narrow terminal loses what matters least", () => {
    const state = { label: "backing up", files: 20, bytes: 2048, total_files: 100, total_bytes: 4096 };
    const widths = [99, 79, 60, 45, 30, 20, 12, 3, 0];
    expect(widths.map((columns) => progressText({ ...state, sent_bytes: 99 }, 10, columns))).toEqual([
      "backing up  [#####.....]  50%  20 files  2.00 KiB  205 B/s  sent 99 B  10 s left",
      "backing up  [#####.....]  50%  20 files  2.00 KiB  205 B/s  10 s left",
      "backing up  50%  20 files  2.00 KiB  205 B/s  10 s left",
      "backing up  50%  2.00 KiB  205 B/s  10 s left",
      "50%  2.00 KiB  10 s left",
      "50%  10 s left",
      "10 s left",
      "10 ",
      "",
    ]);
  });
});

test("units for people", () => {
  expect([0, 1023, 1024, 1536, 10_000_000, 2 ** 50].map(formatBytes)).toEqual([
    "0 B",
    "1023 B",
    "1.00 KiB",
    "1.50 KiB",
    "9.54 MiB",
    "1.00 PiB",
  ]);
  expect(formatBytes(1024 ** 2 - 1)).toBe("1.00 MiB");
  expect([0.42, 59.6, 65, 7300].map(formatDuration)).toEqual([
    "0.4 s",
    "1 min 00 s",
    "1 min 05 s",
    "2 h 01 min",
  ]);
  expect([formatCount(1, "file"), formatCount(12_345, "file")]).toEqual(["1 file", "12,345 files"]);
  expect(formatTable(["A", "LONG"], [["one", "x"]])).toBe("A    LONG\none  x");
});

test("an entry as ls shows it", () => {
  const entry = {
    path: "/usr/bin/su",
    kind: "file",
    mode: "4755",
    uid: 0,
    gid: 7,
    user: "root",
    group: "",
    size: 42,
    mtime: "2026-11-22T05:45:12.123456789Z",
    links: 1,
  } as const;
  expect(entryLine(entry)).toMatch(/^-rwsr-xr-x root 7 +42 2026-11-22T05:45:12Z \/usr\/bin\/su$/);
  expect(entryLine({ ...entry, kind: "symlink", mode: "1644", target: "x" })).toMatch(/^lrw-r--r-T .* -> x$/);
});

test("snapshot paths: bytes that are not UTF-8 by \\xHH, a backslash by two", () => {
  expect(parseSnapshotPath("latest")).toEqual({ snapshot: "latest", path: [] });
  expect(parseSnapshotPath("3f2a:/etc//hosts/").path.map(String)).toEqual(["etc", "hosts"]);
  expect(parseSnapshotPath("latest:/a:b").path.map(String)).toEqual(["a:b"]);
  expect(parseSnapshotPath("latest:/\\xff\\\\x").path).toEqual([Buffer.from([0xff, 0x5c, 0x78])]);
  expect(() => parseSnapshotPath("latest:/a\\b")).toThrow("not a path");
  expect(() => parseSnapshotPath(":/a")).toThrow("no snapshot");
});

test("words that are printed for a shell", () => {
  expect(shellWord("/a/b.c")).toBe("/a/b.c");
  expect(shellWord("it's here")).toBe("'it'\\''s here'");
  expect(callOf({ npm_lifecycle_event: "quickstart" })).toBe("npm run -s holdfast --");
  expect(callOf({})).toMatch(/bin\/holdfast$/);
});
