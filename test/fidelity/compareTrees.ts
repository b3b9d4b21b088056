// Compares two trees as a person with a terminal would, aspect by aspect, through outside programs.
// It is proven on planted differences in compareTrees.test.ts. Sockets are exempt, exactly those.

import { spawnSync } from "node:child_process";
import { type Aspect, addDetails, aspects, type Survey, surveyNames } from "./survey.ts";
import { run } from "./tool.ts";

export type Difference = {
  /** Below both roots, printable; "" is the root itself. */
  readonly path: string;
  readonly aspect: Aspect | "missing" | "extra";
  readonly left: string;
  readonly right: string;
};

export type CompareOptions = {
  /** Aspects not to look at, say "holes" where the two file systems cut holes differently. */
  readonly without?: readonly Aspect[];
};

/**
 * All differences between what should be (left) and what is (right), sorted by path. Needs find, stat, getfattr, getfacl, xfs_io
 * and sha256sum; to see everything it must run as root.
 */
export function compareTrees(left: string, right: string, options: CompareOptions = {}): Difference[] {
  const wanted = new Set<Aspect>(aspects.filter((aspect) => !options.without?.includes(aspect)));
  const surveys = [surveyNames(left), surveyNames(right)] as const;
  // A hole on either side makes a map wanted on both, or a hole that was filled would go unseen.
  const sparse = new Set<string>();
  for (const survey of surveys) {
    for (const { path, size, blocks } of survey.values()) if (blocks * 512 < size) sparse.add(path);
  }
  addDetails(left, surveys[0], sparse, wanted);
  addDetails(right, surveys[1], sparse, wanted);
  return differences(...surveys, wanted);
}

function differences(left: Survey, right: Survey, wanted: ReadonlySet<Aspect>): Difference[] {
  const found: Difference[] = [];
  for (const path of [...new Set([...left.keys(), ...right.keys()])].sort()) {
    const a = left.get(path);
    const b = right.get(path);
    if (a === undefined || b === undefined) {
      const [there, aspect] = a === undefined ? [b, "extra" as const] : [a, "missing" as const];
      const kind = there?.kind ?? "";
      found.push({ path: shown(path), aspect, left: a ? kind : "", right: b ? kind : "" });
      continue;
    }
    for (const aspect of wanted) {
      const [was, is] = [a.facts.get(aspect) ?? "", b.facts.get(aspect) ?? ""];
      if (was !== is) found.push({ path: shown(path), aspect, left: shown(was), right: shown(is) });
    }
  }
  return found;
}

/**
 * What rsync would change to make `right` like `left`, line by line, as a cross-check by other people's code. It is blind beyond
 * PATH_MAX and reads sparse files whole, so `exclude` takes patterns for those. Sockets are exempt.
 */
export function rsyncDifferences(left: string, right: string, exclude: readonly string[] = []): string[] {
  const options = ["-naXAHc", "--numeric-ids", "--delete", "--itemize-changes", "--out-format=%i %n%L"];
  const result = spawnSync(
    "rsync",
    [...options, ...exclude.map((pattern) => `--exclude=${pattern}`), `${left}/`, `${right}/`],
    { encoding: "latin1", maxBuffer: 2 ** 28, env: { ...process.env, LC_ALL: "C" } },
  );
  if (result.status !== 0) throw new Error(`rsync: ${result.stderr}`);
  const sockets = new Set(
    spawnSync("find", [left, "-type", "s", "-printf", "%P\n"], { encoding: "latin1" }).stdout.split("\n"),
  );
  return result.stdout.split("\n").filter((line) => line !== "" && !sockets.has(line.slice(12)));
}

/**
 * The SHA-256 of a tar archive of a tree with its attributes and ACLs: equal for trees that tar cannot tell apart. Without access
 * times, which no snapshot has, and without the order in which a file system lists attributes, so `exclude` takes patterns
 * for folders whose files have several; also for what tar would read whole or is blind to. Sockets are exempt.
 */
export function tarDigest(root: string, exclude: readonly string[] = []): string {
  const options = [
    "--sort=name",
    "--xattrs",
    "--acls",
    "--numeric-owner",
    "--pax-option=exthdr.name=%d/PaxHeaders/%f,delete=atime,delete=ctime",
    ...exclude.map((pattern) => `--exclude=${pattern}`),
  ];
  const script = 'set -o pipefail; tar -cf - "$@" . | sha256sum';
  return run("bash", ["-c", script, "bash", ...options], root)
    .toString()
    .trim();
}

function shown(text: string): string {
  return text.replace(
    /[^\x20-\x5b\x5d-\x7e]/g,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, "0")}`,
  );
}
