import { expect, test } from "vitest";
import { mountsBelow } from "../lifetimes.ts";
import { memoryOf, parseMemory, parseStat, processTree, readCpu } from "./procfs.ts";

test("a process name with brackets and spaces does not shift the fields of stat", () => {
  const numbers = Array.from({ length: 49 }, (_, at) => at + 4).join(" ");
  expect(parseStat(`7 (a) b (c) R ${numbers}`)).toEqual({ own: (14 + 15) / 100, reaped: (16 + 17) / 100 });
});

test("memory is anonymous plus shared, without mapped files", () => {
  const status =
    "Name:\tx\nVmRSS:\t  999 kB\nRssAnon:\t     100 kB\nRssFile:\t 800 kB\nRssShmem:\t      28 kB\n";
  expect(parseMemory(status)).toBe(128 * 1024);
  expect(parseMemory("Name:\tzombie\nState:\tZ (zombie)\n")).toBe(0);
});

test("this very process has memory and has used CPU; a process that is gone has none", () => {
  expect(memoryOf(processTree(process.pid))).toBeGreaterThan(1 << 20);
  expect(readCpu("self").own).toBeGreaterThan(0);
  expect(readCpu(2 ** 30)).toEqual({ own: 0, reaped: 0 });
  expect(memoryOf(processTree(2 ** 30))).toBe(0);
});

test("mount points are found at and below a folder, deepest first, with their escapes undone", () => {
  const line = (point: string): string => `36 35 98:0 / ${point} rw,noatime - ext4 /dev/sda1 rw`;
  const mountinfo = ["/a", "/a/b\\040c", "/ab", "/"].map(line).join("\n");
  expect(mountsBelow("/a", mountinfo)).toEqual(["/a/b c", "/a"]);
});
