// Sizes, names and calls that are ruled out.
import { matchesIn, place, type SourceFile } from "./files.ts";

const linesUsual = 300;
const linesMax = 500;

/** Files between 300 and 500 lines that are one idea nevertheless, and why. */
export const longFiles: Readonly<Record<string, string>> = {};

/** Outside appliance/ and tests: the entry points that read the clock and hand it down. */
export const clockReaders: readonly string[] = [];

/** No file over 500 lines; none over 300 but those listed; no list entry that is no longer needed. */
export function checkLengths(
  files: readonly SourceFile[],
  listed: Readonly<Record<string, string>> = longFiles,
): string[] {
  const violations: string[] = [];
  const needed = new Set<string>();
  for (const { path, text } of files) {
    const lines = text.split("\n").length - 1;
    if (lines > linesUsual) needed.add(path);
    if (lines > linesMax) violations.push(`${path}: ${lines} lines, the most is ${linesMax}`);
    else if (lines > linesUsual && !(path in listed))
      violations.push(`${path}: ${lines} lines; split it, or list it with its reason in test/tidy/style.ts`);
  }
  for (const path of Object.keys(listed)) {
    if (!needed.has(path)) violations.push(`${path}: listed as long, but is not (any more)`);
  }
  return violations;
}

/** No drawer folders, and no files that only pass on what others export. */
export function checkNames(files: readonly SourceFile[]): string[] {
  return files.flatMap(({ path }) => {
    const found: string[] = [];
    const drawer = path
      .split("/")
      .find((name) => /^(utils?|common|helpers?|misc|shared|lib)(\.ts)?$/.test(name));
    if (drawer !== undefined) found.push(`${path}: "${drawer}" says nothing of what is inside`);
    if (/(^|\/)index\.[cm]?[jt]s$/.test(path)) found.push(`${path}: no barrel files`);
    return found;
  });
}

/** The clock and chance come from outside: only the appliance and entry points read them. */
export function checkClock(
  files: readonly SourceFile[],
  readers: readonly string[] = clockReaders,
): string[] {
  const reads = /\bDate\.now\b|\bnew Date\(\s*\)|\bMath\.random\b/g;
  return files
    .filter(({ path }) => !/^(appliance|test)\//.test(path) && !readers.includes(path))
    .flatMap((file) => matchesIn(file, reads, "clock and chance are handed in, not read here"));
}

/** No test that silences the others. */
export function checkOnly(files: readonly SourceFile[]): string[] {
  const only = /\b(?:it|test|describe|suite|bench)(?:\.\w+)*\.only\b/g;
  return files
    .filter(({ path }) => path.startsWith("test/"))
    .flatMap((file) => matchesIn(file, only, "a focused test hides all others"));
}

/** No unfinished business in the code. */
export function checkUnfinished(files: readonly SourceFile[]): string[] {
  const marks = /\b(?:TO[D]O|FIX[M]E|XX[X])\b/g; // brackets, so as not to find itself
  return files.flatMap((file) =>
    Array.from(
      file.text.matchAll(marks),
      (match) => `${place(file, match.index)}: finish it, or leave it out`,
    ),
  );
}

/** Nothing that is true on one machine alone. */
export function checkMachinePaths(files: readonly SourceFile[]): string[] {
  const machine = /(?<![\w./~-])\/work\//g;
  return files.flatMap((file) =>
    Array.from(file.text.matchAll(machine), (match) => `${place(file, match.index)}: a path of one machine`),
  );
}
