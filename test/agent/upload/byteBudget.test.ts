// The budget against its own definition, for random takes and gives.

import fc from "fast-check";
import { expect, test } from "vitest";
import { ByteBudget } from "../../../agent/upload/byteBudget.ts";

const settle = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test("what is taken stays within the budget, in the order it was asked for, and everything goes through", async () => {
  const ask = fc.oneof(fc.nat(100), fc.nat(1500));
  await fc.assert(
    fc.asyncProperty(
      fc.array(ask, { maxLength: 60 }),
      fc.infiniteStream(fc.boolean()),
      async (asks, gives) => {
        const budget = new ByteBudget(1000);
        const granted: number[] = [];
        const held: number[] = [];
        const asked = asks.map(async (bytes, index) => {
          await budget.take(bytes);
          granted.push(index);
          held.push(bytes);
          const taken = held.reduce((sum, each) => sum + each, 0);
          expect(taken <= 1000 || held.filter((each) => each > 0).length === 1).toBe(true);
          expect(budget.takenBytes).toBeGreaterThanOrEqual(taken);
        });
        while (granted.length < asks.length) {
          await settle();
          const random = gives.next().value === true;
          const bytes = random ? held.pop() : held.shift();
          if (bytes !== undefined) budget.give(bytes);
          else if (granted.length < asks.length) await settle();
        }
        await Promise.all(asked);
        expect(granted).toEqual(asks.map((_, index) => index));
        for (const bytes of held) budget.give(bytes);
        expect(budget.takenBytes).toBe(0);
      },
    ),
    { numRuns: 100 },
  );
});
