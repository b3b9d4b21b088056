// Asking a filter as a walker does.

import { Filter, type FilterRules, type Verdict } from "../../../agent/source/filter.ts";

/** The verdict on a path below a top folder, as a walker meets it: folder by folder. A slash at the end means a folder. */
export function verdict(rules: FilterRules, path: string | Buffer, top = "/"): Verdict {
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

/** True where the one exclude keeps the path out. */
export const excluded = (exclude: string, path: string, top = "/") =>
  verdict({ excludes: [exclude] }, path, top) === "skip";
