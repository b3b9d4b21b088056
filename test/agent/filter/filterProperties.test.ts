// Filters: properties against a naive matcher, and hostile patterns.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Filter } from "../../../agent/source/filter.ts";
import { textOfName } from "../../../agent/source/nameText.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { naiveGlob } from "./naiveGlob.ts";
import { excluded, verdict } from "./verdict.ts";

const nameChars = fc.constantFrom("a", "b", "B", ".", "é", "日", "\u{1f600}", "-");
const nameText = fc
  .array(nameChars, { minLength: 1, maxLength: 6 })
  .map((chars) => chars.join(""))
  .filter((name) => name !== "." && name !== "..");
const pathText = fc.array(nameText, { minLength: 1, maxLength: 5 }).map((names) => names.join("/"));
const globName = fc
  .array(
    fc.oneof(
      { weight: 3, arbitrary: nameChars },
      fc.constantFrom("*", "?", "[a-é]", "[!b]", "[]a]", "\\a", "**"),
    ),
    {
      minLength: 1,
      maxLength: 6,
    },
  )
  .map((parts) => parts.join(""))
  .filter((name) => !/^\.{1,2}$/.test(name));
const globText = fc
  .tuple(
    fc.constantFrom("", "/"),
    fc.array(fc.oneof(globName, fc.constant("**")), { minLength: 1, maxLength: 4 }),
    fc.constantFrom("", "/"),
  )
  .map(([head, names, tail]) => head + names.join("/") + tail);

describe("properties", () => {
  test("an exclude glob skips exactly what the naive matcher finds in the path or a folder above it", () => {
    fc.assert(
      fc.property(globText, pathText, fc.boolean(), (glob, path, isFolder) => {
        const names = path.split("/");
        const expected = names.some((_, index) => {
          const last = index === names.length - 1;
          return naiveGlob(glob, names.slice(0, index + 1).join("/"), !last || isFolder);
        });
        expect(excluded(glob, isFolder ? `${path}/` : path)).toBe(expected);
      }),
      { numRuns: 3000 },
    );
  });

  test("an include keeps what an exclude would skip, and passes every folder on the way", () => {
    fc.assert(
      fc.property(globText, pathText, fc.boolean(), (glob, path, isFolder) => {
        const shown = isFolder ? `${path}/` : path;
        const skipped = excluded(glob, shown);
        const kept = verdict({ includes: [glob] }, shown);
        if (skipped) expect(kept).toBe("keep");
        else expect(kept).not.toBe("keep");
      }),
      { numRuns: 2000 },
    );
  });

  test("a top folder changes nothing for excludes of the paths below it", () => {
    fc.assert(
      fc.property(globText, nameText, pathText, (glob, top, path) => {
        const whole = new Filter({ excludes: [glob] }).top(Buffer.from("/")).test(Buffer.from(top), true);
        fc.pre(whole !== "skip");
        expect(verdict({ excludes: [glob] }, path, `/${top}`)).toBe(
          verdict({ excludes: [glob] }, `${top}/${path}`),
        );
      }),
    );
  });

  test("texts of names are lossless and distinct", () => {
    const bytesOf = (text: string) =>
      Buffer.concat(
        [...text].map((char) => {
          const code = char.codePointAt(0) as number;
          return code >= 0xdc80 && code <= 0xdcff ? Buffer.from([code - 0xdc00]) : Buffer.from(char);
        }),
      );
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 6 }),
      fc.string({ unit: "grapheme", maxLength: 3 }).map((text) => Buffer.from(text)),
      fc
        .constantFrom([0xed, 0xa0, 0x80], [0xe2, 0x82], [0xf4, 0x90, 0x80, 0x80], [0xc0, 0x80])
        .map((b) => Buffer.from(b)),
    );
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 5 }), (pieces) => {
        const bytes = Buffer.concat(pieces);
        expect(bytesOf(textOfName(bytes)).equals(bytes)).toBe(true);
      }),
    );
  });

  test("any text as a pattern works or is a usage error", () => {
    const syntax = fc.string({
      unit: fc.constantFrom(..."*?[]!^-\\/().{}+|ai0,:<>P\0é\ud800"),
      maxLength: 40,
    });
    fc.assert(
      fc.property(fc.oneof(syntax, fc.string({ unit: "binary" })), nameText, (pattern, name) => {
        for (const rules of [{ excludes: [pattern] }, { includeRegexes: [pattern] }]) {
          try {
            verdict(rules, name);
          } catch (error) {
            if (!isHoldfastError(error, "usage")) throw error;
          }
        }
      }),
      { numRuns: 3000 },
    );
  });

  test("patterns made to blow up end at once", () => {
    const name = `${"a".repeat(254)}b`;
    const stars = "*a".repeat(120);
    expect(excluded(stars, name)).toBe(false);
    expect(excluded("?*".repeat(100), name)).toBe(true);
    const deep = Array.from({ length: 500 }, () => "a").join("/");
    expect(excluded(`${"**/a/".repeat(400)}b`, deep)).toBe(false);
    expect(verdict({ excludeRegexes: ["(a*)*(a+)+c", "(a?){200}a{200}$", "(.*.*.*.*)*x"] }, name)).toBe(
      "keep",
    );
  });
});
