import { mkdtempSync, realpathSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { mountPoints, mountPointsIn, sourcesOf } from "../../../agent/hooks/sources.ts";
import { selectPlatform } from "../../../agent/platform/select.ts";

test("mount points are bytes, with what mountinfo writes in octal", () => {
  const lines = [
    "21 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw",
    "30 21 0:45 /@home /mnt/with\\040space\\134 rw - btrfs /dev/sdb rw",
    `31 21 0:46 / /mnt/${Buffer.from("é").toString("latin1")}\xff rw - zfs pool rw`,
    "",
  ];
  expect(mountPointsIn(lines.join("\n")).map((path) => path.toString("hex"))).toEqual(
    [
      Buffer.from("/"),
      Buffer.from("/mnt/with space\\"),
      Buffer.concat([Buffer.from("/mnt/é"), Buffer.of(0xff)]),
    ].map((path) => path.toString("hex")),
  );
});

test("paths of one file system are one source, and /proc is another", () => {
  const folder = realpathSync(mkdtempSync(join(tmpdir(), "holdfast-sources-")));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const named = [folder, join(folder, ".."), "/proc/self/"].map((path) => Buffer.from(realpathSync(path)));
  const [one, kernel, ...more] = sourcesOf(selectPlatform(), named, mountPoints());
  expect(more).toEqual([]);
  expect(one?.named).toEqual(named.slice(0, 2));
  expect(folder.startsWith(one?.path.toString() ?? "none")).toBe(true);
  expect(kernel).toMatchObject({ path: Buffer.from("/proc"), type: "proc", named: named.slice(2) });
});
