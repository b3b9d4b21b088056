// The glob language: parsing. docs/filters.md describes it for users.
//
// A glob is a list of segments; each is `**` (any number of folders) or the matcher of one name. A partial glob (no
// leading slash) begins with `**`. Every mistake is a usage error, so that no pattern silently means something else.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { codePoints, compileName, type GlobPart, type NameMatcher } from "./globName.ts";

/** Characters a pattern may have; a longer one is a mistake, not a wish. */
export const PATTERN_CHARS_MAX = 4096;

export type Segment = { readonly kind: "folders" } | { readonly kind: "name"; readonly matcher: NameMatcher };

export type Glob = {
  readonly segments: readonly Segment[];
  /** Written with a slash at the end: matches folders alone. */
  readonly foldersOnly: boolean;
};

const IGNORE_CASE = "(?i)";
const folders: Segment = { kind: "folders" };

/** A usage error that names the pattern. */
export function badPattern(pattern: string, why: string): HoldfastError {
  const shown = pattern.length > 100 ? `${pattern.slice(0, 100)}...` : pattern;
  return new HoldfastError(ErrorCode.usage, `the pattern ${JSON.stringify(shown)} is not valid: ${why}`, {
    next: "Correct the pattern; docs/filters.md has the language and examples.",
  });
}

/** Parses a glob. Throws `usage` where it is not valid. */
export function parseGlob(pattern: string): Glob {
  if (pattern.length > PATTERN_CHARS_MAX)
    throw badPattern(pattern, `longer than ${PATTERN_CHARS_MAX} characters`);
  const fold = pattern.startsWith(IGNORE_CASE);
  const text = fold ? pattern.slice(IGNORE_CASE.length) : pattern;
  const anchored = text.startsWith("/");
  const names = splitNames(pattern, text);
  if (names.length === 0) throw badPattern(pattern, "it names nothing");

  const segments: Segment[] = anchored ? [] : [folders];
  for (const parts of names) {
    if (parts.length === 2 && parts.every(({ kind }) => kind === "star")) {
      if (segments.at(-1) !== folders) segments.push(folders);
    } else segments.push({ kind: "name", matcher: compileName(joinStars(parts), fold) });
  }
  return { segments, foldersOnly: text.endsWith("/") };
}

/** The parts of every name between slashes; empty names (a leading, trailing or double slash) drop out. */
function splitNames(pattern: string, text: string): GlobPart[][] {
  const names: GlobPart[][] = [];
  let parts: GlobPart[] = [];
  const codes = codePoints(text);
  const endName = () => {
    if (parts.length > 0) names.push(parts);
    if (
      parts.length <= 2 &&
      parts.length > 0 &&
      parts.every((part) => part.kind === "char" && part.code === DOT)
    ) {
      throw badPattern(pattern, `"." and ".." never occur in a path`);
    }
    parts = [];
  };
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at] as number;
    if (code === 0) throw badPattern(pattern, "no name holds a NUL character");
    if (code >= 0xd800 && code <= 0xdfff && !(code >= 0xdc80 && code <= 0xdcff)) {
      throw badPattern(pattern, "it is not Unicode text");
    }
    if (code === SLASH) endName();
    else if (code === STAR) parts.push({ kind: "star" });
    else if (code === QUESTION) parts.push({ kind: "any" });
    else if (code === OPEN) {
      const { part, end } = parseClass(pattern, codes, at + 1);
      parts.push(part);
      at = end;
    } else if (code === BACKSLASH) {
      at++;
      parts.push({ kind: "char", code: escaped(pattern, codes[at]) });
    } else parts.push({ kind: "char", code });
  }
  endName();
  return names;
}

const codeOf = (char: string) => char.codePointAt(0) as number;
const [SLASH, STAR, QUESTION, OPEN, CLOSE] = [..."/*?[]"].map(codeOf);
const [BACKSLASH, DASH, BANG, CARET, COLON, DOT] = [..."\\-!^:."].map(codeOf);

function escaped(pattern: string, code: number | undefined): number {
  if (code === undefined) throw badPattern(pattern, "a backslash at the end escapes nothing");
  if (code === SLASH || code === 0) throw badPattern(pattern, "a slash cannot be part of a name");
  return code;
}

/** Parses a class from after its bracket; `end` is the offset of the closing one. */
function parseClass(
  pattern: string,
  codes: readonly number[],
  from: number,
): { part: GlobPart; end: number } {
  let at = from;
  const negated = codes[at] === BANG || codes[at] === CARET;
  if (negated) at++;
  const ranges: number[] = [];
  const first = at;

  const member = (): number => {
    const code = codes[at++];
    if (code === undefined) throw badPattern(pattern, "a [ has no matching ]");
    if (code === SLASH) throw badPattern(pattern, "a class never matches a slash");
    if (code === OPEN && codes[at] === COLON) {
      throw badPattern(
        pattern,
        "classes like [:alpha:] are not known; write ranges, or use a regular expression",
      );
    }
    return code === BACKSLASH ? escaped(pattern, codes[at++]) : code;
  };

  // A ] that comes first is a member, as in every shell.
  while (codes[at] !== CLOSE || at === first) {
    const low = member();
    let high = low;
    if (codes[at] === DASH && codes[at + 1] !== CLOSE && codes[at + 1] !== undefined) {
      at++;
      high = member();
      if (high < low) throw badPattern(pattern, "a range runs backwards");
    }
    ranges.push(low, high);
  }
  return { part: { kind: "class", negated, ranges }, end: at };
}

/** `**` inside a name means no more than `*`. */
function joinStars(parts: readonly GlobPart[]): GlobPart[] {
  return parts.filter((part, index) => part.kind !== "star" || parts[index - 1]?.kind !== "star");
}
