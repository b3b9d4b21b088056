// What the doctor says of a killed run's hooks.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { HookJournal } from "../../agent/hooks/hookJournal.ts";
import { checkHooks } from "../../appliance/doctor/agentChecks.ts";

test("a snapshot that was left is named, unless a run is at work; nothing left is nothing said", () => {
  const state = mkdtempSync(join(tmpdir(), "holdfast-doctor-"));
  onTestFinished(() => rmSync(state, { recursive: true }));
  expect(checkHooks(state)).toEqual([]);
  const journal = new HookJournal(state);
  const name = "holdfast-0123456789abcdef";
  const scripts = { create: "create", remove: "remove", check: undefined };
  journal.setSnapshot({ name, source: "/srv", scripts, timeoutMs: 1000, path: null });
  journal.setRun({ id: "0".repeat(32), item: "files", afterSnapshot: null, after: null, running: null });
  expect(checkHooks(state)).toMatchObject([
    {
      state: "note",
      message: expect.stringMatching(/1 snapshot.*holdfast-0123456789abcdef of \/srv.*of files/),
    },
  ]);
  writeFileSync(join(state, "lock"), `${process.pid}\n`);
  expect(checkHooks(state)).toEqual([]);
  writeFileSync(join(state, "lock"), "999999999\n");
  expect(checkHooks(state)).toHaveLength(1);
  journal.removeSnapshot(name);
  journal.setRun(undefined);
  expect(checkHooks(state)).toEqual([]);
  writeFileSync(join(state, "hooks.json"), "{", { mode: 0o600 });
  expect(checkHooks(state)).toMatchObject([
    { state: "note", message: expect.stringContaining("cannot be read") },
  ]);
});
