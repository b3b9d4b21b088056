import { EventEmitter } from "node:events";
import { expect, test } from "vitest";
import { OutputWatch } from "../../appliance/cli/output/outputWatch.ts";

function watching(endsWithReader: boolean, isTTY = false) {
  const stdout = Object.assign(new EventEmitter(), { isTTY });
  const reasons: unknown[] = [];
  const watch = new OutputWatch(stdout, (reason) => reasons.push(reason));
  watch.endsWithReader = endsWithReader;
  const fails = (code: string): void =>
    void stdout.emit("error", Object.assign(new Error(code), { code, syscall: "write" }));
  return { watch, reasons, fails };
}

test.each(["EPIPE", "ECONNRESET"])(
  "a reader that goes away (%s) ends what only prints, and is no failure",
  (code) => {
    const listing = watching(true);
    listing.fails(code);
    expect([listing.watch.endedByReader, listing.watch.failure]).toEqual([true, undefined]);
    expect(listing.reasons).toHaveLength(1);
    const service = watching(false);
    service.fails(code);
    expect([service.watch.endedByReader, service.watch.failure, service.reasons]).toEqual([
      false,
      undefined,
      [],
    ]);
  },
);

test("what a file refuses ends what only prints, once; the rest goes on and ends with a warning", () => {
  const listing = watching(true);
  for (const code of ["ENOSPC", "EIO"]) listing.fails(code);
  expect(listing.watch.failure).toMatchObject({
    code: "disk-full",
    message: "stdout: no room left on the disk",
  });
  expect(listing.reasons).toEqual([listing.watch.failure]);
  expect([0, 1, 2, 3].map((status) => listing.watch.statusAfter(status as 0))).toEqual([1, 1, 2, 1]);
  const service = watching(false);
  service.fails("EDQUOT");
  expect([service.watch.failure?.code, service.reasons]).toEqual(["disk-full", []]);
  expect([0, 1, 2, 3].map((status) => service.watch.statusAfter(status as 0))).toEqual([3, 1, 2, 3]);
});

test("a terminal that is gone is nothing to tell; any other EIO is", () => {
  const terminal = watching(false, true);
  terminal.fails("EIO");
  expect(terminal.watch.failure).toBeUndefined();
  const file = watching(false);
  file.fails("EIO");
  expect(file.watch.failure?.code).toBe("io-error");
});
