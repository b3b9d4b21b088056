import { describe, expect, test } from "vitest";
import { typesByDevice } from "../../../agent/platform/fileSystems.ts";
import {
  describeSystemError,
  displayPath,
  errnoName,
  SystemError,
} from "../../../agent/platform/systemError.ts";

describe("system errors", () => {
  test("names are Node's, and the rest keep their number", () => {
    expect([2, 13, 28, 40, 61, 95, 117, 122, 999].map(errnoName)).toEqual([
      ...["ENOENT", "EACCES", "ENOSPC", "ELOOP", "ENODATA", "ENOTSUP", "EUCLEAN", "EDQUOT", "E999"],
    ]);
  });

  test("one line for warnings", () => {
    const error = new SystemError(13, "open", Buffer.from("/a\nb"));
    expect(describeSystemError(error)).toBe("permission denied (EACCES)");
    expect(error.message).toBe("EACCES: permission denied, open '/a\\x0ab'");
    expect(describeSystemError(new Error("other"))).toBe("other");
    expect(describeSystemError(5)).toBe("5");
    expect(describeSystemError(new SystemError(122, "write", Buffer.from("f")))).toBe(
      "disk quota exceeded (EDQUOT)",
    );
    expect(describeSystemError(new SystemError(95, "setxattr", Buffer.from("f")))).toBe(
      "operation not supported (ENOTSUP)",
    );
    expect(describeSystemError(new SystemError(1, "symlink", Buffer.from("f")))).toBe(
      "a symbolic link cannot be made here: operation not permitted (EPERM)",
    );
  });

  test("paths print as one unambiguous line", () => {
    expect(displayPath(Buffer.from("/home/Zoë/日本"))).toBe("/home/Zoë/日本");
    expect(displayPath(Buffer.from("a\\b\tc\u202ed"))).toBe("a\\x5cb\\x09c\\xe2\\x80\\xaed");
    expect(displayPath(Buffer.from([0x61, 0xff, 0xc3, 0xa9]))).toBe("a\\xff\\xc3\\xa9");
    expect(displayPath(Buffer.from("\u{1f600}\u009f"))).toBe("\u{1f600}\\xc2\\x9f");
  });

  test("mount tables", () => {
    const text =
      "22 1 8:1 / / rw shared:1 - ext4 /dev/sda1 rw\n23 22 0:21 / /proc rw shared:2 master:3 - proc proc rw\nbroken\n";
    expect([...typesByDevice(text)]).toEqual([
      ["8:1", "ext4"],
      ["0:21", "proc"],
    ]);
  });
});
