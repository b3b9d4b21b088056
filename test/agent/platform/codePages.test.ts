// Code that is given back is gone from memory, and comes again by itself.

import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { codePagesGiver, codeRanges } from "../../../agent/platform/codePages.ts";
import { usesLibc } from "../../../agent/platform/select.ts";

test("only code of the one file counts: nothing that was or can be written", () => {
  const maps = [
    "00400000-00800000 r--p 00000000 fe:00 123 /usr/bin/node",
    "00800000-02600000 r-xp 00400000 fe:00 123 /usr/bin/node",
    "02600000-02700000 rw-p 02200000 fe:00 123 /usr/bin/node",
    "7f0000000000-7f0000001000 r-xp 00000000 fe:00 9 /usr/lib/libc.so.6",
    "7f0000002000-7f0000003000 r-xp 00000000 00:00 0 ",
    "7f0000003000-7f0000004000 rwxp 00000000 00:00 0 /usr/bin/node",
  ].join("\n");
  expect(codeRanges(maps, "/usr/bin/node")).toEqual([{ start: 0x800000, bytes: 0x1e00000 }]);
});

test.skipIf(!usesLibc())("it leaves memory, and the program goes on", () => {
  const fileKiB = (): number =>
    Number(/^RssFile:\s+(\d+)/m.exec(readFileSync("/proc/self/status", "latin1"))?.[1]);
  const giveBack = codePagesGiver();
  const before = fileKiB();
  giveBack?.();
  expect(before - fileKiB()).toBeGreaterThan(5000);
  expect(JSON.parse(JSON.stringify({ a: [1, "2"] }))).toEqual({ a: [1, "2"] });
});
