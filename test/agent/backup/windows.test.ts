// Windows under random use: chunks that are held never overlap, and memory stays what was given.

import fc from "fast-check";
import { expect, test } from "vitest";
import type { Place } from "../../../agent/backup/messages.ts";
import { Windows } from "../../../agent/backup/windows.ts";

const windowBytes = 1000;
const windowCount = 3;

type Held = { readonly place: Place; readonly mark: number };

test("what is held keeps its bytes until it is released, and released memory comes back", () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant("take" as const), reserve: fc.nat(windowBytes), share: fc.nat(100) }),
    fc.record({ kind: fc.constant("release" as const), pick: fc.nat(1000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
      const memories = Array.from({ length: windowCount }, () => new SharedArrayBuffer(windowBytes));
      const windows = new Windows(5, memories);
      const held: Held[] = [];
      const view = ({ window, offset, length }: Place): Buffer =>
        Buffer.from(memories[window] as SharedArrayBuffer, offset, length);
      const check = ({ place, mark }: Held): void =>
        expect(view(place).every((byte) => byte === mark)).toBe(true);
      let mark = 0;
      for (const each of steps) {
        if (each.kind === "release") {
          const [gone] = held.splice(each.pick % (held.length || 1), 1);
          if (gone === undefined) continue;
          check(gone);
          windows.release(gone.place.window);
        } else if (windows.reserve(each.reserve)) {
          const rest = windows.rest();
          expect(rest.length).toBeGreaterThanOrEqual(each.reserve);
          const length = Math.floor((each.reserve * each.share) / 100);
          if (length === 0) continue;
          mark = (mark % 255) + 1;
          rest.subarray(0, length).fill(mark);
          const place = windows.take(length);
          expect(place).toMatchObject({ worker: 5, length });
          held.push({ place, mark });
        } else {
          // Only when every window holds something.
          expect(new Set(held.map(({ place }) => place.window)).size).toBe(windowCount);
        }
        for (const one of held) check(one);
      }
      for (const { place } of held) windows.release(place.window);
      for (let index = 0; index < windowCount; index++) {
        expect(windows.reserve(windowBytes)).toBe(true);
        windows.take(windowBytes);
      }
      expect(windows.reserve(1)).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test("misuse is refused", () => {
  const windows = new Windows(0, [new SharedArrayBuffer(10)]);
  expect(() => windows.reserve(11)).toThrow(/too small/);
  expect(() => windows.release(0)).toThrow(/twice/);
  expect(() => windows.release(1)).toThrow(/no window/);
});
