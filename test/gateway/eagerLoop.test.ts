// The gateway's loop looks for the next request only where it pays, and never for long.

import { expect, test } from "vitest";
import { EagerLoop } from "../../gateway/api/eagerLoop.ts";

/** A loop with a clock that is set by hand; each turn takes 0.1 ms. */
function loopWithClock() {
  let nowMs = 1000;
  const waiting: (() => void)[] = [];
  const eager = new EagerLoop(
    () => nowMs,
    (work) => waiting.push(work),
  );
  return {
    eager,
    /** A request, and its answer. */
    exchange: (): void => {
      eager.arrived();
      eager.answered();
    },
    pass: (ms: number) => {
      nowMs += ms;
    },
    /** Turns until the loop would sleep. */
    turns: (): number => {
      let count = 0;
      for (let work = waiting.shift(); work !== undefined; work = waiting.shift()) {
        count += 1;
        nowMs += 0.1;
        work();
      }
      return count;
    },
  };
}

test("looks after an answer when the request came at once, and for half a millisecond", () => {
  const { exchange, pass, turns } = loopWithClock();
  exchange();
  expect(turns(), "the first request says nothing").toBe(0);
  pass(0.3);
  exchange();
  expect(turns()).toBe(5);
});

test("stops looking when a request comes, and looks again behind its answer", () => {
  const { eager, exchange, turns } = loopWithClock();
  exchange();
  exchange();
  eager.arrived();
  expect(turns()).toBe(1);
  eager.answered();
  expect(turns()).toBe(5);
});

test("an answer in the turn in which its request came is looked behind", () => {
  const { exchange, turns } = loopWithClock();
  exchange();
  exchange();
  exchange();
  expect(turns()).toBe(5);
});

test("a client that pauses is not looked for", () => {
  const { exchange, pass, turns } = loopWithClock();
  for (let request = 0; request < 3; request++) {
    exchange();
    expect(turns()).toBe(0);
    pass(2);
  }
});

test("requests beside each other are not a client that asks again", () => {
  const { eager, exchange, turns } = loopWithClock();
  eager.arrived();
  exchange();
  eager.answered();
  expect(turns()).toBe(0);
});
