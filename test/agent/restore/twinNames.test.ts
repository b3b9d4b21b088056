import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { TwinNames } from "../../../agent/restore/twinNames.ts";

/** The twins that are found, name by name. */
function twinsOf(names: readonly string[]): (string | undefined)[] {
  const twins = new TwinNames();
  const sorted = names.map((name) => Buffer.from(name)).sort(Buffer.compare);
  return sorted.map((name) => twins.of(name)?.toString());
}

describe("names that are one where case is ignored", () => {
  it("are found after the first of them", () => {
    const none = undefined;
    // In the order of their bytes: B, Z, a, b, c, e\u0301, É, é.
    const names = ["a", "B", "b", "c", "É", "é", "e\u0301", "Z"];
    expect(twinsOf(names)).toEqual([none, none, none, "B", none, none, "e\u0301", "e\u0301"]);
    expect(twinsOf(["a", "b", "ab", "1", "-"]).every((twin) => twin === undefined)).toBe(true);
  });

  it("bytes that are no UTF-8 are names like any other", () => {
    const twins = new TwinNames();
    const names = [Buffer.from([0x41, 0xff]), Buffer.from([0x61, 0xff]), Buffer.from([0xff])];
    expect(names.map((name) => twins.of(name)?.toString("hex"))).toEqual([undefined, "41ff", undefined]);
  });

  it("each name but the first of every kind has one", () => {
    const name = fc.string({ unit: fc.constantFrom(..."aAbBçÇé1."), minLength: 1, maxLength: 4 });
    fc.assert(
      fc.property(fc.uniqueArray(name), (names) => {
        const found = twinsOf(names).filter((twin) => twin !== undefined).length;
        expect(found).toBe(names.length - new Set(names.map((one) => one.toLowerCase())).size);
      }),
    );
  });
});
