// What people and machines do all the time, and what the guard must not take for an attack.

import { mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, expect, test } from "vitest";
import { noise } from "../../agent/backup/backupFixture.ts";
import { GuardedMachine } from "./guardedMachine.ts";

const seed = Number(process.env.HOLDFAST_SEED ?? 7);
const generations = 3;
let machine: GuardedMachine;

beforeAll(async () => {
  machine = await GuardedMachine.create(seed);
});
afterAll(async () => {
  await machine.remove();
});

/** Logs of twelve services: the newest is packed, the older ones get the next number. */
function rotateLogs(): void {
  const folder = join(machine.source, "log");
  mkdirSync(folder, { recursive: true });
  for (let service = 0; service < 12; service++) {
    const name = (end: string): string => join(folder, `service${service}.log${end}`);
    for (let n = generations; n > 0; n--) move(name(`.${n}.gz`), name(`.${n + 1}.gz`));
    rmSync(name(`.${generations + 1}.gz`), { force: true });
    const newest = name("");
    try {
      writeFileSync(name(".1.gz"), gzipSync(readFileSync(newest)));
    } catch {
      // The first time there is none.
    }
    writeFileSync(newest, machine.text(20_000));
  }
}

function move(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch {
    // There are fewer generations yet.
  }
}

test("a first backup, edits, logs, photos, another branch, a folder that is moved and one that goes", async () => {
  const photos = join(machine.source, "photos");
  const days: readonly (readonly [string, () => void])[] = [
    ["the first backup", () => machine.fill(150)],
    ["edits", () => machine.edit(0.02)],
    ["edits and logs", () => [machine.edit(0.03), rotateLogs()]],
    ["edits", () => machine.edit(0.01)],
    ["a new folder, as large as everything", () => machine.fill(150, join(machine.source, "new"))],
    [
      "photos, which do not shrink",
      () => {
        mkdirSync(photos);
        for (let n = 0; n < 100; n++) writeFileSync(join(photos, `${n}.jpg`), noise(20_000, 999 + n));
      },
    ],
    ["logs", rotateLogs],
    ["another branch: a third of the files", () => machine.edit(0.35)],
    ["a busy day", () => machine.edit(0.08)],
    ["logs", rotateLogs],
    ["a folder is moved", () => renameSync(join(machine.source, "new"), join(machine.source, "moved"))],
    ["and goes", () => rmSync(join(machine.source, "moved"), { recursive: true })],
    ["a busy day and logs", () => [machine.edit(0.06), rotateLogs()]],
  ];
  for (const [what, happens] of days) {
    happens();
    await machine.backup();
    expect((await machine.guard()).hold, `${what} (seed ${seed})`).toBeNull();
  }
  expect(machine.site.fixture.gateway.alerts.list(true)).toEqual([]);
}, 90_000);
