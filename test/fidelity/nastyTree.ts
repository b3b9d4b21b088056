// A tree that holds everything a backup can get wrong, made from a seed with outside programs and node:fs.

import * as fs from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { nastyAttributes } from "./nastyAttributes.ts";
import { type Random, randomFrom } from "./random.ts";
import { inside, openFolder, run } from "./tool.ts";

export type NastyOptions = {
  /** The same seed makes the same tree. */
  readonly seed: number;
  /** Entries of the one large directory; 100,000 for the real thing. */
  readonly entries?: number;
  /** Size of the sparse file with scattered data; 2^40 with 2^20 bytes of data for the real thing. */
  readonly sparseBytes?: number;
  readonly sparseDataBytes?: number;
  /** The largest of the dense files. */
  readonly fileBytesMax?: number;
};

export type NastyTree = {
  /** Paths below the root that are sockets: to be noted, never restored. */
  readonly sockets: readonly string[];
  /** Patterns for rsyncDifferences: what rsync cannot look at. */
  readonly rsyncExcludes: readonly string[];
};

/** Fills the empty directory `root`. As root it makes device nodes, foreign owners and trusted attributes too. */
export async function buildNastyTree(root: string, options: NastyOptions): Promise<NastyTree> {
  const random = randomFrom(options.seed);
  const {
    entries = 500,
    sparseBytes = 2 ** 40,
    sparseDataBytes = 2 ** 20,
    fileBytesMax = 5 * 2 ** 20,
  } = options;
  makeNames(root, random);
  makeContent(root, random, fileBytesMax);
  makeLarge(root, entries);
  makeDeep(root);
  makeLinks(root);
  makeSparse(root, random, sparseBytes, sparseDataBytes);
  await makeSpecial(root);
  nastyAttributes(root);
  return { sockets: ["special/socket"], rsyncExcludes: ["/deep", "/sparse/scattered"] };
}

function folder(root: string, name: string): string {
  fs.mkdirSync(join(root, name));
  return join(root, name);
}

function makeNames(root: string, random: Random): void {
  const { fd } = openFolder(folder(root, "names"), []);
  const put = (name: Uint8Array) => fs.writeFileSync(inside(fd, name), random.bytes(random.below(40)));
  for (let byte = 1; byte < 256; byte++) if (byte !== 0x2e && byte !== 0x2f) put(Buffer.from([byte]));
  const texts = [
    "...",
    " ",
    "  lead",
    "trail ",
    "-rf",
    "--",
    "new\nline",
    "tab\t",
    "quote'\"`$(x)",
    "back\\slash",
    "*?[a]",
  ];
  for (const text of [...texts, "e\u0301", "\u00e9", "日本語", "\u{1f600}", "CON", "a:b", "#", "~", "%41"])
    put(Buffer.from(text));
  put(Buffer.alloc(255, 0x6e));
  put(Buffer.alloc(255, "日"));
  put(Buffer.alloc(255, 0xff));
  for (let index = 0; index < 50; index++) {
    const name = random
      .bytes(1 + random.below(255))
      .map((byte) => (byte === 0 || byte === 0x2f ? 0x61 : byte));
    if (name.length > 1) put(name);
  }
  const odd = Buffer.from([0xc3, 0x28, 0x0a, 0xff]);
  fs.mkdirSync(inside(fd, odd));
  fs.writeFileSync(Buffer.concat([inside(fd, odd), Buffer.from("/file")]), "below a name that is not UTF-8");
  fs.closeSync(fd);
}

function makeContent(root: string, random: Random, largest: number): void {
  const path = folder(root, "content");
  fs.writeFileSync(join(path, "empty"), "");
  fs.mkdirSync(join(path, "emptyFolder"));
  const edges = [
    1, 511, 4095, 4096, 4097, 65_535, 65_536, 262_144, 524_288, 1_048_575, 1_048_576, 1_048_577, 4_194_305,
  ];
  for (const size of edges.filter((edge) => edge <= largest))
    fs.writeFileSync(join(path, `f${size}`), random.bytes(size));
  fs.writeFileSync(join(path, "zeros"), Buffer.alloc(Math.min(largest, 3_000_000)));
  fs.copyFileSync(join(path, "f4097"), join(path, "sameAsAnother"));
  for (let index = 0; index < 40; index++) {
    fs.mkdirSync(join(path, `d${index % 7}`, `e${index % 3}`), { recursive: true });
    fs.writeFileSync(
      join(path, `d${index % 7}`, `e${index % 3}`, `small${index}`),
      random.bytes(random.below(9000)),
    );
  }
}

function makeLarge(root: string, entries: number): void {
  const path = folder(root, "large");
  for (let index = 0; index < entries; index++)
    fs.writeFileSync(join(path, `entry-${index}`), index % 10 ? "" : `${index}`);
}

/** 17 folders of 240 bytes: a path of more than 4,000 characters, which no single call takes under a long root. */
function makeDeep(root: string): void {
  const name = Buffer.alloc(240, 0x64);
  let { fd } = openFolder(folder(root, "deep"), []);
  for (let depth = 0; depth < 17; depth++) {
    fs.mkdirSync(inside(fd, name));
    fs.writeFileSync(inside(fd, Buffer.from("file")), `at depth ${depth}`);
    const next = fs.openSync(inside(fd, name), fs.constants.O_DIRECTORY);
    fs.closeSync(fd);
    fd = next;
  }
  fs.writeFileSync(inside(fd, Buffer.from("bottom")), "the deepest file");
  fs.symlinkSync("../bottom", inside(fd, Buffer.from("link")));
  fs.linkSync(inside(fd, Buffer.from("bottom")), inside(fd, Buffer.from("hardlink")));
  fs.closeSync(fd);
}

function makeLinks(root: string): void {
  const path = folder(root, "links");
  fs.mkdirSync(join(path, "a/b"), { recursive: true });
  fs.mkdirSync(join(path, "z"));
  fs.writeFileSync(join(path, "a/original"), "linked");
  for (const name of ["again", "a/b/third", "z/fourth", "0first"])
    fs.linkSync(join(path, "a/original"), join(path, name));
  fs.writeFileSync(join(path, "a/emptyOriginal"), "");
  fs.linkSync(join(path, "a/emptyOriginal"), join(path, "z/emptyLink"));
  fs.writeFileSync(join(path, "sameContentNoLink"), "linked");
  const targets: [string, string | Buffer][] = [
    ["dangling", "does/not/exist"],
    ["absolute", "/etc/hostname"],
    ["toFolder", "a"],
    ["toItself", "toItself"],
    ["up", "../../.."],
    ["spaces", " a\nb "],
    ["notUtf8", Buffer.from([0xff, 0xfe, 0x2f, 0x80])],
    ["longest", Buffer.alloc(4095, "x/")],
  ];
  for (const [name, target] of targets) fs.symlinkSync(target, join(path, name));
  fs.linkSync(join(path, "dangling"), join(path, "z/hardLinkToSymlink"));
}

function makeSparse(root: string, random: Random, scatteredBytes: number, dataBytes: number): void {
  const path = folder(root, "sparse");
  const put = (name: string, size: number, data: readonly (readonly [at: number, length: number])[]) => {
    const fd = fs.openSync(join(path, name), "w");
    fs.ftruncateSync(fd, size);
    for (const [at, length] of data) fs.writeSync(fd, random.bytes(length), 0, length, at);
    fs.closeSync(fd);
  };
  const MiB = 2 ** 20;
  put("onlyHole", 10 * MiB, []);
  put("oddHole", 12_345, []);
  put("leadingHole", 3 * MiB, [[2 * MiB, MiB]]);
  put("trailingHole", 3 * MiB, [[0, MiB]]);
  put("middleHoles", 8 * MiB + 17, [
    [0, 4096],
    [MiB, 65_536],
    [5 * MiB + 4096, 100_000],
    [8 * MiB, 17],
  ]);
  put(
    "everyOtherBlock",
    4 * MiB,
    Array.from({ length: 64 }, (_, index) => [index * 65_536, 4096] as const),
  );
  const pieces = 16;
  const step = Math.floor(scatteredBytes / pieces / 4096) * 4096;
  const each = Math.floor(dataBytes / pieces);
  put(
    "scattered",
    scatteredBytes,
    Array.from({ length: pieces }, (_, index) => [index * step, each] as const),
  );
}

async function makeSpecial(root: string): Promise<void> {
  const path = folder(root, "special");
  run("mkfifo", ["-m", "640", "fifo"], path);
  fs.linkSync(join(path, "fifo"), join(path, "fifoLink"));
  // Closing a server removes its socket, so that it is renamed first and stays behind.
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(join(path, "s"), resolve));
  fs.renameSync(join(path, "s"), join(path, "socket"));
  await new Promise((resolve) => server.close(resolve));
  if (process.getuid?.() !== 0) return;
  run("mknod", ["-m", "600", "null", "c", "1", "3"], path);
  run("mknod", ["-m", "660", "block", "b", "7", "300"], path);
  run("mknod", ["wide", "c", "4000", "1000000"], path);
}
