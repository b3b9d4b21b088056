import fc from "fast-check";
import { expect, test } from "vitest";
import { fromHex } from "../../vault/bytes.ts";
import { pathToText, textToPath } from "../../vault/pathText.ts";
import { outcome } from "./sampleVault.ts";

test.each([
  ["2f61", "/a"],
  ["2f5c", "/\\\\"],
  ["c3a9", "é"],
  ["c3", "\\xc3"],
  ["c3a9c35cff", "é\\xc3\\\\\\xff"],
  ["eda080", "\\xed\\xa0\\x80"], // a surrogate
  ["c080", "\\xc0\\x80"], // overlong
  ["f09f9880", "😀"],
  ["f09f98", "\\xf0\\x9f\\x98"],
  ["efbfbdff", "\ufffd\\xff"],
  ["efbbbf61", "\ufeffa"],
])("%s is %s", (hex, text) => {
  expect(pathToText(fromHex(hex))).toBe(text);
  expect(textToPath(text)).toEqual(fromHex(hex));
});

test("any bytes survive", () => {
  const bytes = fc.uint8Array({ maxLength: 200 });
  const nearlyText = fc
    .tuple(fc.string({ unit: "grapheme" }), bytes)
    .map(([text, tail]) => Buffer.concat([Buffer.from(text), tail]));
  fc.assert(
    fc.property(fc.oneof(bytes, nearlyText), (path) => {
      expect(textToPath(pathToText(path)).equals(path)).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test.each(["\\", "\\x", "\\xg0", "\\xFF", "\\n", "a\\"])("%s is refused", (text) => {
  expect(outcome(() => textToPath(text))).toBe("corrupt");
});
