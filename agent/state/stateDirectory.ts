// The agent's state directory:
//
//   agent.json     enrolment with the device's key and token (enrollment.ts)
//   enrolling.json  an invite that is being used (pendingInvite.ts); goes when agent.json is there
//   seen.json      the newest state of the gateway that was seen (seen.ts)
//   config.toml    settings, if the user wrote some
//   check.partial  what a check that was stopped had proven (inspect/provenChunks.ts); may be deleted
//   cache/         may be deleted at any time: one page cache per item; drive/, sealed records that drives fetched (session/sealedCache.ts)
//   hooks.json     what a backup with hooks has to undo, while there is such a thing (docs/hooks.md); snapshots/ has a folder for each snapshot
//   lock           held by the one run that writes
//   run.lock       held by the one scheduler; definitions.json and schedule.json are its own (docs/schedules.md)

import {
  chownSync,
  closeSync,
  fstatSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { canLockFiles, lockFile } from "../platform/fileLock.ts";
import { markCache } from "../source/cacheTag.ts";
import { stateFileError } from "./durableFile.ts";

export type StateLock = { release(): void };

/** Makes the directory (mode 0700) if it is not there. @throws HoldfastError disk-full, io-error */
export function makeStateDirectory(state: string): void {
  try {
    mkdirSync(state, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw stateFileError(error, state);
  }
}

/**
 * Looks whether what is made there for its owner alone is closed to others, before a key is written. Leaves nothing.
 * @throws HoldfastError unsupported; disk-full, io-error
 */
export function demandPrivate(state: string): void {
  // Windows keeps others out by other means.
  if (process.getuid === undefined) return;
  const path = join(state, ".look");
  try {
    rmSync(path, { force: true });
    const fd = openSync(path, "wx", 0o600);
    const { mode } = fstatSync(fd);
    closeSync(fd);
    rmSync(path);
    if ((mode & 0o077) !== 0) throw openToAll(state, mode & 0o777);
  } catch (error) {
    throw stateFileError(error, state);
  }
}

function openToAll(state: string, mode: number): HoldfastError {
  const what = `${state}: its file system keeps nobody out (what is made for its owner alone gets mode ${mode.toString(8)}), and this device's key would be there`;
  return new HoldfastError(ErrorCode.unsupported, what, {
    next: "Name a --state directory elsewhere, or mount this file system for its owner alone (umask=077).",
    detail: { path: state },
  });
}

/** The folder of caches; made for the state's owner, also by a drive of root's. @throws HoldfastError disk-full, io-error */
export function makeCacheFolder(state: string): string {
  const folder = join(state, "cache");
  makeStateDirectory(folder);
  if (process.getuid?.() === 0) {
    const { uid, gid } = statSync(state);
    if (uid !== statSync(folder).uid) chownSync(folder, uid, gid);
  }
  markCache(folder);
  return folder;
}

/** The file of an item's page cache (item id in hex); its folder is made. */
export function cachePath(state: string, itemId: string): string {
  return join(makeCacheFolder(state), `${itemId}.pages`);
}

/**
 * Keeps other runs out until `release`, or until the process ends in whatever way. Where the platform cannot lock, two runs
 * are kept apart by the gateway alone (the second takes over the upload session).
 * @throws HoldfastError busy when another run has it; disk-full, io-error
 */
export function lockState(state: string): StateLock {
  return lockIn(state, "lock", "another run is using");
}

/** As `lockState`, for the scheduler: backups go on beside it. @throws HoldfastError busy; disk-full, io-error */
export function lockScheduler(state: string): StateLock {
  return lockIn(state, "run.lock", "another `holdfast agent run` is at work on");
}

function lockIn(state: string, name: string, why: string): StateLock {
  makeStateDirectory(state);
  const path = join(state, name);
  let fd: number | undefined;
  try {
    fd = openSync(path, "a+", 0o600);
    if (canLockFiles() && !lockFile(fd)) throw taken(state, path, why);
    ftruncateSync(fd, 0);
    writeSync(fd, `${process.pid}\n`);
  } catch (error) {
    if (fd !== undefined) closeSync(fd);
    throw stateFileError(error, path);
  }
  const held = fd;
  return { release: () => closeSync(held) };
}

function taken(state: string, path: string, why: string): HoldfastError {
  const pid = readFileSync(path, "utf8").trim();
  const who = /^\d+$/.test(pid) ? `process ${pid}` : "another process";
  return new HoldfastError(ErrorCode.busy, `${why} ${state} (${who})`, {
    next: "Wait for it to end, or stop it, and run again.",
    detail: { path: state },
  });
}
