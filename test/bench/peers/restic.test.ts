import { expect, test } from "vitest";
import { isAtLeast } from "./restic.ts";

test("versions are compared as numbers", () => {
  expect(isAtLeast("restic 0.14.0 compiled with go1.19.8", [0, 15])).toBe(false);
  expect(isAtLeast("restic 0.15.1", [0, 15])).toBe(true);
  expect(isAtLeast("restic 0.9.6", [0, 15])).toBe(false);
  expect(isAtLeast("restic 1.0.0", [0, 15])).toBe(true);
  expect(isAtLeast("", [0, 15])).toBe(false);
});
