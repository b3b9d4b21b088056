// Proves the comparer before anyone trusts it: on planted differences of every kind it must name exactly those.

import { execFileSync } from "node:child_process";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { compareTrees, rsyncDifferences, tarDigest } from "./compareTrees.ts";
import { buildNastyTree, type NastyTree } from "./nastyTree.ts";
import { inside, openFolder, removeTree } from "./tool.ts";

const asRoot = process.getuid?.() === 0;
const base = fs.mkdtempSync(join(tmpdir(), "fidelity-"));
const left = join(base, "left");
const right = join(base, "right");
afterAll(() => removeTree(base));

const sh = (script: string, folder = right) => void execFileSync("sh", ["-ec", script], { cwd: folder });
const found = () => compareTrees(left, right).map(({ path, aspect }) => `${aspect} ${path}`);

describe("planted differences", () => {
  beforeAll(() => {
    fs.mkdirSync(left);
    fs.writeFileSync(join(left, "file"), "content of the file");
    fs.mkdirSync(join(left, "folder"));
    fs.writeFileSync(join(left, "folder/a"), "linked");
    fs.linkSync(join(left, "folder/a"), join(left, "b"));
    fs.linkSync(join(left, "folder/a"), join(left, "c"));
    fs.symlinkSync("target", join(left, "link"));
    fs.writeFileSync(Buffer.from(`${left}/n\xff\n`, "latin1"), "odd name");
    const sparse = fs.openSync(join(left, "sparse"), "w");
    fs.ftruncateSync(sparse, 1_000_000);
    fs.writeSync(sparse, "data", 300_000);
    fs.closeSync(sparse);
    const script = `
      mkfifo fifo
      setfattr -n user.note -v 0x00ff41 file
      setfattr -n user.folder -v 0x01 folder
      setfacl -m u:1234:r-x,g:4321:r file
      setfacl -d -m u:1234:rwx folder
      touch -h -d @1234567890.123456789 file link folder/a sparse fifo folder .`;
    sh(script, left);
    if (asRoot) sh("mknod device c 1 3; setfattr -h -n trusted.t -v 1 link; touch -d @1234567890.5 .", left);
  });

  beforeEach(() => {
    execFileSync("rm", ["-rf", right]);
    execFileSync("cp", ["-a", "--sparse=always", left, right]);
  });

  test("none where there is none", () => {
    expect(found()).toEqual([]);
    expect(rsyncDifferences(left, right)).toEqual([]);
    expect(tarDigest(right)).toBe(tarDigest(left));
  });

  test.each([
    ["a nanosecond", "touch -d @1234567890.123456788 folder/a"],
    ["an xattr", "setfattr -n user.folder -v 0x02 folder"],
    ["an ACL entry", "setfacl -m u:1234:r file"],
    ["a mode", "chmod o+w fifo"],
    ["a link broken up", "cp -p --remove-destination b x; mv x b"],
    ["a byte of content", "printf C | dd of=file conv=notrunc status=none"],
  ])("tar tells them too: %s", (_, script) => {
    sh(
      `touch -r . ../stamp; touch -r file ../fileStamp; ${script}; touch -r ../fileStamp file; touch -r ../stamp .`,
    );
    expect(tarDigest(right)).not.toBe(tarDigest(left));
  });

  // Each keeps the folder's own time but for those that say so.
  const keepTime = (script: string) => `touch -r . ../stamp; ${script}; touch -r ../stamp .`;
  const keepFileTime = (script: string) =>
    `touch -r file ../fileStamp; ${script}; touch -r ../fileStamp file`;
  test.each<[string, string, string[]]>([
    ["one nanosecond of a file", "touch -d @1234567890.123456788 file", ["mtime file"]],
    ["one nanosecond of a link", "touch -h -d @1234567890.123456790 link", ["mtime link"]],
    ["one nanosecond of a folder", "touch -d @1234567890.123456788 folder", ["mtime folder"]],
    ["one nanosecond of the root", "touch -d @1234567890.123456788 .", ["mtime "]],
    ["one byte of an xattr", "setfattr -n user.note -v 0x00ff40 file", ["xattrs file"]],
    ["an xattr too many", "setfattr -n user.more -v 0x file", ["xattrs file"]],
    ["an xattr lost", "setfattr -x user.folder folder", ["xattrs folder"]],
    ["one permission of an ACL entry", "setfacl -m u:1234:r file", ["xattrs file", "acl file"]],
    ["an ACL entry lost", "setfacl -x g:4321 file", ["xattrs file", "acl file"]],
    ["a default ACL entry", "setfacl -d -m u:1234:rx folder", ["xattrs folder", "acl folder"]],
    [
      "one mode bit",
      "chmod o+w folder/a",
      ["mode b", "mode c", "mode folder/a", "acl b", "acl c", "acl folder/a"],
    ],
    ["setgid of a folder", "chmod g+s folder", ["mode folder", "acl folder"]],
    [
      "one content byte, same size and time",
      keepFileTime("printf C | dd of=file conv=notrunc status=none"),
      ["content file"],
    ],
    ["one byte more", keepFileTime("printf x >>file"), ["size file", "content file"]],
    [
      "another link target",
      keepTime("ln -sfn targeT link; touch -h -d @1234567890.123456789 link"),
      ["target link"],
    ],
    [
      "a hole that was filled",
      keepTime("touch -r sparse ../s; cp --sparse=never sparse x; cat x >sparse; rm x; touch -r ../s sparse"),
      ["holes sparse", "content sparse"],
    ],
    [
      "a hole that moved",
      "touch -r sparse ../s; fallocate -p -o 299008 -l 4096 sparse; touch -r ../s sparse",
      ["holes sparse", "content sparse"],
    ],
    ["a missing file", keepTime("rm fifo"), ["missing fifo"]],
    ["an extra file", keepTime("touch extra"), ["extra extra"]],
    [
      "a file in the place of a FIFO",
      keepTime("rm fifo; touch -d @1234567890.123456789 fifo"),
      ["kind fifo"],
    ],
    [
      "a broken hard link",
      keepTime("cp -p --remove-destination b x; mv x b"),
      ["links b", "links c", "links folder/a"],
    ],
    ["a hard link too many", keepTime("ln file more"), ["links file", "extra more"]],
    ["a missing entry of a folder", "rm folder/a", ["missing folder/a", "mtime folder"]],
  ])("%s", (_, script, expected) => {
    sh(script);
    const differences = found();
    for (const difference of expected) expect(differences).toContain(difference);
    // Aspects that hang on the planted one (a mode shows in the ACL, a kind in everything) may come along; other paths may not.
    const paths = new Set(expected.map((difference) => difference.slice(difference.indexOf(" ") + 1)));
    expect(compareTrees(left, right).filter(({ path }) => !paths.has(path))).toEqual([]);
  });

  test("one byte in a name that is not UTF-8", () => {
    sh(keepTime('for f in n*; do mv "$f" "$(printf \'n\\376\')"; done'));
    expect(found()).toEqual(["extra n\\xfe", "missing n\\xff\\x0a"]);
  });

  test.runIf(asRoot)("owners, device numbers and trusted attributes", () => {
    sh("chown 1 file; chown -h :2 link; setfattr -h -n trusted.t -v 2 link; rm device; mknod device c 1 5");
    const differences = found();
    for (const one of ["owner file", "owner link", "xattrs link", "device device"])
      expect(differences).toContain(one);
  });

  test("sockets are exempt, exactly those", () => {
    const socket = "require('node:net').createServer().listen('socket', () => process.exit(0))";
    execFileSync(process.execPath, ["-e", socket], { cwd: right });
    sh("touch -r ../left .");
    expect(fs.lstatSync(join(right, "socket")).isSocket()).toBe(true);
    expect(found()).toEqual([]);
  });
});

describe("the nasty tree", () => {
  const one = join(base, "one");
  const two = join(base, "two");
  let tree: NastyTree;
  beforeAll(async () => {
    for (const root of [one, two]) {
      fs.mkdirSync(root);
      tree = await buildNastyTree(root, {
        seed: 7,
        entries: 300,
        sparseBytes: 2 ** 36,
        fileBytesMax: 1_100_000,
      });
    }
  });

  test("is the same for the same seed, but for times that are now", () => {
    expect(compareTrees(one, two, { without: ["mtime"] })).toEqual([]);
    expect(compareTrees(one, two, { without: ["mtime", "holes", "xattrs"] })).toEqual([]);
  });

  test("has names, paths and kinds of every sort", () => {
    const count = (...test: string[]) =>
      execFileSync("find", [one, ...test, "-printf", "x"], { encoding: "latin1" }).length;
    for (const kind of ["f", "d", "l", "p", "s"]) expect(count("-type", kind)).toBeGreaterThan(0);
    if (asRoot) for (const kind of ["c", "b"]) expect(count("-type", kind)).toBeGreaterThan(0);
    expect(count("-type", "f", "-links", "+1")).toBeGreaterThan(4);
    const longest = execFileSync("find", [one, "-printf", "%P\n"], { encoding: "latin1" });
    expect(Math.max(...longest.split("\n").map(({ length }) => length))).toBeGreaterThan(4000);
    expect(tree.sockets).toEqual(["special/socket"]);
  });

  test("differences beyond PATH_MAX are seen", () => {
    const name = Buffer.alloc(240, 0x64);
    const { fd } = openFolder(join(two, "deep"), Array<Buffer>(17).fill(name));
    fs.writeFileSync(inside(fd, Buffer.from("bottom")), "the deepest FILE");
    fs.chmodSync(inside(fd, Buffer.from("hardlink")), 0o600);
    execFileSync("setfattr", ["-n", "user.deep", "-v", "1", "bottom"], {
      cwd: `/proc/${process.pid}/fd/${fd}`,
    });
    fs.closeSync(fd);
    const found = compareTrees(one, two, { without: ["mtime", "acl"] });
    expect(found.every(({ path }) => path.length > 4000)).toBe(true);
    expect(found.map(({ path, aspect }) => `${aspect} ${path.slice(path.lastIndexOf("/") + 1)}`)).toEqual([
      ...[
        "mode bottom",
        "xattrs bottom",
        "content bottom",
        "mode hardlink",
        "xattrs hardlink",
        "content hardlink",
      ],
    ]);
  });

  test("a copy by tar is equal but for what tar cannot do", () => {
    const copy = join(base, "copy");
    fs.mkdirSync(copy);
    const options = "--xattrs --xattrs-include='*' --acls --numeric-owner";
    sh(
      `tar -C ${one} --format=posix -S ${options} --exclude=./deep --warning=none -cf - . | tar -C ${copy} ${options} --warning=none -xpf -`,
      base,
    );
    const found = compareTrees(one, copy).filter(({ path }) => path !== "deep" && !path.startsWith("deep/"));
    // tar does not link FIFOs, and makes them anew.
    expect(found.map(({ path, aspect }) => `${aspect} ${path}`)).toEqual([
      "links special/fifo",
      "links special/fifoLink",
    ]);
    const lines = rsyncDifferences(one, copy, tree.rsyncExcludes);
    expect(lines.filter((line) => !line.includes("special/fifo"))).toEqual([]);
  });
});
