// The scripts that come with the agent: that a plain shell reads them, and what zfs.sh asks of `zfs`, by a stand-in for it that keeps a list:
// there is no ZFS here. btrfs and fsfreeze are run for real (test/faults/snapshotHooks.test.ts).

import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test } from "vitest";
import { type ShippedSnapshot, scriptWords, shippedSnapshots } from "../../../agent/hooks/hooks.ts";

const pathOf = (name: ShippedSnapshot): string =>
  fileURLToPath(new URL(`../../../agent/hooks/${name}.sh`, import.meta.url));

test.each(shippedSnapshots)("%s.sh is there, and a plain shell reads it", (name) => {
  expect(scriptWords(name, "create", "/x")).toEqual(["/bin/sh", pathOf(name), "create", "/x"]);
  expect(spawnSync("/bin/sh", ["-n", pathOf(name)], { encoding: "utf8" })).toMatchObject({
    status: 0,
    stderr: "",
  });
});

test("zfs.sh makes and destroys just its own snapshot, and never a dataset", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-zfs-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const list = join(folder, "list");
  const program = (name: string, text: string): void =>
    writeFileSync(join(folder, name), `#!/bin/sh\n${text}\n`, { mode: 0o755 });
  program("findmnt", 'case "$*" in *--mountpoint*/data) echo tank/data ;; *) exit 1 ;; esac');
  program(
    "zfs",
    `case $1 in
     snapshot) echo "$2" >>${list} ;;
     list) [ "$*" = "list -H -t snapshot -o name" ] && cat ${list} ;;
     destroy) case $2 in *@*) grep -vxF "$2" ${list} >${list}.new; mv ${list}.new ${list} ;; *) echo gone >${list} ;; esac ;;
     *) exit 9 ;;
     esac`,
  );
  const name = "holdfast-0123456789abcdef";
  const others = ["tank/data@daily", `tank/data@${name}x`, `tank/x${name}@y`];
  writeFileSync(list, `${others.join("\n")}\n`);
  const run = (stage: "create" | "remove", argument: string) => {
    const [shell = "", ...words] = scriptWords("zfs", stage, argument);
    const env = {
      PATH: `${folder}:${process.env.PATH}`,
      HOLDFAST_SOURCE: "/data",
      HOLDFAST_SOURCE_SNAPSHOT: name,
    };
    return spawnSync(shell, words, { encoding: "utf8", env });
  };
  const lines = (): string[] => readFileSync(list, "utf8").trim().split("\n");

  expect(run("create", "/elsewhere")).toMatchObject({
    status: 1,
    stdout: "",
    stderr: expect.stringContaining("not where a ZFS dataset is mounted"),
  });
  expect(run("create", "/data")).toMatchObject({
    status: 0,
    stdout: `SNAPSHOT=/data/.zfs/snapshot/${name}\n`,
  });
  expect(lines()).toEqual([...others, `tank/data@${name}`]);
  for (const argument of [`/data/.zfs/snapshot/${name}`, ""]) {
    expect(run("remove", argument)).toMatchObject({ status: 0 });
    expect(lines()).toEqual(others);
  }
  rmSync(list);
  expect(run("remove", "").status, "a list that fails is no empty list").not.toBe(0);
});
