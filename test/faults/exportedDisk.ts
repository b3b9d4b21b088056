// A disk that QEMU's storage daemon shows as a file, by FUSE: what is done to it goes through QEMU's block layer.

import { type ChildProcess, spawn } from "node:child_process";
import { writeFileSync } from "node:fs";
import { setTimeout as sleep } from "node:timers/promises";
import { mounted } from "./mounts.ts";
import { onTearDown, pauseSync, runTool } from "./tearDown.ts";

export type ExportedDisk = {
  readonly daemon: ChildProcess;
  /** Takes the file away; also when the daemon is gone already. */
  readonly stop: () => void;
};

/** Starts a daemon with these options, and shows its node `node` as the file `shown`, which is made. */
export async function exportDisk(
  options: readonly string[],
  node: string,
  shown: string,
): Promise<ExportedDisk> {
  writeFileSync(shown, "");
  const exported = ["--export", `type=fuse,id=disk,node-name=${node},mountpoint=${shown},writable=on`];
  const daemon = spawn("qemu-storage-daemon", [...options, ...exported], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  let forget = (): void => {};
  const stop = (): void => {
    daemon.kill("SIGTERM");
    for (let waited = 0; mounted(shown) && waited < 5000; waited += 50) {
      // A daemon that was killed leaves its mount.
      if (daemon.signalCode === "SIGKILL") break;
      pauseSync(50);
    }
    if (mounted(shown)) {
      daemon.kill("SIGKILL");
      runTool("umount", "--lazy", shown);
    }
    forget();
  };
  forget = onTearDown(stop);
  for (let waited = 0; !mounted(shown); waited += 20) {
    if (daemon.exitCode !== null || waited > 10_000)
      throw new Error("qemu-storage-daemon did not export the disk");
    await sleep(20);
  }
  return { daemon, stop };
}
