// Everything outside programs can tell about a tree: find for names and attributes, getfattr, getfacl, xfs_io for the
// map of data and holes, sha256sum for content (data ranges alone are hashed here in sparse files, or a file of 1 TiB
// would be read whole).

import { createHash } from "node:crypto";
import * as fs from "node:fs";
import { inside, openFolder, run, runOnNames, splitPath } from "./tool.ts";

/** What is known of one entry, aspect by aspect, as text that two trees are compared by. */
export type Facts = Map<Aspect, string>;

export const aspects = [
  "kind",
  "mode",
  "owner",
  "mtime",
  "size",
  "target",
  "device",
  "links",
  "xattrs",
  "acl",
  "holes",
  "content",
] as const;
export type Aspect = (typeof aspects)[number];

/** One entry, under its path below the root as Latin-1 text ("" is the root itself). */
type Entry = {
  readonly path: string;
  readonly kind: string;
  readonly size: number;
  readonly blocks: number;
  readonly inode: string;
  readonly linkCount: number;
  readonly facts: Facts;
};

export type Survey = Map<string, Entry>;

const FIELDS = ["%P", "%y", "%m", "%U", "%G", "%s", "%T@", "%n", "%D:%i", "%l", "%b"];
// Tools take paths up to PATH_MAX; entries deeper than this are looked at from a folder nearer to them.
const REACH_BYTES = 3000;

/** Looks at names and attributes: everything that `find` tells. Sockets are left out, exactly those. */
export function surveyNames(root: string): Survey {
  const format = FIELDS.map((field) => `${field}\\0`).join("");
  const fields = run("find", [".", "-printf", format], root).toString("latin1").split("\0");
  const survey: Survey = new Map();
  for (let at = 0; at + FIELDS.length < fields.length; at += FIELDS.length) {
    const [path, kind, mode, uid, gid, size, mtime, linkCount, inode, target, blocks] = fields.slice(
      at,
      at + FIELDS.length,
    );
    if (kind === "s") continue;
    const facts: Facts = new Map([
      ["kind", kind as string],
      ["owner", `${uid}:${gid}`],
      ["mtime", mtime as string],
    ]);
    if (kind !== "l") facts.set("mode", mode as string);
    if (kind === "l") facts.set("target", target as string);
    if (kind === "f") facts.set("size", size as string);
    survey.set(path as string, {
      path: path as string,
      kind: kind as string,
      size: Number(size),
      blocks: Number(blocks),
      inode: inode as string,
      linkCount: Number(linkCount),
      facts,
    });
  }
  addLinkGroups(survey);
  return survey;
}

/** A group of hard links is named by its first path, so that groups compare between trees. */
function addLinkGroups(survey: Survey): void {
  const first = new Map<string, string>();
  for (const path of [...survey.keys()].sort()) {
    const entry = survey.get(path) as Entry;
    if (entry.kind === "d" || entry.linkCount < 2) continue;
    if (!first.has(entry.inode)) first.set(entry.inode, path);
  }
  const sizes = new Map<string, number>();
  for (const { inode } of survey.values()) sizes.set(inode, (sizes.get(inode) ?? 0) + 1);
  for (const entry of survey.values()) {
    const leader = first.get(entry.inode);
    if (leader !== undefined && (sizes.get(entry.inode) as number) > 1)
      entry.facts.set("links", `with ${leader}`);
  }
}

/** Adds what needs a look at each entry. `sparse` has the paths whose map of holes is wanted. */
export function addDetails(
  root: string,
  survey: Survey,
  sparse: ReadonlySet<string>,
  wanted: ReadonlySet<Aspect>,
): void {
  for (const [prefix, entries] of byReach(survey)) {
    const { fd, folder } = openFolder(root, splitPath(Buffer.from(prefix, "latin1")));
    try {
      const skip = prefix === "" ? 0 : prefix.length + 1;
      const named = entries.map((entry) => ({
        entry,
        name: Buffer.from(entry.path.slice(skip) || ".", "latin1"),
      }));
      type Named = (typeof named)[number];
      const only = (test: (entry: Entry) => boolean): Named[] => named.filter(({ entry }) => test(entry));
      if (wanted.has("device"))
        addDevices(
          folder,
          only(({ kind }) => kind === "c" || kind === "b"),
        );
      if (wanted.has("xattrs")) {
        addBlocks(folder, "getfattr", ["-h", "-d", "-m", "-", "-e", "hex", "--"], named, "xattrs");
      }
      if (wanted.has("acl"))
        addBlocks(
          folder,
          "getfacl",
          ["-n", "-p", "--"],
          only(({ kind }) => kind !== "l"),
          "acl",
        );
      const isSparse = (entry: Entry) => entry.kind === "f" && sparse.has(entry.path);
      for (const { entry, name } of only(isSparse)) addSparse(fd, folder, entry, name);
      if (wanted.has("content"))
        addHashes(
          folder,
          only((entry) => entry.kind === "f" && !isSparse(entry)),
        );
    } finally {
      fs.closeSync(fd);
    }
  }
}

type NamedEntry = { readonly entry: Entry; readonly name: Buffer };

/** Groups entries by the folder they are looked at from. */
function byReach(survey: Survey): Map<string, Entry[]> {
  const groups = new Map<string, Entry[]>();
  for (const entry of survey.values()) {
    let prefix = "";
    while (entry.path.length - prefix.length > REACH_BYTES) {
      const slash = entry.path.lastIndexOf("/", prefix.length + REACH_BYTES);
      if (slash <= prefix.length) break;
      prefix = entry.path.slice(0, slash);
    }
    const group = groups.get(prefix);
    if (group === undefined) groups.set(prefix, [entry]);
    else group.push(entry);
  }
  return groups;
}

function addDevices(folder: string, named: readonly NamedEntry[]): void {
  const names = named.map(({ name }) => name);
  const lines = runOnNames("stat", ["-c", "%t:%T", "--"], folder, names).toString("latin1").split("\n");
  named.forEach(({ entry }, index) => {
    entry.facts.set("device", lines[index] as string);
  });
}

/** Takes apart the output of getfattr and getfacl: a block per file, headed by its name, in which odd bytes are octal. */
function addBlocks(
  folder: string,
  tool: string,
  args: string[],
  named: readonly NamedEntry[],
  aspect: Aspect,
): void {
  const byName = new Map(named.map(({ entry, name }) => [`./${name.toString("latin1")}`, entry]));
  const names = named.map(({ name }) => name);
  const output = runOnNames(tool, args, folder, names).toString("latin1");
  for (const block of output.split("\n\n")) {
    const [head, ...lines] = block.split("\n");
    if (head === undefined || !head.startsWith("# file: ")) continue;
    const name = head.slice("# file: ".length).replace(/\\(\\|[0-7]{3})/g, (_, code) => {
      return code === "\\" ? code : String.fromCharCode(Number.parseInt(code, 8));
    });
    const entry = byName.get(name) ?? byName.get(`./${name}`);
    if (entry === undefined) throw new Error(`${tool} spoke of a file that was not asked for: ${head}`);
    entry.facts.set(
      aspect,
      lines
        .filter((line) => line !== "")
        .sort()
        .join("\n"),
    );
  }
}

function addHashes(folder: string, named: readonly NamedEntry[]): void {
  const output = runOnNames(
    "sha256sum",
    ["-z", "--"],
    folder,
    named.map(({ name }) => name),
  ).toString("latin1");
  const lines = output.split("\0");
  named.forEach(({ entry }, index) => {
    entry.facts.set("content", (lines[index] as string).slice(0, 64));
  });
}

/** The map of data, and the hash of what it holds. */
function addSparse(fd: number, folder: string, entry: Entry, name: Buffer): void {
  const map = runOnNames("xfs_io", ["-r", "-c", "seek -a -r 0"], folder, [name], 1).toString("latin1");
  const rows = [...map.matchAll(/^(DATA|HOLE)\t(\d+)$/gm)].map(([, kind, at]) => ({ kind, at: Number(at) }));
  const hash = createHash("sha256");
  const file = fs.openSync(inside(fd, name), fs.constants.O_RDONLY);
  const ranges: string[] = [];
  try {
    rows.forEach(({ kind, at }, index) => {
      if (kind !== "DATA") return;
      const end = Math.min(rows[index + 1]?.at ?? entry.size, entry.size);
      ranges.push(`${at}-${end}`);
      hashRange(file, at, end, hash);
    });
  } finally {
    fs.closeSync(file);
  }
  entry.facts.set("holes", `data at ${ranges.join(" ") || "nothing"}`);
  entry.facts.set("content", hash.digest("hex"));
}

function hashRange(file: number, start: number, end: number, hash: ReturnType<typeof createHash>): void {
  const window = Buffer.alloc(1024 * 1024);
  for (let at = start; at < end; ) {
    const count = fs.readSync(file, window, 0, Math.min(window.length, end - at), at);
    if (count === 0) throw new Error("a file became shorter while it was compared");
    hash.update(window.subarray(0, count));
    at += count;
  }
}
