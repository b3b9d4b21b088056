import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { allocateBlock, loadLibc } from "../../../agent/platform/libc.ts";
import { lastErrno, notingErrno } from "../../../agent/platform/notedErrno.ts";
import { Errno } from "../../../agent/platform/systemError.ts";

describe("a function that notes errno", () => {
  test.each([1, 2, 3, 4, 5, 6])(
    "with %i parameters passes them on, and reads errno once where it failed",
    (parameters) => {
      let answer = 0;
      let reads = 0;
      let current = 7;
      const asked: number[][] = [];
      const call = notingErrno(
        (...args) => {
          asked.push(args);
          return answer;
        },
        parameters,
        () => {
          reads++;
          return current;
        },
      );
      const args = Array.from({ length: parameters }, (_, i) => i + 10);
      expect(call(...args)).toBe(0);
      answer = 123;
      expect(call(...args)).toBe(123);
      expect(reads).toBe(0);
      answer = -1;
      expect(call(...args)).toBe(-1);
      expect(reads).toBe(1);
      // What runs afterwards changes nothing.
      current = 11;
      expect(lastErrno()).toBe(7);
      answer = 0;
      call(...args);
      expect(lastErrno()).toBe(7);
      current = 0;
      answer = -2;
      expect(call(...args)).toBe(-2);
      expect(lastErrno()).toBe(5);
      expect(asked).toEqual(Array.from({ length: 5 }, () => args));
    },
  );

  test("has one to six", () => {
    for (const parameters of [0, 7])
      expect(() =>
        notingErrno(
          () => 0,
          parameters,
          () => 0,
        ),
      ).toThrow();
  });
});

describe.skipIf(process.platform !== "linux")("the C library", () => {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-errno-"));
  afterAll(() => rmSync(folder, { recursive: true }));

  test("what failed last is told, also after calls that did not fail, and whatever Node does meanwhile", () => {
    const libc = loadLibc();
    const path = allocateBlock(4096);
    const room = allocateBlock(4096);
    path.bytes.write(`${folder}\0user.none\0`, "latin1");
    const name = path.address + folder.length + 1;
    expect(libc.lgetxattr(path.address, name, room.address, 4096)).toBe(-1);
    expect(libc.llistxattr(path.address, room.address, 4096)).toBeGreaterThanOrEqual(0);
    // Node's own failed call, which leaves ENOENT in errno.
    expect(() => rmSync(join(folder, "none"))).toThrow("ENOENT");
    expect(lastErrno()).toBe(Errno.ENODATA);
    expect(libc.close(1_000_000)).toBe(-1);
    expect(lastErrno()).toBe(9);
  });
});
