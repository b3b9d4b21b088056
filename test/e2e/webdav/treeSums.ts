// What a tree's files hold, by name: names are bytes, written as latin1.

import { clientDone } from "./clientProgram.ts";

/** MD5 of every file below a folder whose name is below `nameBytes`, by its path; links to files count as files. */
export async function treeSums(folder: string, nameBytes = 256): Promise<Map<string, string>> {
  const find = `cd "$1" && find . -xtype f -regextype egrep ! -regex '.*/[^/]{${nameBytes},}' -print0`;
  const sums = `${find} | xargs -0r md5sum -z`;
  const printed = await clientDone("sh", ["-c", sums, "sh", folder], { env: { LC_ALL: "C" } });
  const rows = printed
    .toString("latin1")
    .split("\0")
    .filter((row) => row !== "");
  // "<sum>  ./<name>"
  return new Map(rows.map((row): [string, string] => [row.slice(36), row.slice(0, 32)]));
}

/** Paths below a folder of everything that is no file: folders end in a slash. */
export async function treeFolders(folder: string): Promise<string[]> {
  const printed = await clientDone("sh", ["-c", 'cd "$1" && find . -type d -print0', "sh", folder]);
  return printed
    .toString("latin1")
    .split("\0")
    .filter((row) => row !== "" && row !== ".")
    .map((row) => `${row.slice(2)}/`)
    .sort();
}
