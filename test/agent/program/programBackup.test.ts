// What a program prints, backed up: the bytes, how it ends, and that nothing of it is left.

import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { describe, expect, test } from "vitest";
import { fileAt } from "../../../agent/inspect/listTree.ts";
import { backupFixture, noise } from "../backup/backupFixture.ts";
import { backUpProgram, gone, newestTree, output, outputPath } from "./programFixture.ts";

const fx = backupFixture();
const failed = { code: "program-failed" };

describe("the bytes", () => {
  test("are those that it printed, cut like a file with them, and what is known is not sent again", async () => {
    const path = join(fx.source, "out.bin");
    const bytes = noise(23_456_789, 7);
    writeFileSync(path, bytes);
    await fx.run();
    const again = await backUpProgram(fx, `cat '${path}'`);
    // One page of the directory, one of extents is the file's own.
    expect(again).toMatchObject({ newChunks: 1, counts: { files: 1, bytes: bytes.length } });
    expect((await output(fx)).equals(bytes)).toBe(true);
    bytes.fill(1, 11_000_000, 11_000_500);
    writeFileSync(path, bytes);
    const changed = await backUpProgram(fx, `cat '${path}'`);
    expect(changed.newChunks).toBeLessThan(6);
    expect((await output(fx)).equals(bytes)).toBe(true);
    expect(fx.gateway.sentTwice).toBe(0);
    expect(fx.warnings).toEqual([]);
  });

  test("slowly, in pieces, from a pipeline: a file of this user with the time of its end", async () => {
    const before = Date.now();
    await backUpProgram(fx, "(printf one; sleep 0.2; printf two; sleep 0.2; printf three) | cat");
    expect((await output(fx)).toString()).toBe("onetwothree");
    const file = await fileAt(newestTree(fx), outputPath);
    expect(file).toMatchObject({ mode: 0o600, uid: process.getuid?.(), size: 11, linkCount: 1 });
    expect(file.mtime.seconds * 1000).toBeGreaterThanOrEqual(before - 1000);
    expect(newestTree(fx).body).toMatchObject({
      ...{ files: 1, dirs: 0, others: 0, bytes: 11, warnings: 0, paths: ["/out.bin"] },
      program: { exit: 0, signal: null },
    });
  });

  test("the same without native calls", async () => {
    process.env.HOLDFAST_PLATFORM = "portable";
    try {
      await backUpProgram(fx, "seq 200000");
      expect((await output(fx)).toString()).toBe(
        Array.from({ length: 200_000 }, (_, at) => `${at + 1}\n`).join(""),
      );
    } finally {
      delete process.env.HOLDFAST_PLATFORM;
    }
  });

  test("stdin is empty, /dev/stdout can be opened, passwords are not handed on", async () => {
    const environment = { ...process.env, HOLDFAST_PASSWORD: "secret", OTHER: "there" };
    await backUpProgram(fx, "cat; env > /dev/stdout", { environment });
    const text = (await output(fx)).toString();
    expect(text).toContain("OTHER=there");
    expect(text).not.toContain("HOLDFAST_PASSWORD");
  });
});

describe("how it ends", () => {
  test("what it says on stderr is a warning, and so is nothing at all", async () => {
    await backUpProgram(fx, "echo dump; echo 'half a table' >&2");
    expect(fx.warnings).toEqual(["/out.bin: the command says: half a table"]);
    const nothing = await backUpProgram(fx, "true");
    expect(fx.warnings).toHaveLength(2);
    expect(nothing).toMatchObject({ warnings: 1, counts: { files: 1, bytes: 0 } });
    expect((await output(fx)).length).toBe(0);
  });

  test.each([
    ["echo dump; exit 3", "ended with status 3"],
    ["echo dump; kill -KILL $$", "was ended by SIGKILL"],
    ["/nowhere/dump", "ended with status 127 (not found)"],
  ])("%s: failed, and nothing is committed", async (command, what) => {
    await expect(backUpProgram(fx, command)).rejects.toMatchObject({
      ...failed,
      message: `the command ${what}`,
    });
    expect(fx.gateway.head).toBeNull();
  });

  test("what a failed one wrote is kept on demand, and marked; the next run is not misled by it", async () => {
    const kept = await backUpProgram(fx, "echo dump; exit 3", { keepFailed: true });
    expect(kept.program).toEqual({ end: { exit: 3, signal: null }, failed: "ended with status 3" });
    expect((await output(fx)).toString()).toBe("dump\n");
    const { header, body } = newestTree(fx);
    expect([header.flags.incomplete, body.program]).toEqual([true, { exit: 3, signal: null }]);
    await backUpProgram(fx, "echo dump");
    expect(newestTree(fx)).toMatchObject({ header: { flags: { incomplete: false }, sequence: 2 } });
  });
});

describe("limits and ends from outside", () => {
  test("one that writes for ever is stopped at --max-bytes, to the byte", async () => {
    const kept = await backUpProgram(fx, "yes", { bytesMax: 10_000_000, keepFailed: true });
    expect(kept.program?.end).toMatchObject({ stopped: "max-bytes" });
    expect((await output(fx)).equals(Buffer.alloc(10_000_000, "y\n"))).toBe(true);
    const exact = await backUpProgram(fx, "yes | head -c 10000000", { bytesMax: 10_000_000 });
    expect(exact.program?.failed).toBeUndefined();
  });

  test("one that hangs is stopped with all of its group, however deaf it is", async () => {
    const pid = join(fx.source, "pid");
    const limits = { timeoutMs: undefined, idleMs: 400 };
    const deaf = `echo dump; (trap '' TERM; echo $$ > '${pid}'; exec sleep 1000) & wait`;
    await expect(backUpProgram(fx, `echo $$; sleep 1000`, { limits })).rejects.toMatchObject(failed);
    const kept = await backUpProgram(fx, deaf, {
      limits: { timeoutMs: 400, idleMs: undefined },
      keepFailed: true,
    });
    expect(kept.program?.end).toMatchObject({ stopped: "program-timeout" });
    expect((await output(fx)).toString()).toBe("dump\n");
    await gone(pid);
  });

  test("what left the group and holds the output open does not hold up the run", async () => {
    const pid = join(fx.source, "pid");
    const command = `echo dump; setsid sh -c 'echo $$ > "$0"; exec sleep 1000' '${pid}' & exit 0`;
    const limits = { timeoutMs: undefined, idleMs: 400 };
    await expect(backUpProgram(fx, command, { limits })).rejects.toMatchObject(failed);
    process.kill(Number(readFileSync(pid, "utf8")), "SIGKILL");
    await gone(pid);
  });

  test("a run that is cancelled leaves no process, and is cancelled", async () => {
    const pid = join(fx.source, "pid");
    const stop = new AbortController();
    const run = backUpProgram(fx, `yes & echo $! > '${pid}'; wait`, {}, { signal: stop.signal });
    const ended = expect(run).rejects.toMatchObject({ code: "cancelled" });
    while (!existsSync(pid) || readFileSync(pid, "utf8") === "") await pause(20);
    stop.abort();
    await ended;
    await gone(pid);
    expect(fx.gateway.head).toBeNull();
  });

  test("a gateway that fails in the middle ends the program too", async () => {
    const pid = join(fx.source, "pid");
    fx.gateway.beforeRecords = () => {
      throw new Error("planned");
    };
    const command = `echo $$ > '${pid}'; while :; do head -c 1000000 /dev/urandom; done`;
    await expect(backUpProgram(fx, command)).rejects.toThrow("planned");
    await gone(pid);
  });
});
