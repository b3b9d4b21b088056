// Snapshots that only root can make are refused to others before anything is noted, with what to do.

import { expect, test, vi } from "vitest";
import { HookJournal } from "../../../agent/hooks/hookJournal.ts";
import { makeSnapshot } from "../../../agent/hooks/sourceSnapshots.ts";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { HookFixture } from "./hookFixture.ts";

test.each(["lvm", "fsfreeze"] as const)("%s", async (scripts) => {
  const { state } = new HookFixture();
  const journal = new HookJournal(state);
  const run = vi.fn(async () => ({ failed: "planted", status: 1, stdout: Buffer.alloc(0) }));
  const port = { state, journal, platform: selectPlatform(), run };
  const source = {
    path: Buffer.from("/srv"),
    type: "ext4",
    device: "8:1",
    identity: { inode: 2n, birthNs: 0n },
    named: [],
  };
  const make = () => makeSnapshot(port as never, source as never, { scripts, timeoutMs: 1000 });
  const uid = vi.spyOn(process, "getuid").mockReturnValue(1234);
  try {
    await expect(make()).rejects.toMatchObject({
      code: ErrorCode.hookFailed,
      message: expect.stringContaining(`${scripts} needs root, and this backup runs as user 1234`),
      next: expect.stringContaining("--as-root"),
    });
    expect(run).not.toHaveBeenCalled();
    expect(journal.snapshots).toEqual([]);
    uid.mockReturnValue(0);
    await expect(make()).rejects.toMatchObject({ message: expect.stringContaining("planted") });
    expect(run).toHaveBeenCalledOnce();
  } finally {
    uid.mockRestore();
  }
});
