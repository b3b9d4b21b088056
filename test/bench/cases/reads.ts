// The image as a file on a drive: front to back, and small reads at random places, on fresh mounts; the same random reads once more
// from the kernel's page cache.

import { statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { IMAGE_NAME } from "../corpus/image.ts";
import { BenchFailure } from "../failure.ts";
import { prepareCaches } from "../measure/caches.ts";
import { type Measurement, measure } from "../measure/programs.ts";
import type { Context } from "./context.ts";
import { type DriveCase, onFreshMount, type Services } from "./drive.ts";

const FILE_READS = fileURLToPath(new URL("../readers/fileReads.ts", import.meta.url));
const READ = 'cat "$1" | wc -c';
const READER = "reader";
const BLOCK_BYTES = 4096;
const READS = 1_000;

/** Reads the image from fresh mounts of one drive. */
export async function measureReads(context: Context, drive: DriveCase): Promise<void> {
  const { samples } = context;
  const { prefix, column } = drive;
  await onFreshMount(context, drive, async ({ root }, services) => {
    const file = join(root, IMAGE_NAME);
    const step = await measure({ command: "sh", args: ["-c", READ, "sh", file], role: READER }, services);
    const bytes = Number(step.stdout);
    if (bytes !== statSync(file).size) throw new BenchFailure(`${file} gave ${bytes} bytes`);
    samples.add(`${prefix}read-image`, column, bytes / step.seconds);
    samples.addUsage(`${prefix}read-image`, column, step);
  });
  await onFreshMount(context, drive, async ({ root }, services) => {
    for (const row of ["random-cold", "random-warm"]) {
      const step = await randomReads(join(root, IMAGE_NAME), services);
      samples.add(`${prefix}${row}`, column, rateOf(step));
      samples.addUsage(`${prefix}${row}`, column, step);
    }
  });
}

/** The same reads of the source file, which is in the page cache. */
export async function measureSourceReads(context: Context, folder: string): Promise<void> {
  prepareCaches("warm", [folder], context.dir);
  context.samples.add(
    "random-warm",
    "source",
    rateOf(await randomReads(join(folder, IMAGE_NAME), new Map())),
  );
}

/** Reads at random places, as fileReads.ts does them. */
export function randomReads(file: string, services: Services): Promise<Measurement> {
  const args = [FILE_READS, file, String(READS), String(BLOCK_BYTES), "reads"];
  return measure({ command: process.execPath, args, role: READER }, services);
}

/** Reads a second, by the reader's own clock: its start-up is not in it. */
export function rateOf({ stdout }: Measurement): number {
  const { reads, seconds } = JSON.parse(stdout) as { reads: number; seconds: number };
  return reads / seconds;
}
