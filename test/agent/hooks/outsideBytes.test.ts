// What hooks read from a file and from a script: whatever it is, it is taken, or refused as what it is.

import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import { HookJournal } from "../../../agent/hooks/hookJournal.ts";
import { printedPath } from "../../../agent/hooks/sourceSnapshots.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";

/** Bytes of any kind, and these with some cut off or changed. */
function damaged(whole: Buffer): fc.Arbitrary<Buffer> {
  const at = fc.nat(whole.length - 1);
  return fc.oneof(
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    at.map((length) => whole.subarray(0, length)),
    fc.tuple(at, fc.uint8Array({ minLength: 1, maxLength: 4 })).map(([from, bytes]) => {
      const copy = Buffer.from(whole);
      copy.set(bytes.slice(0, copy.length - from), from);
      return copy;
    }),
    fc.json().map((text) => Buffer.from(text)),
  );
}

test("hooks.json", () => {
  const state = mkdtempSync(join(tmpdir(), "holdfast-journal-"));
  onTestFinished(() => rmSync(state, { recursive: true }));
  const path = join(state, "hooks.json");
  const command = { text: "systemctl start app", timeoutMs: 600_000 };
  const run = {
    id: "0123456789abcdef".repeat(2),
    item: "files",
    afterSnapshot: null,
    after: command,
    running: null,
  };
  const snapshot = { name: "holdfast-0123456789abcdef", source: "/data", timeoutMs: 120_000, path: null };
  const journal = new HookJournal(state);
  journal.setRun(run);
  journal.setSnapshot({ ...snapshot, scripts: "lvm" });
  journal.setSnapshot({ ...snapshot, scripts: { create: "make", remove: "drop" }, path: "/snapshots/é" });
  const read = new HookJournal(state);
  expect(read).toMatchObject({
    run,
    wasDamaged: false,
    snapshots: [{ path: "/snapshots/é", scripts: { remove: "drop" } }],
  });
  const whole = readFileSync(path);
  fc.assert(
    fc.property(damaged(whole), (bytes) => {
      writeFileSync(path, bytes);
      const { wasDamaged, run: found, snapshots } = new HookJournal(state);
      if (wasDamaged) expect([found, snapshots]).toEqual([undefined, []]);
    }),
  );
});

test("the output of a create script", () => {
  fc.assert(
    fc.property(damaged(Buffer.from("made it\nSNAPSHOT=/data/.snapshots/one\nbye\n")), (bytes) => {
      try {
        expect(printedPath(bytes, "no snapshot")).toMatch(/^\//);
      } catch (error) {
        if (!isHoldfastError(error, ErrorCode.hookFailed)) throw error;
      }
    }),
  );
});
