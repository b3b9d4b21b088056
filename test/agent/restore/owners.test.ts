// Owners by name: a snapshot comes to a machine where the same people have other numbers.

import { lstatSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { FixtureVault } from "../../fs/fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "../../fs/treeSpec.ts";
import { restoreTo, temporaryFolder } from "./restoring.ts";

/** Numbers that nobody has here, as the other machine knew them. */
const theirs = { uid: 3_000_000_001, gid: 3_000_000_002 };

function ownersOf(folder: string, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.map((name) => {
      const { uid, gid } = lstatSync(join(folder, name));
      return [name, `${uid}:${gid}`];
    }),
  );
}

test.skipIf(process.getuid?.() !== 0)("names count before numbers, where they are known here", async () => {
  const platform = selectPlatform();
  const [daemon, mail] = [platform.userId("daemon"), platform.groupId("mail")];
  if (daemon === undefined || mail === undefined) throw new Error("no user daemon or no group mail here");
  const known = { userName: "daemon", groupName: "mail" };
  const unknown = { userName: "nobody-has-this-name", groupName: "nor-this" };
  const rows: Record<string, NodeSpec> = {
    file: fileOf("content", { ...theirs, ...known }),
    folder: directoryOf({}, { ...theirs, ...known }),
    link: { kind: "symlink", target: "nowhere", ...theirs, ...known },
    fifo: { kind: "fifo", ...theirs, ...known },
    stranger: fileOf("content", { ...theirs, ...unknown }),
    nameless: fileOf("content", theirs),
    half: fileOf("content", { ...theirs, userName: "daemon", groupName: "nor-this" }),
    // Who is number 0 there and has another name there does not become root here.
    renamed: fileOf("content", { uid: 0, gid: 0, ...known }),
    setuid: fileOf("program", { mode: 0o4755, ...theirs, ...known }),
  };
  const names = Object.keys(rows);
  const vault = new FixtureVault();
  const row = vault.snapshot(directoryOf(rows));
  const [asNamed, asNumbered] = [`${daemon}:${mail}`, `${theirs.uid}:${theirs.gid}`];

  const byName = temporaryFolder();
  expect((await restoreTo(byName, vault, row, { ownerByName: true })).notes).toEqual([]);
  expect(ownersOf(byName, names)).toEqual({
    file: asNamed,
    folder: asNamed,
    link: asNamed,
    fifo: asNamed,
    stranger: asNumbered,
    nameless: asNumbered,
    half: `${daemon}:${theirs.gid}`,
    renamed: asNamed,
    setuid: asNamed,
  });
  // Giving a file away takes its setuid bit: it must come after.
  expect(lstatSync(join(byName, "setuid")).mode & 0o7777).toBe(0o4755);

  const byNumber = temporaryFolder();
  expect((await restoreTo(byNumber, vault, row)).notes).toEqual([]);
  expect(ownersOf(byNumber, names)).toMatchObject({ file: asNumbered, link: asNumbered, renamed: "0:0" });

  // Over what is there: owners are put right, and right ones are left alone.
  await restoreTo(byNumber, vault, row, { ownerByName: true });
  expect(ownersOf(byNumber, names)).toEqual(ownersOf(byName, names));
  const inodes = names.map((name) => lstatSync(join(byName, name)).ino);
  expect((await restoreTo(byName, vault, row, { ownerByName: true })).fetchedRecords).toBe(0);
  expect(names.map((name) => lstatSync(join(byName, name)).ino)).toEqual(inodes);
});
