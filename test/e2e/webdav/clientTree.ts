// The tree that clients are shown: contents whose sizes are edges, names that are hard on URLs and XML, a folder of many, links and
// a pipe. Made from a seed.

import * as fs from "node:fs";
import { join } from "node:path";
import { randomFrom } from "../../fidelity/random.ts";
import { run } from "../../fidelity/tool.ts";

const sizes = [0, 1, 4096, 65_535, 65_536, 65_537, 1_048_575, 1_048_577, 4_194_305, 9_000_001] as const;

/** Names of files that any client can show that takes UTF-8. */
const plainNames = [
  "two words",
  "b é.txt",
  "e\u0301 decomposed",
  "日本語",
  "\u{1f600}",
  "#hash",
  "question?",
  "100%",
  "%41",
  "%2F",
  "a&b<c>d",
  "quote'\"`$(x)",
  "semi;colon,comma",
  "a:b",
  "plus+and=",
  "~tilde",
  "*[a]",
  "{brace}|^",
  ".hidden",
  "...",
  "-rf",
  "trail ",
  " lead",
  "back\\slash",
  "@at",
  "UPPER",
  "upper",
  "n".repeat(255),
  "日".repeat(85),
] as const;

/** Names that XML cannot carry as text, or that are not UTF-8: they are there, as percent codes. */
const hardNames: readonly Buffer[] = [
  Buffer.from("tab\t"),
  Buffer.from("new\nline"),
  Buffer.from("return\r"),
  Buffer.from("bell\u0007"),
  Buffer.from("del\u007f"),
  Buffer.from([0xff]),
  Buffer.from([0xc3, 0x28, 0x0a, 0xff]),
  Buffer.from([0xed, 0xa0, 0x80]),
];

/** Entries of the folder "large". rclone asks for 100 files a second at most, so that more would cost time only. */
const largeEntries = 400;

export function fillClientTree(root: string, seed: number): void {
  const random = randomFrom(seed);
  const folder = (name: string): string => {
    fs.mkdirSync(join(root, name));
    return join(root, name);
  };
  const content = folder("content");
  for (const size of sizes) fs.writeFileSync(join(content, `f${size}`), random.bytes(size));
  fs.mkdirSync(join(content, "empty folder"));
  const names = folder("names");
  for (const name of plainNames) fs.writeFileSync(join(names, name), `content of ${name}`);
  const odd = folder('names/folder & "more" <é> #1 ?%20');
  fs.writeFileSync(join(odd, "inside"), "below an odd name");
  const hard = folder("hard");
  for (const name of hardNames) {
    fs.writeFileSync(Buffer.concat([Buffer.from(`${hard}/`), name]), `content of ${name.toString("hex")}`);
  }
  const large = folder("large");
  for (let at = 0; at < largeEntries; at++)
    fs.writeFileSync(join(large, `entry ${at}`), at % 5 === 0 ? `${at}` : "");
  const links = folder("links");
  fs.symlinkSync("../content/f4096", join(links, "toFile"));
  fs.symlinkSync("toFile", join(links, "toLink"));
  fs.symlinkSync("nowhere", join(links, "dangling"));
  fs.symlinkSync("../content", join(links, "toFolder"));
  fs.symlinkSync("..", join(links, "up"));
  fs.symlinkSync("/etc/passwd", join(links, "outside"));
  run("mkfifo", ["fifo"], folder("special"));
  const holes = fs.openSync(join(folder("sparse"), "holes"), "w");
  fs.ftruncateSync(holes, 3 * 2 ** 20 + 5);
  fs.writeSync(holes, random.bytes(5000), 0, 5000, 2 ** 20 + 17);
  fs.closeSync(holes);
  // Where litmus looks.
  folder("litmus");
}
