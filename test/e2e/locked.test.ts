// Locking by time and by command, under a drive of the running gateway.

import { spawn } from "node:child_process";
import { mkdirSync, writeFileSync } from "node:fs";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { describe, expect, onTestFinished, test } from "vitest";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import { done, enroll, makeSource, openSite } from "./program.ts";

/** Reads the start of a file again and again through one descriptor, a line of input for each. */
const holder = 'exec 3<"$1"; while read -r word; do dd bs=5 count=1 status=none <&3 2>&1; echo; done';

describe.skipIf(!canMount())("a gateway's drive", () => {
  test("closes when its time is over, also what is open; unlocking again while unlocked disturbs nobody", async () => {
    const site = await openSite();
    const state = await enroll(site, "one");
    const source = makeSource(site.folder);
    const text = "0123456789".repeat(100_000);
    writeFileSync(join(source, "digits"), text);
    await done("agent", "backup", source, "--state", state);
    const mountpoint = join(site.folder, "drive");
    mkdirSync(mountpoint);
    await done("gateway", "mount", mountpoint, "--data", site.data);
    const item = join(mountpoint, "alice", "one", "files");
    const digits = join(item, "latest", source, "digits");
    const unlock = (time: string) =>
      done("vault", "unlock", "alice", "--data", site.data, "--password-file", site.password, "--for", time);

    await unlock("1h");
    expect(await readFile(digits, "utf8")).toBe(text);
    const child = spawn("sh", ["-c", holder, "sh", digits], { stdio: ["pipe", "pipe", "inherit"] });
    onTestFinished(() => void child.kill());
    const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    const next = async (): Promise<string> => {
      child.stdin.write("next\n");
      return (await lines.next()).value as string;
    };
    expect(await next()).toBe("01234");
    await unlock("2h");
    expect(await next()).toBe("56789");
    await unlock("1s");
    await expect.poll(next).toMatch(/Permission denied/);
    await expect.poll(() => readdir(item)).toContain("LOCKED.txt");
    await expect(readFile(digits)).rejects.toMatchObject({ code: "EACCES" });
    await unlock("1h");
    await expect.poll(() => readFile(digits, "utf8").catch(() => "")).toBe(text);
    await done("vault", "lock", "alice", "--data", site.data);
    await expect(readFile(digits)).rejects.toMatchObject({ code: "EACCES" });
    await tool('umount -l "$1"', mountpoint);
  });
});
