// The admin socket: where it is, and how its file is reached. A socket's address has room for 107 bytes (unix(7)), a data directory's path may
// be longer, that of a container's volume for one: then the file is reached through a descriptor of its folder.

import { closeSync, constants, openSync } from "node:fs";
import type { ClientRequest, RequestOptions } from "node:http";
import { basename, dirname, join } from "node:path";
import { http, withoutHost } from "../../ingest/line/nodeHttp.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { errnoOf, fileError } from "../store/files.ts";

const addressBytesMax = 107;

/** What file systems without sockets say to a new one. */
const withoutSockets: readonly (string | undefined)[] = ["EIO", "EPERM", "ENOSYS", "ENOTSUP", "EOPNOTSUPP"];

/** The admin socket of a data directory. */
export function adminSocketPath(dataDir: string): string {
  return join(dataDir, "admin.sock");
}

/** `address` reaches the file until `release`, which may be called twice. */
export type SocketAddress = {
  readonly address: string;
  readonly isShort: boolean;
  readonly release: () => void;
};

/** How the socket's file is reached. @throws the system's error where its folder cannot be opened */
export function socketAddress(path: string): SocketAddress {
  if (process.platform !== "linux" || Buffer.byteLength(path) <= addressBytesMax)
    return { address: path, isShort: true, release: () => {} };
  let folder: number | undefined = openSync(dirname(path), constants.O_RDONLY | constants.O_DIRECTORY);
  return {
    address: `/proc/self/fd/${folder}/${basename(path)}`,
    isShort: false,
    release: () => {
      if (folder !== undefined) closeSync(folder);
      folder = undefined;
    },
  };
}

/** A request to what listens there. @throws the system's error where its folder cannot be opened */
export function requestSocket(
  path: string,
  options: Pick<RequestOptions, "method" | "path" | "headers">,
): ClientRequest {
  const { address, isShort, release } = socketAddress(path);
  // Connections are kept by address, and what the descriptor's number stands for changes.
  const own = isShort ? {} : { agent: false };
  const request = http.request({ ...withoutHost, ...own, socketPath: address, ...options });
  request.once("close", release);
  return request;
}

/** Why nothing can listen at `path`, in our words. */
export function socketRefusal(error: unknown, path: string): HoldfastError {
  const errno = errnoOf(error);
  if (!withoutSockets.includes(errno)) return fileError(error, path);
  const what = `${dirname(path)}: its file system has no Unix sockets (${errno})`;
  return new HoldfastError(ErrorCode.unsupported, what, { next: betterPlace, cause: error });
}

/** What to do about a file system that a data directory cannot be on. */
export const betterPlace = "Put the gateway's data directory on ext4, XFS, Btrfs or ZFS.";
