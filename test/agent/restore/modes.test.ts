// Owner and mode of what a restore makes are right whatever the file system gives new files by itself: they are asked, and only what
// differs is set.

import { chmodSync, chownSync, lstatSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "../../fs/treeSpec.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

const uid = process.getuid?.() ?? 0;
const gid = process.getgid?.() ?? 0;
const mine = { uid, gid };
const modes = [
  0o000, 0o400, 0o444, 0o600, 0o604, 0o620, 0o640, 0o644, 0o664, 0o666, 0o700, 0o705, 0o755, 0o777, 0o1644,
  0o2755, 0o4755,
];

function everyMode(): NodeSpec {
  return directoryOf(
    modes.flatMap((mode): [string, NodeSpec][] => [
      [`file ${mode.toString(8)}`, fileOf("some content", { ...mine, mode })],
      [
        `folder ${mode.toString(8)}`,
        directoryOf({ inside: fileOf("x", { ...mine, mode }) }, { ...mine, mode }),
      ],
    ]),
    mine,
  );
}

function found(folder: string): string[] {
  return modes.flatMap((mode) =>
    ["file", "folder"].map((kind) => {
      const stat = lstatSync(join(folder, `${kind} ${mode.toString(8)}`));
      return `${kind} ${(stat.mode & 0o7777).toString(8)} ${stat.uid}:${stat.gid}`;
    }),
  );
}

const wanted = modes.flatMap((mode) =>
  ["file", "folder"].map((kind) => `${kind} ${mode.toString(8)} ${uid}:${gid}`),
);

describe("modes and owners", () => {
  const umask = process.umask();
  afterEach(() => {
    process.umask(umask);
  });

  test.each([0o000, 0o022, 0o077])("under umask %s", async (mask) => {
    process.umask(mask);
    const vault = new FixtureVault();
    const row = vault.snapshot(everyMode());
    const target = temporaryFolder();
    expect((await restoreTo(target, vault, row)).notes).toEqual([]);
    expect(found(target)).toEqual(wanted);
    // Over what is there, with every mode wrong.
    for (const mode of modes) chmodSync(join(target, `file ${mode.toString(8)}`), 0o611);
    expect((await restoreTo(target, vault, row)).notes).toEqual([]);
    expect(found(target)).toEqual(wanted);
  });

  test.skipIf(uid !== 0)("below a directory that gives its group away", async () => {
    const vault = new FixtureVault();
    const row = vault.snapshot(everyMode());
    const target = temporaryFolder();
    chownSync(target, 0, 4321);
    chmodSync(target, 0o2775);
    expect((await restoreTo(target, vault, row)).notes).toEqual([]);
    expect(found(target)).toEqual(wanted);
  });
});
