// Groups of names of one file, in random orders: who reads, who waits, who hears what.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { failedOutcome } from "../../../agent/backup/readSmall.ts";
import type { FileRead } from "../../../agent/source/fileIntake.ts";
import { HardLinks } from "../../../agent/source/hardLinks.ts";

function readOf(failed?: string): FileRead {
  return { outcome: { ...failedOutcome(failed), size: 1 }, content: undefined };
}

describe("hard links", () => {
  test("every name hears once: of its own read, or of the one it joined", () => {
    const name = fc.record({ group: fc.nat(6), fails: fc.boolean(), delay: fc.nat(8) });
    fc.assert(
      fc.property(fc.array(name, { maxLength: 60 }), fc.integer({ min: 1, max: 5 }), (names, kept) => {
        const links = new HardLinks(kept);
        const counts = new Map<number, number>();
        for (const { group } of names) counts.set(group, (counts.get(group) ?? 0) + 1);
        const heard = names.map((): FileRead[] => []);
        const reading: { key: string; due: number; index: number; read: FileRead }[] = [];
        const finish = (now: number): void => {
          for (const each of reading.filter(({ due }) => due <= now)) {
            reading.splice(reading.indexOf(each), 1);
            heard[each.index]?.push(each.read);
            links.settle(each.key, each.read);
          }
        };
        for (const [index, { group, fails, delay }] of names.entries()) {
          const key = `${group}`;
          if (!links.join(key, (read) => heard[index]?.push(read))) {
            links.start(key, counts.get(group) ?? 1);
            reading.push({ key, due: index + delay, index, read: readOf(fails ? "gone" : undefined) });
          }
          finish(index);
        }
        finish(Number.POSITIVE_INFINITY);
        for (const reads of heard) expect(reads.length).toBe(1);
        expect(links.size).toBeLessThanOrEqual(kept);
      }),
      { numRuns: 300 },
    );
  });

  test("nothing is kept of groups that are complete", () => {
    const links = new HardLinks();
    links.start("a", 2);
    expect(links.join("a", () => undefined)).toBe(true);
    links.settle("a", readOf());
    expect(links.size).toBe(0);
    links.start("b", 2);
    links.settle("b", readOf());
    expect(links.size).toBe(1);
    expect(links.join("b", () => undefined)).toBe(true);
    expect(links.size).toBe(0);
  });

  test("a name that comes after a failure reads by itself", () => {
    const links = new HardLinks();
    links.start("a", 3);
    const heard: FileRead[] = [];
    links.join("a", (read) => heard.push(read));
    links.settle("a", readOf("gone"));
    expect(heard.map(({ outcome }) => outcome.failed)).toEqual(["gone"]);
    expect(links.join("a", () => undefined)).toBe(false);
  });
});
