// Versions of a path: on the command line, and as folders of a mounted drive that learns of new snapshots by itself.

import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { canMount, tool } from "../fs/fuse/mounting.ts";
import { done, enroll, holdfast, openSite } from "./program.ts";

type Version = {
  item: string;
  kind: string;
  size: number;
  snapshot: string;
  folder: string;
  snapshots: number;
};

test("agent history and .history", async () => {
  const site = await openSite();
  const state = await enroll(site, "one");
  const source = join(site.folder, "source");
  mkdirSync(join(source, "inner"), { recursive: true });
  const file = join(source, "inner", "b é.conf");
  const backup = () => done("agent", "backup", source, "--state", state);
  const mountpoint = join(site.folder, "drive");
  mkdirSync(mountpoint);
  const item = join(mountpoint, "alice", "one", "files");
  const history = join(item, ".history", file);

  writeFileSync(file, "first");
  await backup();
  await backup();
  if (canMount()) {
    await done("agent", "mount", mountpoint, "--state", state);
    expect(readdirSync(history)).toHaveLength(1);
  }
  writeFileSync(file, "second, longer");
  await backup();
  if (canMount()) {
    // The drive is told at once; there is no shorter limit here than that of the test.
    await expect.poll(() => readdirSync(history).length).toBe(2);
    const [one = "", two = ""] = readdirSync(history).toSorted();
    expect(readFileSync(join(history, one), "utf8")).toBe("first");
    expect(readFileSync(join(history, two), "utf8")).toBe("second, longer");
    expect(readdirSync(join(item, ".history", source))).toContain("inner");
    // Whoever goes through the item meets each snapshot once.
    const all = (await tool('find "$1" -name "*.conf"', item)).toString().trim().split("\n");
    expect(all).toHaveLength(3);
    await tool('umount "$1"', mountpoint);
  }
  rmSync(file);
  await backup();

  const json = await done("agent", "history", file, "--state", state, "--json");
  const versions = json
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Version);
  expect(versions).toMatchObject([
    { item: "files", kind: "absent", snapshots: 1 },
    { kind: "file", size: 14, snapshots: 1 },
    { kind: "file", size: 5, snapshots: 2, folder: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d{6}Z/) },
  ]);
  const text = await done("agent", "history", `${file}/`, "--state", state, "--item", "files");
  expect(text).toMatch(
    /^\S+Z [0-9a-f]{16} absent\n\S+Z [0-9a-f]{16} file 14 B\n\S+Z .* file 5 B until .*2 snapshots/,
  );
  const none = await holdfast("agent", "history", "/no/such", "--state", state);
  expect(none).toMatchObject({ status: 1, stdout: "" });
  expect(none.stderr).toContain("/no/such is in no snapshot");
});
