// Matching one name (one component of a path) against one component of a glob.
//
// Cost is bounded by construction: a name of n characters against m pattern parts takes at most n * m steps, since only
// the last `*` is ever tried again. Most patterns never get there: they are a literal, or a literal around one `*`.

import { textOfName } from "./nameText.ts";

/** A part of a component: a character, `?`, `*`, or a class as pairs of first and last code point. */
export type GlobPart =
  | { readonly kind: "char"; readonly code: number }
  | { readonly kind: "any" }
  | { readonly kind: "star" }
  | { readonly kind: "class"; readonly negated: boolean; readonly ranges: readonly number[] };

/** A compiled component; `fold` ignores case. All are in code points. */
export type NameMatcher =
  | { readonly kind: "all" }
  | { readonly kind: "exact"; readonly fold: boolean; readonly codes: readonly number[] }
  | {
      readonly kind: "around";
      readonly fold: boolean;
      readonly prefix: readonly number[];
      readonly suffix: readonly number[];
    }
  | { readonly kind: "parts"; readonly fold: boolean; readonly parts: readonly GlobPart[] };

type Codes = Uint8Array | readonly number[];

/** A name under test; what patterns need of it is worked out once, when the first of them asks. */
export class NameUnderTest {
  readonly bytes: Uint8Array;
  #codes: Codes | undefined;
  #folded: Codes | undefined;

  constructor(name: Uint8Array) {
    this.bytes = name;
  }

  codes(fold: boolean): Codes {
    // The bytes of an ASCII name are its code points, so most names cost no decoding.
    this.#codes ??= isAscii(this.bytes) ? this.bytes : codePoints(textOfName(this.bytes));
    if (!fold) return this.#codes;
    this.#folded ??= foldAll(this.#codes);
    return this.#folded;
  }
}

function foldAll(codes: Codes): number[] {
  const folded: number[] = [];
  for (let at = 0; at < codes.length; at++) folded.push(foldCase(codes[at] as number));
  return folded;
}

function isAscii(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if ((bytes[at] as number) >= 0x80) return false;
  return true;
}

/** The code points of a text. */
export function codePoints(text: string): number[] {
  const codes: number[] = [];
  for (const char of text) codes.push(char.codePointAt(0) as number);
  return codes;
}

/** Chooses the cheapest way to match a component. `fold` ignores case. */
export function compileName(written: readonly GlobPart[], fold: boolean): NameMatcher {
  if (written.length === 1 && written[0]?.kind === "star") return { kind: "all" };
  const parts = fold ? written.map(foldPart) : written;
  const star = parts.findIndex(({ kind }) => kind === "star");
  const head = literal(star < 0 ? parts : parts.slice(0, star));
  const tail = literal(parts.slice(star + 1));
  if (head === undefined || tail === undefined) return { kind: "parts", fold, parts };
  return star < 0
    ? { kind: "exact", fold, codes: head }
    : { kind: "around", fold, prefix: head, suffix: tail };
}

/** True where the name matches. */
export function matchName(matcher: NameMatcher, name: NameUnderTest): boolean {
  if (matcher.kind === "all") return true;
  const codes = name.codes(matcher.fold);
  if (matcher.kind === "exact")
    return codes.length === matcher.codes.length && holds(codes, 0, matcher.codes);
  if (matcher.kind === "parts") return matchParts(matcher.parts, codes, matcher.fold);
  const tail = codes.length - matcher.suffix.length;
  return (
    tail >= matcher.prefix.length && holds(codes, tail, matcher.suffix) && holds(codes, 0, matcher.prefix)
  );
}

/** The code points of parts that are all characters. */
function literal(parts: readonly GlobPart[]): number[] | undefined {
  const codes: number[] = [];
  for (const part of parts) {
    if (part.kind !== "char") return undefined;
    codes.push(part.code);
  }
  return codes;
}

function holds(codes: Codes, from: number, expected: readonly number[]): boolean {
  for (let at = 0; at < expected.length; at++) if (codes[from + at] !== expected[at]) return false;
  return true;
}

function matchParts(parts: readonly GlobPart[], codes: Codes, fold: boolean): boolean {
  let part = 0;
  let at = 0;
  let starPart = -1;
  let starAt = 0;
  while (at < codes.length) {
    const current = parts[part];
    if (current?.kind === "star") {
      starPart = part++;
      starAt = at;
    } else if (current !== undefined && matchPart(current, codes[at] as number, fold)) {
      part++;
      at++;
    } else if (starPart >= 0) {
      part = starPart + 1;
      at = ++starAt;
    } else return false;
  }
  while (parts[part]?.kind === "star") part++;
  return part === parts.length;
}

function matchPart(part: GlobPart, code: number, fold: boolean): boolean {
  if (part.kind === "char") return part.code === code;
  if (part.kind !== "class") return part.kind === "any";
  const inside =
    inRanges(part.ranges, code) || (fold && caseForms(code).some((form) => inRanges(part.ranges, form)));
  return inside !== part.negated;
}

function inRanges(ranges: readonly number[], code: number): boolean {
  for (let at = 0; at < ranges.length; at += 2) {
    if (code >= (ranges[at] as number) && code <= (ranges[at + 1] as number)) return true;
  }
  return false;
}

function foldPart(part: GlobPart): GlobPart {
  return part.kind === "char" ? { kind: "char", code: foldCase(part.code) } : part;
}

/** One code point for all cases of a letter: upper, then lower, each only where it is a single code point. */
function foldCase(code: number): number {
  if (code < 0x80) return code >= 0x41 && code <= 0x5a ? code + 0x20 : code;
  return single(
    String.fromCodePoint(single(String.fromCodePoint(code).toUpperCase(), code)).toLowerCase(),
    code,
  );
}

function caseForms(code: number): number[] {
  const char = String.fromCodePoint(code);
  return [single(char.toUpperCase(), code), single(char.toLowerCase(), code)];
}

function single(text: string, otherwise: number): number {
  const code = text.codePointAt(0) as number;
  return String.fromCodePoint(code).length === text.length ? code : otherwise;
}
