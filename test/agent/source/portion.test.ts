// What a portion lets in: within its limits, and always something that the base does not have.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { noLimits, Portion } from "../../../agent/source/portion.ts";

type File = { readonly size: number; readonly isNew: boolean; readonly fails: boolean };

const file = fc.record({ size: fc.nat(40), isNew: fc.boolean(), fails: fc.boolean() });

/** Offers files in order; those that were taken are settled when `due` says so, or when the portion waits for them. */
async function offer(portion: Portion, files: readonly File[], due: () => boolean): Promise<readonly File[]> {
  const taken: File[] = [];
  const reading: File[] = [];
  const settle = (): void => {
    const { size, isNew, fails } = reading.shift() as File;
    portion.settle(size, isNew, !fails);
  };
  for (const each of files) {
    let answer = portion.ask(each.size);
    for (; answer === "wait"; answer = portion.ask(each.size)) {
      expect(reading.some(({ isNew }) => isNew)).toBe(true);
      await portion.settlement(() => {
        while (reading[0]?.isNew === false) settle();
        settle();
      });
    }
    if (answer === "leave") portion.leave(each.size, () => Buffer.from(`file ${files.indexOf(each)}`));
    else {
      portion.take(each.size, each.isNew);
      taken.push(each);
      reading.push(each);
    }
    while (reading.length > 0 && due()) settle();
  }
  return taken;
}

describe("a portion", () => {
  test("leaves out nothing before something new was stored, and then what does not fit and all after it", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(file, { maxLength: 40 }),
        fc.integer({ min: 1, max: 200 }),
        fc.infiniteStream(fc.boolean()),
        async (files, bytesMax, dues) => {
          const portion = new Portion(1, { bytesMax, timeMs: undefined }, () => 0);
          const taken = await offer(portion, files, () => dues.next().value === true);
          const [first] = files.slice(taken.length);
          expect(taken).toEqual(files.slice(0, taken.length));
          expect(portion.closed).toBe(first !== undefined);
          if (first === undefined) return;
          expect(taken.some(({ isNew, fails }) => isNew && !fails)).toBe(true);
          expect(portion.stopped).toEqual({
            limit: "size",
            path: Buffer.from(`file ${files.indexOf(first)}`),
          });
          const bytes = taken.reduce((sum, { size }) => sum + size, first.size);
          expect(bytes).toBeGreaterThanOrEqual(bytesMax);
          // One file may go beyond the limit, and what could not be read does not count.
          const read = taken.slice(0, -1).filter(({ fails }) => !fails);
          const firstStored = read.findIndex(({ isNew }) => isNew);
          if (firstStored >= 0 && firstStored < read.length - 1)
            expect(read.reduce((sum, { size }) => sum + size, 0)).toBeLessThanOrEqual(
              Math.max(
                bytesMax,
                read.slice(0, firstStored + 1).reduce((sum, { size }) => sum + size, 0),
              ),
            );
        },
      ),
    );
  });

  test("ends by the clock, and not before something new was stored", async () => {
    let now = 1000;
    const portion = new Portion(1, { bytesMax: undefined, timeMs: 50 }, () => now);
    const one = { size: 5, isNew: true, fails: false };
    expect(await offer(portion, [one, one], () => true)).toHaveLength(2);
    now += 50;
    expect(await offer(portion, [one, one], () => true)).toHaveLength(0);
    expect(portion.stopped?.limit).toBe("time");
    const late = new Portion(1, { bytesMax: undefined, timeMs: 50 }, () => (now += 60));
    expect(await offer(late, [{ ...one, isNew: false }, one, one], () => false)).toHaveLength(2);
  });

  test("without limits takes everything", async () => {
    const files = Array.from({ length: 100 }, () => ({ size: 2 ** 50, isNew: true, fails: false }));
    const portion = new Portion(1, noLimits, () => Number.MAX_SAFE_INTEGER);
    expect(await offer(portion, files, () => true)).toHaveLength(100);
    expect(portion.closed).toBe(false);
  });
});
