import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { tinyScale } from "../scale.ts";
import { prepareCorpus } from "./corpus.ts";
import { selectCorpus } from "./select.ts";

const home = mkdtempSync(join(tmpdir(), "bench-corpus-"));
afterAll(() => rmSync(home, { recursive: true, force: true }));

/** SHA-256 of names, types and bytes of everything below `folder`. */
function fingerprint(folder: string): string {
  const script =
    'cd "$1" && { find . -printf "%p %y %m %l\\n" | sort; find . -type f -print0 | sort -z | xargs -0 sha256sum; } | sha256sum';
  return execFileSync("sh", ["-c", script, "sh", folder], { encoding: "utf8" });
}

test("a selection goes tree by tree, by name, until both floors are reached", () => {
  const [first, second] = [join(home, "a"), join(home, "b")];
  mkdirSync(join(first, "z"), { recursive: true });
  mkdirSync(second);
  for (const name of ["z/1", "y", "B"]) writeFileSync(join(first, name), "x".repeat(10));
  writeFileSync(join(first, "large"), "x".repeat(1000));
  symlinkSync("nowhere", join(first, "a-link"));
  for (const name of ["1", "2", "3"]) writeFileSync(join(second, name), "x".repeat(10));
  const scale = { trees: [first, second], minFiles: 5, minBytes: 50, maxFileBytes: 100 };
  expect(selectCorpus(scale)).toEqual({
    paths: [
      first,
      ...["B", "a-link", "y", "z", "z/1"].map((name) => join(first, name)),
      second,
      join(second, "1"),
      join(second, "2"),
    ],
    files: 5,
    bytes: 50,
    reached: true,
  });
  expect(selectCorpus({ ...scale, minFiles: 100 })).toMatchObject({ files: 6, reached: false });
});

test("edits change what they say, and revert brings every byte back; another build gives the same bytes", () => {
  const dir = join(home, "built");
  const corpus = prepareCorpus(dir, tinyScale, "seed", () => {});
  const [tree, image] = [fingerprint(corpus.tree), fingerprint(corpus.image)];
  corpus.editTree();
  corpus.editImage();
  expect(fingerprint(corpus.tree)).not.toBe(tree);
  expect(fingerprint(corpus.image)).not.toBe(image);
  const reopened = prepareCorpus(dir, tinyScale, "seed", () => {});
  reopened.revert();
  expect([fingerprint(corpus.tree), fingerprint(corpus.image)]).toEqual([tree, image]);

  const again = prepareCorpus(join(home, "again"), tinyScale, "seed", () => {});
  expect([fingerprint(again.tree), fingerprint(again.image)]).toEqual([tree, image]);
  expect(again.files).toBeGreaterThanOrEqual(tinyScale.minFiles);
});

test("too few files are said loudly", () => {
  const said: string[] = [];
  const scale = { ...tinyScale, trees: [join(home, "built", "corpus-tiny", "tree")], minFiles: 1_000_000 };
  prepareCorpus(join(home, "poor"), scale, "seed", (line) => said.push(line));
  expect(said.join("\n")).toContain("TOO FEW FILES");
});
