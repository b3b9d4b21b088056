// One process per data directory. The lock is flock(2) on a file in it: it goes with the process, however that ends.
//
// Node has no flock. The lock belongs to the open file description, not to who asked for it: util-linux `flock` is given our
// descriptor, locks it, and exits; the lock stays as long as we hold the descriptor open. Where there is no `flock`, an
// abstract unix socket named after the directory's device and inode serves: it too goes with the process.

import { spawnSync } from "node:child_process";
import { closeSync, ftruncateSync, openSync, statSync, writeSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { errnoOf, fileError } from "./store/files.ts";

export type DataLock = { release(): void };

/** Exit status that `flock` is told to use when the lock is taken. */
const takenStatus = 75;

/**
 * Locks a directory for this process.
 * @throws HoldfastError data-dir-locked, io-error
 */
export async function lockDirectory(directory: string): Promise<DataLock> {
  const path = join(directory, "lock");
  let fd: number;
  try {
    fd = openSync(path, "a+", 0o600);
  } catch (error) {
    throw fileError(error, path);
  }
  const ran = spawnSync("flock", ["-x", "-n", "-E", String(takenStatus), "3"], {
    stdio: ["ignore", "ignore", "ignore", fd],
  });
  if (ran.status === 0) {
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`);
    return { release: () => closeSync(fd) };
  }
  closeSync(fd);
  if (ran.status === takenStatus) throw dataDirLocked(directory);
  if (ran.error === undefined || errnoOf(ran.error) !== "ENOENT") {
    throw new HoldfastError(ErrorCode.ioError, `${path} cannot be locked (flock ended with ${ran.status})`);
  }
  return await lockBySocket(directory);
}

async function lockBySocket(directory: string): Promise<DataLock> {
  const { dev, ino } = statSync(directory);
  const server: Server = createServer((socket) => socket.destroy());
  await new Promise<void>((resolve, reject) => {
    server.once("error", (error) =>
      reject(errnoOf(error) === "EADDRINUSE" ? dataDirLocked(directory) : error),
    );
    server.listen(`\0holdfast-data-${dev}-${ino}`, resolve);
  });
  server.unref();
  return { release: () => void server.close() };
}

/** Another process has it. */
export function dataDirLocked(directory: string): HoldfastError {
  return new HoldfastError(ErrorCode.dataDirLocked, `another process has ${directory} open`, {
    next: "Stop the other gateway, or speak to it through its admin socket.",
    detail: { path: directory },
  });
}
