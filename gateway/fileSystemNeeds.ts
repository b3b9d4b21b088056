// What a data directory needs of its file system, looked at before anything is written: others than its owner are kept out (its secrets are in
// files), and the admin socket can be there. Disks that are to be read everywhere (exFAT, FAT) have neither.

import { mkdir, rm, stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { betterPlace, socketAddress, socketRefusal } from "./admin/adminSocket.ts";
import { fileError } from "./store/files.ts";

/** A folder that is there for a moment: whoever is killed then leaves it in a directory that is empty otherwise. */
export const lookName = ".look";

/**
 * Looks whether a gateway's data can be in the directory `path`, which is there. Leaves nothing.
 * @throws HoldfastError unsupported; disk-full, io-error
 */
export async function demandFileSystem(path: string): Promise<void> {
  const probe = join(path, lookName);
  try {
    await rm(probe, { recursive: true, force: true });
    await mkdir(probe, { mode: 0o700 });
    const { mode } = await stat(probe);
    if ((mode & 0o077) !== 0) throw openToAll(path, mode & 0o777);
    await listenOnce(join(probe, "admin.sock"));
  } catch (error) {
    throw fileError(error, path);
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

function openToAll(path: string, mode: number): HoldfastError {
  const what = `${path}: its file system keeps nobody out (what is made for its owner alone gets mode ${mode.toString(8)}), and the gateway's secrets would be there`;
  return new HoldfastError(ErrorCode.unsupported, what, { next: betterPlace });
}

/** @throws HoldfastError unsupported, disk-full, io-error */
async function listenOnce(path: string): Promise<void> {
  const { address, release } = socketAddress(path);
  const server = createServer();
  try {
    await new Promise<void>((resolve, reject) => {
      server.once("error", reject).listen({ path: address }, resolve);
    });
    await new Promise((resolve) => server.close(resolve));
  } catch (error) {
    throw socketRefusal(error, path);
  } finally {
    release();
  }
}
