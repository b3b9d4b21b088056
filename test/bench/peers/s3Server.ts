// A real S3 server for the length of a run: Ceph's RADOS Gateway, with its disk below the benchmark's folder.

import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { endCeph } from "../../testbeds/cephDaemons.ts";
import { Rgw } from "../../testbeds/rgw.ts";
import { watchOther } from "../lifetimes.ts";

const PROGRAMS = ["radosgw", "ceph-mon", "ceph-osd", "ceph", "rclone", "curl"];
/** Everything is kept there several times; what was deleted stays for hours. A sparse file. */
const BLOCK_BYTES = 32 * 2 ** 30;

const folderOf = (dir: string): string => join(dir, "run", "s3");

/** Whether the server and the programs beside it are installed. */
export function canServeS3(): boolean {
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  return PROGRAMS.every((name) => spawnSync("sh", ["-c", `command -v ${name}`], { env }).status === 0);
}

/** Ends what a killed run left in `dir`. */
export function clearS3Server(dir: string): void {
  endCeph(folderOf(dir));
}

/** Starts the server, empty, does `work` with it, and removes everything. */
export async function withS3Server(dir: string, work: (server: Rgw) => Promise<void>): Promise<void> {
  const folder = folderOf(dir);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const unwatch = watchOther(() => endCeph(folder));
  try {
    const server = await Rgw.start({ folder, blockBytes: BLOCK_BYTES });
    await work(server);
    await server.stop();
  } finally {
    endCeph(folder);
    unwatch();
    rmSync(folder, { recursive: true, force: true });
  }
}
