// Filters: examples of docs/filters.md, properties against a naive matcher, and hostile patterns.

import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { Filter, type FilterRules, type Verdict } from "../../../agent/source/filter.ts";
import { parseGlob } from "../../../agent/source/glob.ts";
import { textOfName } from "../../../agent/source/nameText.ts";
import { isHoldfastError } from "../../../vault/errors.ts";
import { naiveGlob } from "./naiveGlob.ts";

/** The verdict on a path below a top folder, as a walker meets it: folder by folder. A slash at the end means a folder. */
function verdict(rules: FilterRules, path: string | Buffer, top = "/"): Verdict {
  const bytes = Buffer.from(path as string);
  const isFolder = bytes.at(-1) === 0x2f;
  const names: Buffer[] = [];
  for (let from = 0; from < bytes.length; ) {
    const slash = bytes.indexOf(0x2f, from);
    const end = slash < 0 ? bytes.length : slash;
    if (end > from) names.push(bytes.subarray(from, end));
    from = end + 1;
  }
  let folder = new Filter(rules).top(Buffer.from(top));
  const last = names.pop() as Buffer;
  for (const name of names) {
    if (folder.test(name, true) === "skip") return "skip";
    folder = folder.folder(name);
  }
  return folder.test(last, isFolder);
}

const excluded = (exclude: string, path: string, top = "/") =>
  verdict({ excludes: [exclude] }, path, top) === "skip";

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
