// What the checks look at: committed text files, as {path, text}. Checkers are pure functions from
// such files to violations ("path:line: what is wrong"), so that each can be tried on planted ones.
import { execFileSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

export type SourceFile = { readonly path: string; readonly text: string };

const root = join(import.meta.dirname, "..", "..");

/** All files that git tracks here and that are text, with paths relative to the top, `/` between names. */
export function trackedFiles(): SourceFile[] {
  // A checkout may belong to another user than the one who tests it; git would refuse to list it.
  const args = ["-c", "safe.directory=*", "ls-files", "-z"];
  const paths = execFileSync("git", args, { cwd: root, encoding: "utf8", maxBuffer: 64 << 20 }).split("\0");
  return paths
    .filter((path) => path !== "" && existsSync(join(root, path)))
    .map((path) => ({ path, bytes: readFileSync(join(root, path)) }))
    .filter(({ bytes }) => !bytes.includes(0))
    .map(({ path, bytes }) => ({ path, text: bytes.toString("utf8") }));
}

/** The TypeScript among them. */
export function typescriptOf(files: readonly SourceFile[]): SourceFile[] {
  return files.filter(({ path }) => path.endsWith(".ts"));
}

/** The text without its comments; strings stay, and so do line numbers. */
export function withoutComments(text: string): string {
  const stringOrComment =
    /"(?:\\.|[^"\\\n])*"|'(?:\\.|[^'\\\n])*'|`(?:\\[\s\S]|[^`\\])*`|\/\/[^\n]*|\/\*[\s\S]*?\*\//g;
  return text.replace(stringOrComment, (found) =>
    found.startsWith("//") || found.startsWith("/*") ? found.replace(/[^\n]/g, "") : found,
  );
}

/** "path:line" of an offset in a file. */
export function place(file: SourceFile, offset: number): string {
  return `${file.path}:${file.text.slice(0, offset).split("\n").length}`;
}

/** One violation for each match of a pattern (with the g flag) outside comments. */
export function matchesIn(file: SourceFile, pattern: RegExp, message: string): string[] {
  const code = { path: file.path, text: withoutComments(file.text) };
  return Array.from(code.text.matchAll(pattern), (match) => `${place(code, match.index)}: ${message}`);
}
