// Loss of power of a disk whose writes were recorded: at which flush it comes, and the disk that it leaves.

import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import type { Random } from "../fidelity/random.ts";
import { type Disk, type Journal, mountAfterPowerLoss } from "./loopDisk.ts";
import { flushPositions, replay, type WriteLog } from "./writeLog.ts";

/** Programs that recording and cutting take. */
export const powerTools = ["qemu-storage-daemon", "losetup", "mkfs.ext4", "e2fsck", "mount"];

export type RecordedDisk = {
  readonly log: WriteLog;
  readonly diskMiB: number;
  readonly journal: Journal;
  /** Entries of the log that were flushed when what is tested began. */
  readonly created: number;
};

/**
 * Flushes to cut the power at: by turns right behind something that was told, and anywhere. `told`: entries that were flushed when each was;
 * what was told before the test began is left out.
 */
export function* moments(
  { log, created }: RecordedDisk,
  told: readonly number[],
  random: Random,
): Generator<number, never> {
  const flushes = flushPositions(log).filter((index) => index + 1 >= created);
  const behind = told.flatMap((flushed) => (flushed < created ? [] : [flushed - 1]));
  for (let i = 0; ; i++) {
    const from = i % 2 === 0 ? behind : flushes;
    yield from[random.below(from.length)]!;
  }
}

/**
 * Cuts the power at a flush and mounts what is left below `folder`, which is made, and which `unmount` removes. `random`: what is left of what
 * was written behind the flush.
 */
export function cutPowerAt(
  recorded: RecordedDisk,
  flush: number,
  folder: string,
  random: Random | "none",
): Disk {
  mkdirSync(folder);
  const image = join(folder, "disk.img");
  replay(recorded.log, flush, image, recorded.diskMiB * 2 ** 20, random);
  const disk = mountAfterPowerLoss(image, join(folder, "disk"), recorded.journal);
  const unmount = (): void => {
    disk.unmount();
    rmSync(folder, { recursive: true });
  };
  return { folder: disk.folder, unmount };
}
