// A folder to back up that changes from run to run, and what a tree holds, to compare trees by.

import { createHash } from "node:crypto";
import {
  lstatSync,
  lutimesSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Random } from "../fidelity/random.ts";

const KiB = 1024;

/** Adds and changes a few mebibytes in small files and one large one; some text that compresses, some noise that does not. */
export function changeSource(folder: string, random: Random, round: number): void {
  const target = join(folder, `round ${round % 4}`);
  rmSync(target, { recursive: true, force: true });
  mkdirSync(join(target, "deep", "er"), { recursive: true });
  for (let i = 0; i < 60; i++) {
    const below = i % 3 === 0 ? join(target, "deep", "er") : target;
    const bytes = random.below(2) === 0 ? random.bytes(1 + random.below(60 * KiB)) : text(random);
    writeFileSync(join(below, `file ${i}`), bytes, { mode: i % 2 === 0 ? 0o644 : 0o600 });
  }
  writeFileSync(join(target, "large"), random.bytes(3 * 1024 * KiB + random.below(1024 * KiB)));
  writeFileSync(join(target, "empty"), "");
  symlinkSync(`file ${random.below(60)}`, join(target, "link"));
  setTimes(target, random);
}

/** Whole milliseconds, which also a program that has times as floating-point numbers restores. */
function setTimes(path: string, random: Random): void {
  if (lstatSync(path).isDirectory()) for (const name of readdirSync(path)) setTimes(join(path, name), random);
  const seconds = 1_600_000_000 + random.below(2 ** 27) + random.below(1000) / 1000;
  lutimesSync(path, seconds, seconds);
}

function text(random: Random): Buffer {
  return Buffer.from(`round ${random.below(2 ** 30)}\n`.repeat(1 + random.below(4000)));
}

/** Every entry by its path below `root`: kind, mode, size or target, hash, and time to the millisecond. */
export function describeTree(root: string): Map<string, string> {
  const found = new Map<string, string>();
  const walk = (path: string): void => {
    for (const name of readdirSync(join(root, path))) {
      const below = join(path, name);
      const whole = join(root, below);
      const stat = lstatSync(whole, { bigint: true });
      const mode = (stat.mode & 0o7777n).toString(8);
      const time = `${(stat.mtimeNs + 500_000n) / 1_000_000n}`;
      if (stat.isDirectory()) {
        found.set(below, `directory ${mode} ${time}`);
        walk(below);
      } else if (stat.isSymbolicLink()) {
        found.set(below, `link ${time} ${readlinkSync(whole)}`);
      } else {
        const hash = createHash("sha256").update(readFileSync(whole)).digest("hex");
        found.set(below, `file ${mode} ${time} ${stat.size} ${hash}`);
      }
    }
  };
  walk("");
  return found;
}
