import fc from "fast-check";
import { expect, test } from "vitest";
import { HashQueue } from "../../../gateway/auth/hashQueue.ts";

const other = (name: string) => ({ name, known: false });
const known = (name: string) => ({ name, known: true });
function all<Job>(queue: HashQueue<Job>): Job[] {
  const jobs: Job[] = [];
  for (let job = queue.shift(); job !== undefined; job = queue.shift()) jobs.push(job);
  return jobs;
}

test("known sources go first, the others take turns, and each source's jobs keep their order", () => {
  const queue = new HashQueue<string>();
  for (const job of ["a1", "a2", "a3", "b1"]) queue.push(job, other(job.slice(0, 1)));
  queue.push("k1", known("k"));
  queue.push("k2", known("k"));
  expect([queue.shift(true), queue.shift(true), queue.shift(true)]).toEqual(["k1", "k2", undefined]);
  queue.push("k1", known("k"));
  expect(all(queue)).toEqual(["k1", "a1", "b1", "a2", "a3"]);
});

test("one source with many jobs keeps nobody out", () => {
  const queue = new HashQueue<string>(4);
  for (let n = 0; n < 4; n++) expect(queue.push(`a${n}`, other("a"))).toBeUndefined();
  expect(queue.push("b0", other("b"))).toBe("a3");
  expect(queue.push("c0", other("c"))).toBe("a2");
  expect(all(queue)).toEqual(["a0", "b0", "c0", "a1"]);
});

test("of many sources with a job each a random one goes, and never a known one", () => {
  const drawn = [0, 3, 4];
  const queue = new HashQueue<string>(4, () => drawn.shift() ?? 0);
  for (const name of ["a", "b", "c"]) queue.push(name, other(name));
  queue.push("k", known("k"));
  // Of a, b, c and the newcomer.
  expect(queue.push("d", other("d"))).toBe("a");
  expect(queue.push("e", other("e"))).toBe("e");
  expect(queue.push("l", known("l"))).toBeDefined();
  expect(all(queue).slice(0, 2)).toEqual(["k", "l"]);
});

test("nothing is lost or doubled, and no more wait than there are places", () => {
  const step = fc.record({
    name: fc.constantFrom("a", "b", "c", "d", "e"),
    known: fc.boolean(),
    shift: fc.boolean(),
  });
  fc.assert(
    fc.property(
      fc.array(step, { maxLength: 200 }),
      fc.integer({ min: 1, max: 8 }),
      fc.infiniteStream(fc.nat(1000)),
      (steps, places, draws) => {
        const queue = new HashQueue<number>(places, (below) => (draws.next().value as number) % below);
        const ended: number[] = [];
        steps.forEach(({ shift, ...source }, job) => {
          const out = queue.push(job, source);
          if (out !== undefined) ended.push(out);
          expect(queue.size).toBeLessThanOrEqual(places);
          const next = shift ? queue.shift() : undefined;
          if (next !== undefined) ended.push(next);
        });
        ended.push(...all(queue));
        expect(ended.toSorted((a, b) => a - b)).toEqual(steps.map((_step, job) => job));
      },
    ),
  );
});
