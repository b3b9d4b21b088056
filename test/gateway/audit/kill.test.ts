// kill -9 while lines are appended: what was told to be durable is there, once, and the chain is whole.

import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { listEntries, verifyLog } from "../../../gateway/audit/readLog.ts";

const kills = 4;
let folder: string;

beforeAll(async () => {
  folder = join(await mkdtemp(join(tmpdir(), "holdfast-audit-kill-")), "audit");
});
afterAll(async () => {
  await rm(join(folder, ".."), { recursive: true, force: true });
});

/** Runs the program until it said so many lines, and kills it in the midst of the next ones. Answers what it said. */
async function killedAfter(lines: number, first: number): Promise<number[]> {
  const program = new URL("./appendingProgram.ts", import.meta.url).pathname;
  const child = spawn(process.execPath, [program, folder, String(first)], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  let text = "";
  for await (const piece of child.stdout) {
    text += String(piece);
    if (text.split("\n").length > lines) child.kill("SIGKILL");
  }
  return text.split("\n").slice(0, -1).map(Number);
}

test(`what was durable survives ${kills} kills, and each is followed by a whole chain`, async () => {
  const said: number[] = [];
  for (let kill = 0; kill < kills; kill++) {
    said.push(...(await killedAfter(30 + kill * 57, kill * 1_000_000)));
    const { entries } = await listEntries(folder, undefined, { after: 0, limit: 1_000_000, event: "login" });
    const kept = entries.map(({ subject }) => subject.n);
    expect(new Set(kept).size).toBe(kept.length);
    expect(said.filter((n) => !kept.includes(n))).toEqual([]);
    const { problems } = await verifyLog(folder, undefined, {
      ...{ upTo: undefined, heads: [], onProgress: () => undefined },
      signal: new AbortController().signal,
    });
    expect(problems).toEqual([]);
  }
  expect(said.length).toBeGreaterThan(kills * 30);
});
