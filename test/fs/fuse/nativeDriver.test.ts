// The second driver: mounts with the libfuse 2 that its package brings, and says what is missing where there is none.

import { describe, expect, it } from "vitest";
import { mountAt } from "../../../fs/fuse/mountTable.ts";
import { nativeDriver } from "../../../fs/fuse/nativeDriver.ts";
import { directory, file, MemoryView, node } from "../memoryView.ts";
import { canMount, mountPoints, sh, tool } from "./mounting.ts";

/** Where the package brings its own libfuse 2. */
const bringsLibrary = process.platform === "linux" && process.arch === "x64";

describe.skipIf(!canMount())("the fuse-native driver", () => {
  const here = mountPoints();

  const view = new MemoryView(
    directory([
      [
        "file",
        file("content\n", { uid: 1000, mode: 0o640, xattrs: new Map([["user.a", Buffer.from("b")]]) }),
      ],
      ["old", file("x", { mtimeNs: -1_500_000_000n })],
      ["link", node("symlink", {}, { target: Buffer.from("file") })],
      [Buffer.from([0xff]), file("")],
    ]),
  );

  it.runIf(bringsLibrary)("shows the view read-only", async () => {
    const mounted = await here.mount(nativeDriver, view);
    expect((await tool(`ls "$1"`, here.mnt)).toString()).toBe("file\nlink\nold\n");
    expect((await tool(`cat "$1/link"`, here.mnt)).toString()).toBe("content\n");
    expect((await tool(`stat -c '%a %u %s' "$1/file"`, here.mnt)).toString()).toBe("640 1000 8\n");
    expect((await tool(`stat -c %Y "$1/old"`, here.mnt)).toString()).toBe("0\n");
    expect((await tool(`cd "$1" && getfattr -n user.a --only-values file`, here.mnt)).toString()).toBe("b");
    expect((await sh(`touch "$1/new"`, here.mnt)).stderr).toContain("Read-only file system");
    expect((await sh(`stat "$1/none"`, here.mnt)).stderr).toContain("No such file");
    await mounted.unmount();
    await mounted.closed;
    expect(await mountAt(here.mnt)).toBeUndefined();
  });

  it.skipIf(bringsLibrary)("says what is missing", async () => {
    await expect(here.mount(nativeDriver, view)).rejects.toMatchObject({
      code: "mount-failed",
      next: expect.stringContaining("libfuse2"),
    });
  });
});
