// A disk that takes only a part of a piece: the file does not get its name.

import { spawnSync } from "node:child_process";
import { createHash, randomBytes } from "node:crypto";
import { existsSync, readdirSync } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { FolderStore } from "../../../../gateway/replica/folder/folderStore.ts";
import { markFolder } from "../../../../gateway/replica/folder/marker.ts";
import { packKey } from "../../../../gateway/replica/keys.ts";
import { sourceOf } from "../../../conformance/sources.ts";

let scratch: string;
beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "holdfast-short-"));
});
afterEach(() => rm(scratch, { recursive: true, force: true }));

test("a write that ends early at the end of an object is a failure, and leaves no file", async () => {
  const place = join(scratch, "replica");
  const target = join(scratch, "target");
  await markFolder(place);
  await mkdir(target);
  const bytes = randomBytes(6 * 2 ** 20);
  const name = createHash("sha256").update(bytes).digest();
  const key = packKey("ab".repeat(16), name);
  const store = await FolderStore.open(place, `file://${place}`, true);
  await store.putIfAbsent(key, sourceOf(bytes));
  await store.close();
  const module = (path: string): string => JSON.stringify(join(import.meta.dirname, "../../../..", path));
  const program = `
    import { FolderStore } from ${module("gateway/replica/folder/folderStore.ts")};
    import { fetchToFile } from ${module("gateway/replica/restore/fetchObject.ts")};
    const store = await FolderStore.open(${JSON.stringify(place)}, "file:///x", true);
    const expected = { key: ${JSON.stringify(key)}, bytes: ${bytes.length}, sha256: Buffer.from("${name.toString("hex")}", "hex") };
    const options = { signal: new AbortController().signal, arrived: () => {} };
    await fetchToFile(store, expected, ${JSON.stringify(join(target, "pack"))}, options).then(
      () => console.log("done"),
      ({ code }) => console.log(code),
    );
  `;
  const limited = ["--fsize=5500000", process.execPath, "--input-type=module", "-e", program];
  const { stdout, stderr } = spawnSync("prlimit", limited, { encoding: "utf8" });
  expect(stdout.trim(), stderr).toBe("io-error");
  expect(existsSync(join(target, "pack"))).toBe(false);
  expect(readdirSync(target)).toEqual([]);
});
