// A file of a snapshot as the input of a command: what it gets, and what it must not get.

import { existsSync, openSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { expect, test } from "vitest";
import { type IntoProgram, restoreIntoProgram } from "../../../agent/program/intoProgram.ts";
import { backupFixture, noise } from "../backup/backupFixture.ts";
import { testKeys } from "../backup/memoryGateway.ts";
import { backUpProgram, gone, newestTree, outputPath } from "./programFixture.ts";

const fx = backupFixture();
const warnings: string[] = [];

function restore(command: string, more: Partial<IntoProgram> = {}): Promise<{ readonly bytes: number }> {
  warnings.length = 0;
  return restoreIntoProgram({
    snapshot: newestTree(fx),
    keys: testKeys,
    path: outputPath,
    command,
    limits: { timeoutMs: undefined, idleMs: undefined },
    stdout: openSync("/dev/null", "w"),
    environment: process.env,
    warn: (what) => warnings.push(what),
    progress: () => undefined,
    steadyMs: () => performance.now(),
    signal: new AbortController().signal,
    ...more,
  });
}

/** Backs up bytes as the output of a program. */
async function stored(bytes: Buffer): Promise<void> {
  const path = join(fx.source, "stored");
  writeFileSync(path, bytes);
  await backUpProgram(fx, `cat '${path}'`);
}

test("it gets every byte, by whatever name it opens its input", async () => {
  const bytes = noise(9_876_543, 3);
  await stored(bytes);
  const target = join(fx.source, "target");
  expect(await restore(`cat > '${target}'`)).toEqual({ bytes: bytes.length });
  expect(readFileSync(target).equals(bytes)).toBe(true);
  await restore(`sleep 0.3; dd if=/dev/stdin of='${target}' bs=100000 status=none`);
  expect(readFileSync(target).equals(bytes)).toBe(true);
  expect(warnings).toEqual([]);
  await stored(Buffer.alloc(0));
  await restore(`cat > '${target}'`);
  expect(readFileSync(target).length).toBe(0);
});

test("what it says and how it ends is told", async () => {
  await stored(noise(3_000_000, 4));
  await restore("cat > /dev/null; echo NOTICE >&2");
  expect(warnings).toEqual(["the command says: NOTICE"]);
  await expect(restore("cat > /dev/null; exit 3")).rejects.toMatchObject({
    ...{ code: "program-failed", message: "the command ended with status 3" },
  });
  await expect(restore("exit 4")).rejects.toMatchObject({ code: "program-failed" });
  const some = await restore("head -c 1000 > /dev/null");
  expect(some.bytes).toBeLessThan(3_000_000);
  expect(warnings).toEqual([expect.stringContaining("ended before it had read all")]);
  // All of it fits into a pipe, and nobody read it.
  await stored(noise(50_000, 5));
  expect(await restore("true")).toEqual({ bytes: 0 });
  expect(warnings).toHaveLength(1);
});

test.each(["missing", "damaged"])(
  "a chunk is %s: the command is killed, and never sees the end of its input",
  async (how) => {
    const bytes = noise(20_000_000, 6);
    await stored(bytes);
    const last = [...fx.gateway.records]
      .filter(([, record]) => record.length > 200_000)
      .at(-1)?.[0] as string;
    const record = Buffer.from(fx.gateway.records.get(last) as Buffer);
    record[record.length - 30] = (record[record.length - 30] as number) ^ 1;
    if (how === "missing") fx.gateway.records.delete(last);
    else fx.gateway.records.set(last, record);
    const [target, end, pid] = ["target", "end", "pid"].map((name) => join(fx.source, name)) as [
      string,
      string,
      string,
    ];
    // Deaf, and behind another one whose death must not be the end for it.
    const command = `echo $$ > '${pid}'; cat | (trap '' TERM; cat > '${target}'; echo > '${end}')`;
    await expect(restore(command)).rejects.toMatchObject({
      code: how === "missing" ? "chunk-missing" : "chunk-damaged",
    });
    await gone(pid);
    expect(existsSync(end)).toBe(false);
    const got = readFileSync(target);
    expect(got.length).toBeLessThan(bytes.length);
    expect(got.equals(bytes.subarray(0, got.length))).toBe(true);
  },
);

test("limits, and being cancelled", async () => {
  await stored(noise(5_000_000, 8));
  const pid = join(fx.source, "pid");
  const hangs = `echo $$ > '${pid}'; exec sleep 1000`;
  await expect(restore(hangs, { limits: { timeoutMs: undefined, idleMs: 300 } })).rejects.toMatchObject({
    code: "program-failed",
    message: expect.stringContaining("idle-timeout"),
  });
  await gone(pid);
  // It has all of its input, and goes on for ever.
  const afterwards = `cat > /dev/null; ${hangs}`;
  await expect(restore(afterwards, { limits: { timeoutMs: 500, idleMs: undefined } })).rejects.toMatchObject({
    code: "program-failed",
  });
  await gone(pid);
  writeFileSync(pid, "");
  const stop = new AbortController();
  const ended = expect(restore(hangs, { signal: stop.signal })).rejects.toThrow("stop");
  while (readFileSync(pid, "utf8") === "") await pause(20);
  stop.abort(new Error("stop"));
  await ended;
  await gone(pid);
});
