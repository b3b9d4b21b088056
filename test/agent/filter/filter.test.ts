// Filters: the examples of docs/filters.md and every mistake.

import { describe, expect, test } from "vitest";
import { Filter } from "../../../agent/source/filter.ts";
import { parseGlob } from "../../../agent/source/glob.ts";
import { textOfName } from "../../../agent/source/nameText.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { excluded, verdict } from "./verdict.ts";

describe("excludes", () => {
  test.each([
    ["*.o", "src/a.o", true],
    ["*.o", "src/a.o/below", true],
    ["*.o", "src/a.oo", false],
    ["*.O", "src/a.o", false],
    ["(?i)*.O", "src/a.o", true],
    ["(?i)caf\u00c9", "caf\u00e9", true],
    ["foo/bar", "x/foo/bar", true],
    ["foo/bar", "x/foo/bar/y", true],
    ["foo/bar", "xfoo/bar", false],
    ["foo/bar", "foo/x/bar", false],
    ["/foo", "foo", true],
    ["/foo", "x/foo", false],
    ["cache/", "a/cache/", true],
    ["cache/", "a/cache", false],
    ["cache/", "a/cache/f", true],
    ["/a/**/z", "a/z", true],
    ["/a/**/z", "a/b/c/z", true],
    ["/a/**/z", "b/a/z", false],
    ["/a/**", "a/", false],
    ["/a/**", "a/b", true],
    ["**", "anything", true],
    ["**/", "file", false],
    ["**/", "folder/", true],
    ["a**b", "a/b", false],
    ["a**b", "axxb", true],
    ["?", "x", true],
    ["?", "日", true],
    ["??", "日", false],
    ["[a-c]", "b", true],
    ["[!a-c]", "b", false],
    ["[^a-c]x", "dx", true],
    ["[]]", "]", true],
    ["[a-]", "-", true],
    ["[\\]x]", "]", true],
    ["(?i)[A-C]", "b", true],
    ["(?i)[!A-C]", "b", false],
    ["\\*", "*", true],
    ["\\*", "x", false],
    ["*", ".hidden", true],
    ["a//b/", "a/b/", true],
    ["Jäger", "Jäger", true],
  ])("%s on %s: %s", (exclude, path, expected) => {
    expect(excluded(exclude, path)).toBe(expected);
  });

  test("see the full path, folders above the top among it", () => {
    expect(excluded("home/bob/cache", "cache/", "/home/bob")).toBe(true);
    expect(excluded("/home/bob/cache", "cache/", "/home/bob")).toBe(true);
    expect(excluded("/cache", "cache/", "/home/bob")).toBe(false);
    expect(excluded("bob", "cache/", "/home/bob"), "the top folder was named by the user").toBe(false);
  });

  test("of the top folder itself are told", () => {
    const filter = new Filter({ excludes: ["/home/bob"], excludeRegexes: ["^/srv/[^/]*$"] });
    expect(filter.excludesTop(Buffer.from("/home/bob"))).toBe(true);
    expect(filter.excludesTop(Buffer.from("/home/bob/x"))).toBe(false);
    expect(filter.excludesTop(Buffer.from("/home"))).toBe(false);
    expect(filter.excludesTop(Buffer.from("/srv/a"))).toBe(true);
    expect(filter.excludesTop(Buffer.from("/"))).toBe(false);
  });

  test("by regular expression see the full path and prune", () => {
    const rules = {
      excludeRegexes: ["^/home/[^/]+/\\.cache$", "(?i)\\.TMP$", "(?P<x>q)q", "(?P<x>w)w", "\\Qa.b"],
    };
    expect(verdict(rules, ".cache/", "/home/bob")).toBe("skip");
    expect(verdict(rules, ".cache/x/y", "/home/bob")).toBe("skip");
    expect(verdict(rules, "x/.cache/", "/home/bob")).toBe("keep");
    expect(verdict(rules, "a.tmp")).toBe("skip");
    expect(verdict(rules, "aqqb")).toBe("skip");
    expect(verdict(rules, "ww")).toBe("skip");
    expect(verdict(rules, "a.b")).toBe("skip");
    expect(verdict(rules, "axb")).toBe("keep");
  });

  test("names outside UTF-8 match byte by byte", () => {
    const name = Buffer.from([0x61, 0xff, 0x62]);
    expect(textOfName(name)).toBe("a\udcffb");
    expect(verdict({ excludes: ["a?b"] }, name)).toBe("skip");
    expect(verdict({ excludes: ["a??b"] }, name)).toBe("keep");
    expect(verdict({ excludes: ["a\udcffb"] }, name)).toBe("skip");
    expect(verdict({ excludes: ["a*"] }, name)).toBe("skip");
    expect(verdict({ excludes: ["[!z]*"] }, name)).toBe("skip");
    expect(verdict({ excludeRegexes: ["^/a.b$"] }, name)).toBe("skip");
    expect(verdict({ excludeRegexes: ["^/a\\x{DCFF}b$"] }, name)).toBe("skip");
    expect(verdict({ excludes: ["*\udca9"] }, "é"), "never inside a character").toBe("keep");
  });
});

describe("includes", () => {
  test.each([
    ["*.txt", "a.txt", "keep"],
    ["*.txt", "a.doc", "skip"],
    ["*.txt", "folder/", "pass"],
    ["*.txt", "folder/a.txt", "keep"],
    ["docs/", "x/docs/", "keep"],
    ["docs/", "x/docs/deep/file", "keep"],
    ["docs/", "x/docs", "skip"],
    ["/docs", "docs/", "keep"],
    ["/docs", "docs/any/file", "keep"],
    ["/docs", "other/", "skip"],
    ["/a/b/*.c", "a/", "pass"],
    ["/a/b/*.c", "a/b/", "pass"],
    ["/a/b/*.c", "a/x/", "skip"],
    ["/a/b/*.c", "a/b/c/", "skip"],
    ["/a/**", "a/", "pass"],
    ["/a/**", "a/x", "keep"],
    ["home/x", "x", "skip"],
  ] as const)("%s on %s: %s", (include, path, expected) => {
    expect(verdict({ includes: [include] }, path, "/home")).toBe(expected);
  });

  test("any of several, and an exclude wins", () => {
    const rules = { includes: ["*.txt", "/docs"], excludes: ["secret*"] };
    expect(verdict(rules, "docs/x")).toBe("keep");
    expect(verdict(rules, "docs/secret.txt")).toBe("skip");
    expect(verdict(rules, "y/a.txt")).toBe("keep");
    expect(verdict(rules, "y/a.doc")).toBe("skip");
  });

  test("by regular expression see the path below the top folder", () => {
    const rules = { includeRegexes: ["^/docs/.*\\.md$"] };
    expect(verdict(rules, "docs/a.md", "/home/bob")).toBe("keep");
    expect(verdict(rules, "docs/", "/home/bob")).toBe("pass");
    expect(verdict(rules, "x/docs/a.md", "/home/bob")).toBe("skip");
    expect(verdict({ includeRegexes: ["^/docs$"] }, "docs/any/file", "/home/bob")).toBe("keep");
  });
});

describe("invalid patterns are usage errors", () => {
  test.each([
    "",
    "/",
    "//",
    "[",
    "[a",
    "a[]",
    "[z-a]",
    "a\\",
    "\\/",
    "[a/b]",
    "[[:alpha:]]",
    "a/../b",
    "./a",
    "(?i)",
  ])("glob %s", (pattern) => {
    expect(() => new Filter({ excludes: [pattern] })).toThrow(/pattern .* is not valid/);
    try {
      new Filter({ includes: [pattern] });
    } catch (error) {
      expect(isHoldfastError(error, "usage")).toBe(true);
    }
  });

  test.each(["", "(", "a**", "(?=a)", "\\1", "[z-a]", "x{1001}", "a".repeat(5000)])(
    "regular expression %s",
    (pattern) => {
      expect(() => new Filter({ excludeRegexes: [pattern] })).toThrow(/is not valid/);
    },
  );

  test("a NUL, a half character and too long", () => {
    for (const pattern of ["a\0", "a\ud800", "a".repeat(5000)])
      expect(() => parseGlob(pattern)).toThrow(/is not valid/);
  });
});
