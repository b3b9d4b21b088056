// Which files a backup takes: excludes by full path, includes below the top folder. docs/filters.md is the user's page.
//
// Invariants: an exclude wins over an include; an excluded folder excludes everything below it; everything below an
// included folder is included. A FolderFilter is immutable and costs its folder's path and two small arrays.

import { createRequire } from "node:module";
import type * as Re2 from "re2js";
import { badPattern, PATTERN_CHARS_MAX, parseGlob } from "./glob.ts";
import { NameUnderTest } from "./globName.ts";
import { GlobSet, type GlobState } from "./globSet.ts";
import { textOfName } from "./nameText.ts";

/** Patterns as the user wrote them. */
export type FilterRules = {
  readonly excludes?: readonly string[];
  readonly excludeRegexes?: readonly string[];
  readonly includes?: readonly string[];
  readonly includeRegexes?: readonly string[];
};

/** What becomes of an entry. */
export const Verdict = {
  /** It belongs to the backup. */
  keep: "keep",
  /** A folder that is only a way to something included: it belongs to the backup if anything below it does. */
  pass: "pass",
  /** It and everything below it stays out. */
  skip: "skip",
} as const;
export type Verdict = (typeof Verdict)[keyof typeof Verdict];

const SLASH = 0x2f;

type Rules = {
  readonly excludes: GlobSet;
  readonly excludeRegexes: RegexSet;
  readonly includes: GlobSet;
  readonly includeRegexes: RegexSet;
  readonly hasIncludes: boolean;
};

type Place = {
  /** Full path and path below the top folder, each with a slash at the end; kept only where a regular expression needs them. */
  readonly path: string;
  readonly below: string;
  readonly excludes: GlobState;
  readonly includes: GlobState;
  /** This folder or one above it is included. */
  readonly included: boolean;
};

/** Compiled rules. */
export class Filter {
  readonly #rules: Rules;

  /** Throws `usage` for the first pattern that is not valid. */
  constructor(rules: FilterRules) {
    const { excludes = [], excludeRegexes = [], includes = [], includeRegexes = [] } = rules;
    this.#rules = {
      excludes: new GlobSet(excludes.map(parseGlob)),
      excludeRegexes: new RegexSet(excludeRegexes),
      includes: new GlobSet(includes.map(parseGlob)),
      includeRegexes: new RegexSet(includeRegexes),
      hasIncludes: includes.length + includeRegexes.length > 0,
    };
  }

  /**
   * The filter inside a top folder. `path` is absolute, without "." or ".." or a slash at the end ("/" is the root). A single
   * file that is backed up is tested in the folder that holds it.
   */
  top(path: Uint8Array): FolderFilter {
    const rules = this.#rules;
    let excludes = rules.excludes.start;
    for (const name of components(path)) excludes = rules.excludes.enter(excludes, new NameUnderTest(name));
    const text = textOfName(path);
    return new FolderFilter(rules, {
      path: rules.excludeRegexes.empty ? "" : text.endsWith("/") ? text : `${text}/`,
      below: "/",
      excludes,
      includes: rules.includes.start,
      included: !rules.hasIncludes,
    });
  }

  /** True where the excludes name the top folder itself (folders above it are not asked: the user named this one). */
  excludesTop(path: Uint8Array): boolean {
    const names = components(path);
    const last = names.pop();
    if (last === undefined) return this.#rules.excludeRegexes.test("/");
    const parent = Buffer.concat([Buffer.from("/"), ...names.flatMap((name) => [name, Buffer.from("/")])]);
    return this.top(parent.length > 1 ? parent.subarray(0, -1) : parent).excludes(last, true);
  }
}

/** The filter inside one folder. */
export class FolderFilter {
  readonly #rules: Rules;
  readonly #place: Place;

  constructor(rules: Rules, place: Place) {
    this.#rules = rules;
    this.#place = place;
  }

  /** True where every entry of this folder belongs to the backup. */
  get keepsAll(): boolean {
    return this.#place.included && this.#rules.excludes.empty && this.#rules.excludeRegexes.empty;
  }

  /** What becomes of an entry of this folder. Only real folders are folders: a link to one is not. */
  test(name: Uint8Array, isFolder: boolean): Verdict {
    const tested = new NameUnderTest(name);
    if (this.#excluded(tested, isFolder)) return Verdict.skip;
    if (this.#place.included || this.#included(tested, isFolder)) return Verdict.keep;
    if (!isFolder) return Verdict.skip;
    const reachable =
      !this.#rules.includeRegexes.empty ||
      this.#rules.includes.enter(this.#place.includes, tested).length > 0;
    return reachable ? Verdict.pass : Verdict.skip;
  }

  /** True where an exclude matches the entry. */
  excludes(name: Uint8Array, isFolder: boolean): boolean {
    return this.#excluded(new NameUnderTest(name), isFolder);
  }

  /** The filter inside a folder of this folder that was not skipped. */
  folder(name: Uint8Array): FolderFilter {
    const rules = this.#rules;
    const { path, below, excludes, includes, included } = this.#place;
    const tested = new NameUnderTest(name);
    const nowIncluded = included || this.#included(tested, true);
    return new FolderFilter(rules, {
      path: rules.excludeRegexes.empty ? "" : `${path}${textOfName(name)}/`,
      below: nowIncluded || rules.includeRegexes.empty ? "" : `${below}${textOfName(name)}/`,
      excludes: rules.excludes.enter(excludes, tested),
      includes: nowIncluded ? [] : rules.includes.enter(includes, tested),
      included: nowIncluded,
    });
  }

  #excluded(name: NameUnderTest, isFolder: boolean): boolean {
    const { excludes, excludeRegexes } = this.#rules;
    if (excludes.matches(this.#place.excludes, name, isFolder)) return true;
    return !excludeRegexes.empty && excludeRegexes.test(this.#place.path + textOfName(name.bytes));
  }

  #included(name: NameUnderTest, isFolder: boolean): boolean {
    const { includes, includeRegexes } = this.#rules;
    if (includes.matches(this.#place.includes, name, isFolder)) return true;
    return !includeRegexes.empty && includeRegexes.test(this.#place.below + textOfName(name.bytes));
  }
}

/** Regular expressions in RE2 syntax, matched together in one pass of linear time. */
class RegexSet {
  readonly #set: Re2.RE2Set | undefined;

  constructor(patterns: readonly string[]) {
    if (patterns.length === 0) return;
    // Loaded only where there is an expression: it is a hundredth of a second of the start.
    const { RE2JS, RE2Set } = createRequire(import.meta.url)("re2js") as typeof Re2;
    this.#set = new RE2Set();
    for (const pattern of patterns) {
      if (pattern.length > PATTERN_CHARS_MAX)
        throw badPattern(pattern, `longer than ${PATTERN_CHARS_MAX} characters`);
      if (pattern === "") throw badPattern(pattern, "it is empty and would match everything");
      try {
        RE2JS.compile(pattern);
        this.#set.add(pattern);
      } catch (error) {
        throw badPattern(pattern, error instanceof Error ? error.message : String(error));
      }
    }
    this.#set.compile();
  }

  get empty(): boolean {
    return this.#set === undefined;
  }

  test(path: string): boolean {
    return this.#set !== undefined && this.#set.match(path).length > 0;
  }
}

function components(path: Uint8Array): Uint8Array[] {
  const names: Uint8Array[] = [];
  for (let from = 0; from < path.length; ) {
    const slash = path.indexOf(SLASH, from);
    const end = slash < 0 ? path.length : slash;
    if (end > from) names.push(path.subarray(from, end));
    from = end + 1;
  }
  return names;
}
