import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { selectPlatform } from "../../../agent/platform/select.ts";
import { isTaggedCache } from "../../../agent/source/cacheTag.ts";
import { makeCacheFolder } from "../../../agent/state/stateDirectory.ts";

const root = mkdtempSync(join(tmpdir(), "cachetag-"));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const signature = "Signature: 8a477f597d28d172789f06886806bc55";

test.each([
  ["signed", signature, true],
  ["signed-with-more", `${signature}\n# a comment`, true],
  ["short", signature.slice(0, -1), false],
  ["other", signature.toUpperCase(), false],
  ["empty", "", false],
])("%s", (name, content, expected) => {
  mkdirSync(join(root, name));
  writeFileSync(join(root, name, "CACHEDIR.TAG"), content);
  const platform = selectPlatform();
  const folder = platform.openDirectory(Buffer.from(join(root, name)));
  expect(isTaggedCache(platform, folder)).toBe(expected);
  platform.close(folder);
});

test("a folder, a link or nothing by that name is no tag", () => {
  const platform = selectPlatform();
  mkdirSync(join(root, "folder/CACHEDIR.TAG"), { recursive: true });
  mkdirSync(join(root, "link"));
  writeFileSync(join(root, "real"), signature);
  symlinkSync("../real", join(root, "link/CACHEDIR.TAG"));
  mkdirSync(join(root, "none"));
  for (const name of ["folder", "link", "none"]) {
    const folder = platform.openDirectory(Buffer.from(join(root, name)));
    expect(isTaggedCache(platform, folder)).toBe(false);
    platform.close(folder);
  }
});

test("our own caches are marked, once, and what cannot be marked is used all the same", () => {
  const platform = selectPlatform();
  const state = join(root, "state");
  mkdirSync(state);
  const cache = makeCacheFolder(state);
  const folder = platform.openDirectory(Buffer.from(cache));
  expect(isTaggedCache(platform, folder)).toBe(true);
  writeFileSync(join(cache, "CACHEDIR.TAG"), "mine");
  expect(makeCacheFolder(state)).toBe(cache);
  expect(readFileSync(join(cache, "CACHEDIR.TAG"), "utf8")).toBe("mine");
  rmSync(join(cache, "CACHEDIR.TAG"));
  symlinkSync("planted", join(cache, "CACHEDIR.TAG"));
  expect(makeCacheFolder(state)).toBe(cache);
  expect(existsSync(join(cache, "planted"))).toBe(false);
  platform.close(folder);
});
