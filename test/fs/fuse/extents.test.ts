// lseek's SEEK_DATA and SEEK_HOLE against a map of every byte.

import fc from "fast-check";
import { expect, it } from "vitest";
import { Whence } from "../../../fs/fuse/kernel/abi.ts";
import { seek } from "../../../fs/fuse/kernel/extents.ts";
import { directory, MemoryView, sparseFile } from "../memoryView.ts";

it("agrees with a map of every byte", async () => {
  const runs = fc.array(fc.tuple(fc.integer({ min: 0, max: 5 }), fc.integer({ min: 1, max: 5 })), {
    maxLength: 8,
  });
  await fc.assert(
    fc.asyncProperty(runs, fc.integer({ min: 0, max: 4 }), async (pairs, tail) => {
      const bytes: boolean[] = [];
      const data = pairs.map(([gap, length]) => {
        bytes.push(...new Array<boolean>(gap).fill(false));
        const offset = BigInt(bytes.length);
        bytes.push(...new Array<boolean>(length).fill(true));
        return { offset, length: BigInt(length) };
      });
      bytes.push(...new Array<boolean>(tail).fill(false));
      const node = sparseFile(BigInt(bytes.length), data);
      const view = new MemoryView(directory([["f", node]]));
      for (let offset = 0; offset <= bytes.length + 1; offset++) {
        const found = (whence: number): Promise<bigint | undefined> =>
          seek(view, node, { offset: BigInt(offset), whence }, undefined);
        const next = (value: boolean): bigint | undefined => {
          const at = bytes.indexOf(value, offset);
          return at < 0 ? undefined : BigInt(at);
        };
        const end = offset < bytes.length ? BigInt(bytes.length) : undefined;
        expect(await found(Whence.data)).toBe(next(true));
        expect(await found(Whence.hole)).toBe(next(false) ?? end);
      }
    }),
  );
});
