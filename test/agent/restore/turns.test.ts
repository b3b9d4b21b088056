import { expect, test } from "vitest";
import { Turns, turnMemory } from "../../../agent/restore/turns.ts";

const directory = Buffer.from("a/b");

test("a turn is given back, also after work that failed", () => {
  const memory = turnMemory();
  const turns = new Turns(memory);
  expect(turns.take(directory, () => 1)).toBe(1);
  expect(() =>
    turns.take(directory, () => {
      throw new Error("no");
    }),
  ).toThrow("no");
  expect(new Int32Array(memory).every((word) => word === 0)).toBe(true);
});

test("a turn that was never given back holds nobody up for good", () => {
  const memory = turnMemory();
  new Int32Array(memory).fill(1);
  expect(new Turns(memory).take(directory, () => 2)).toBe(2);
});
