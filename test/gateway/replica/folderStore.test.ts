import { fork } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, readdir, readFile, rename, rm, symlink, utimes, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { sourceOf } from "../../../gateway/replica/chain/namedObjects.ts";
import type { FolderStore } from "../../../gateway/replica/folder/folderStore.ts";
import { folderOfUrl } from "../../../gateway/replica/folder/folderUrl.ts";
import { markFolder } from "../../../gateway/replica/folder/marker.ts";
import { packKey } from "../../../gateway/replica/keys.ts";
import { ErrorCode } from "../../../vault/errors.ts";
import { seededBytes } from "../../vault/seeded.ts";
import { ChainPlace, vault } from "./chainFixture.ts";

let place: ChainPlace;
let store: FolderStore;
beforeEach(async () => {
  place = await ChainPlace.make();
  store = await place.store();
});
afterEach(() => place.remove());

const unreachable = { code: ErrorCode.replicaUnreachable };
const damaged = { code: ErrorCode.replicaDamaged };
const source = sourceOf(seededBytes("an object", 5000));
const key = packKey(vault, source.sha256);
const fileOf = (): string => join(place.folder, key);
const temporaries = async (): Promise<string[]> =>
  (await readdir(join(place.folder, ".holdfast-tmp"))).filter((name) => name !== "now");

describe("a disk that is not there", () => {
  test("is no empty replica", async () => {
    await store.putIfAbsent(key, source);
    await rename(place.folder, `${place.folder} elsewhere`);
    const uses = [
      () => store.putIfAbsent(key, source),
      () => store.heal(key, source),
      () => store.getRange(key, 0, 1),
      () => store.head(key),
      () => store.delete(key),
      async () => {
        for await (const _ of store.list("vaults/")) throw new Error("something is listed");
      },
      () => place.store(),
    ];
    for (const use of uses) await expect(use()).rejects.toMatchObject(unreachable);
    await mkdir(place.folder); // the mount point
    for (const use of uses) await expect(use()).rejects.toMatchObject(unreachable);
    expect(await readdir(place.folder)).toEqual([]);
  });

  test("while something is put there, is not acknowledged", async () => {
    const throttle = async () => {
      await rename(place.folder, `${place.folder} elsewhere`);
      await mkdir(join(place.folder, ".holdfast-tmp"), { recursive: true });
    };
    await expect(store.putIfAbsent(key, source, { throttle })).rejects.toMatchObject({
      code: expect.stringMatching(/^replica-/),
    });
    expect(
      (await readdir(place.folder)).filter((name) => name !== ".holdfast-tmp" && name !== "vaults"),
    ).toEqual([]);
  });

  test("is made only below a folder that is there, and marking it twice changes nothing", async () => {
    await expect(markFolder(join(place.folder, "a", "b"))).rejects.toMatchObject(unreachable);
    const marker = await readFile(join(place.folder, "holdfast-replica.json"));
    await markFolder(place.folder);
    expect(await readFile(join(place.folder, "holdfast-replica.json"))).toEqual(marker);
    await expect(markFolder(join(place.folder, "holdfast-replica.json"))).rejects.toMatchObject(unreachable);
  });
});

test("a marker of a later version is refused; one that was cut short counts", async () => {
  const marker = join(place.folder, "holdfast-replica.json");
  for (const text of ['{"format":"holdfast-replica","version":2}', '{"format":"other"}']) {
    await writeFile(marker, text);
    await expect(place.store()).rejects.toMatchObject({ code: ErrorCode.unsupported });
  }
  for (const text of ["", '{"form', '{"format":"holdfast-replica","version":1,"more":[]}']) {
    await writeFile(marker, text);
    await place.store();
  }
});

describe("objects that are not what they were", () => {
  test("shorter, gone, no file: said so, and healed", async () => {
    await store.putIfAbsent(key, source);
    await writeFile(fileOf(), Buffer.alloc(100));
    await expect(store.getRange(key, 0, 5000)).rejects.toMatchObject(damaged);
    expect(await store.heal(key, source)).toBe("hashed");
    expect(await store.getRange(key, 0, 5000)).toEqual(await source.read(0, 5000));
    await rm(fileOf());
    await expect(store.getRange(key, 0, 5000)).rejects.toMatchObject({ code: ErrorCode.notFound });
    await symlink("/etc/passwd", fileOf());
    await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(damaged);
    await rm(fileOf());
    await mkdir(fileOf());
    await expect(store.getRange(key, 0, 1)).rejects.toMatchObject(damaged);
  });

  test("a folder that was removed is made again", async () => {
    await store.putIfAbsent(key, source);
    await rm(join(place.folder, "vaults"), { recursive: true });
    expect(await store.putIfAbsent(key, source)).toEqual({ outcome: "created", proof: "hashed" });
  });
});

test.each(["../x", "a/../b", "/etc/passwd", "a//b", "", ".hidden", "a/.b", "x.tmp", "holdfast-replica.json"])(
  "the key %j is refused",
  async (bad) => {
    const usage = { code: ErrorCode.usage };
    await expect(store.putIfAbsent(bad, source)).rejects.toMatchObject(usage);
    await expect(store.heal(bad, source)).rejects.toMatchObject(usage);
    await expect(store.getRange(bad, 0, 1)).rejects.toMatchObject(usage);
    await expect(store.delete(bad)).rejects.toMatchObject(usage);
  },
);

test("files that are no objects are not listed", async () => {
  await store.putIfAbsent(key, source);
  await writeFile(join(dirname(fileOf()), ".hidden"), "");
  await writeFile(join(dirname(fileOf()), "half.tmp"), "");
  await symlink("/etc", join(place.folder, "vaults", "link"));
  const found: string[] = [];
  for await (const object of store.list("")) found.push(object.key);
  expect(found).toEqual([key]);
});

test("killed while it writes: nothing under the name, and what it left is removed after a day", async () => {
  for (const stopAt of [1, 5, 8]) {
    const child = fork(join(import.meta.dirname, "folderProcess.ts"), [place.folder, `${stopAt}`]);
    expect(await once(child, "exit")).toEqual([null, "SIGKILL"]);
  }
  const large = sourceOf(seededBytes("large object", 8 << 20));
  const largeKey = packKey(vault, large.sha256);
  expect(await store.head(largeKey)).toBeUndefined();
  const left = await temporaries();
  expect(left).toHaveLength(3);
  await place.store();
  expect(await temporaries()).toHaveLength(3);
  const old = new Date(Date.now() - 2 * 24 * 3600 * 1000);
  for (const name of left.slice(1)) await utimes(join(place.folder, ".holdfast-tmp", name), old, old);
  await place.store();
  expect(await temporaries()).toEqual(left.slice(0, 1));
  expect(await store.putIfAbsent(largeKey, large)).toEqual({ outcome: "created", proof: "hashed" });
});

test.runIf(process.getuid?.() !== 0)("a folder without the right to write refuses", async () => {
  await chmod(place.folder, 0o500);
  await expect(store.putIfAbsent(key, source)).rejects.toMatchObject({ code: ErrorCode.replicaRefused });
  await chmod(place.folder, 0o700);
});

test.each([
  ["file:///srv/replica", "/srv/replica"],
  ["file:///srv/with%20space/", "/srv/with space"],
  ["file://localhost/srv/x", "/srv/x"],
])("the folder of %s", (url, folder) => {
  expect(folderOfUrl(url)).toBe(folder);
});

test.each([
  "file:///",
  "file://host/x",
  "file:///x?y",
  "file:///x#y",
  "file:///x%00",
  "file:///x%2Fy",
  "/x",
  "x",
])("%s is no address of a folder", (url) => {
  expect(() => folderOfUrl(url)).toThrow(expect.objectContaining({ code: ErrorCode.usage }));
});
