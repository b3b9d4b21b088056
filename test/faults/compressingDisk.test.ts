// Small files on file systems that compress: they may take less room than their size, and yet have no holes.

import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import * as fs from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { Reading } from "../agent/backup/reading.ts";
import { canMount } from "../fs/fuse/mounting.ts";
import { createCompressingDisk, type Disk } from "./loopDisk.ts";
import { canRun } from "./requirements.ts";
import { onTearDown } from "./tearDown.ts";

const names = ["a", "b", "c", "d", "e", "tiny"];
const program = fileURLToPath(new URL("./packedMount.ts", import.meta.url));
const hasTools = canRun("a file system that compresses", "losetup", "mkfs.btrfs", "mount");
const known = hasTools && /\tbtrfs$/m.test(fs.readFileSync("/proc/filesystems", "utf8"));
if (hasTools && !known) process.stderr.write("\n*** SKIPPED: this kernel has no btrfs ***\n\n");

/** Reads the six files of a folder: all but c share one chunk, and c keeps its holes. */
async function checkReading(folder: string): Promise<void> {
  const reading = new Reading();
  try {
    const reads = await reading.read(names.map((name) => reading.see(join(folder, name))));
    const chunks = new Set<string>();
    for (const [i, name] of names.entries()) {
      const read = reads[i] as (typeof reads)[number];
      const extents = read.content?.form === "inline" ? read.content.extents : [];
      const shape = extents.map(({ hole, length }) => [hole, length]);
      if (name === "c") {
        expect(shape).toEqual([
          [true, 131_072],
          [false, 8192],
          [true, 60_736],
        ]);
      } else {
        const [extent] = extents;
        if (extent === undefined || extent.hole) throw new Error(`${name} has no data`);
        expect(shape, name).toEqual([[false, read.outcome.size]]);
        expect(extent.plainLength, name).toBe(240_004);
        chunks.add(Buffer.from(extent.id).toString("hex"));
      }
      const content = spawnSync("cat", [join(folder, name)]).stdout;
      expect(reading.content(read).equals(content), name).toBe(true);
      expect(read.outcome.size).toBeGreaterThan(0);
    }
    expect(chunks.size).toBe(1);
  } finally {
    await reading.close();
  }
}

describe.skipIf(!known)("on btrfs with compression", () => {
  let scratch: string;
  let disk: Disk;

  beforeAll(() => {
    scratch = fs.mkdtempSync(join(tmpdir(), "holdfast-btrfs-"));
    disk = createCompressingDisk(scratch, "disk", 128);
  });
  afterAll(() => {
    disk?.unmount();
    if (scratch !== undefined) fs.rmSync(scratch, { recursive: true });
  });

  it.each(["before", "after"])("bundles what has no holes, %s it reaches the disk", async (when) => {
    for (const name of ["a", "b", "d", "e"]) {
      fs.writeFileSync(join(disk.folder, name), `${name} again `.repeat(10_000).slice(0, 60_000));
    }
    fs.writeFileSync(join(disk.folder, "tiny"), "tiny");
    const fd = fs.openSync(join(disk.folder, "c"), "w");
    fs.ftruncateSync(fd, 200_000);
    fs.writeSync(fd, "c again ".repeat(1024), 131_072);
    fs.closeSync(fd);
    if (when === "after") expect(spawnSync("sync", ["-f", disk.folder]).status).toBe(0);
    await checkReading(disk.folder);
  });
});

describe.skipIf(!canMount())("where files take less room than they have", () => {
  let scratch: string;
  let daemon: ChildProcess;
  let undo: () => void = () => undefined;

  beforeAll(async () => {
    scratch = fs.mkdtempSync(join(tmpdir(), "holdfast-packed-"));
    const forget = onTearDown(() => undo());
    undo = () => {
      daemon?.kill("SIGKILL");
      spawnSync("umount", ["--lazy", scratch]);
      fs.rmdirSync(scratch);
      forget();
    };
    daemon = spawn(process.execPath, [program, scratch], { stdio: ["ignore", "pipe", "inherit"] });
    await once(daemon.stdout as NodeJS.ReadableStream, "data");
  });
  afterAll(() => undo());

  it("bundles what has no holes", async () => {
    for (const name of names) {
      const { size, blocks } = fs.statSync(join(scratch, name));
      expect(blocks * 512, name).toBeLessThan(size);
    }
    await checkReading(scratch);
  });
});
