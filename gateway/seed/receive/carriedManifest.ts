// A manifest and its lists that somebody carried to the datacentre: in one file, or in the directory of a sealed box.

import { type FileHandle, open } from "node:fs/promises";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { claimedManifest, type SeedListName, seedLists } from "../../../vault/seed/manifest.ts";
import { fileError, readFully } from "../../store/files.ts";
import { listPath } from "../listFiles.ts";

export type CarriedManifest = {
  /** Both lines. What they say is not proven. */
  readonly bytes: Buffer;
  /** Bytes of a list from an offset on, at most `length`; none at its end. */
  readonly read: (
    place: { readonly vault: string; readonly list: SeedListName },
    offset: number,
    length: number,
  ) => Promise<Buffer>;
};

/** Runs `work` on a file that `seed seal --manifest-out` wrote. @throws HoldfastError not-found, truncated, io-error */
export async function withManifestFile<T>(
  path: string,
  work: (carried: CarriedManifest) => Promise<T>,
): Promise<T> {
  const file = await openToRead(path);
  try {
    const bytes = manifestOf(await range(file.fd, 0, limits.signedBytesMax));
    const starts = new Map<string, number>();
    let at = bytes.length;
    for (const { id, lists } of claimedManifest(bytes).vaults) {
      for (const list of seedLists) {
        starts.set(`${id}/${list}`, at);
        at += lists[list].bytes;
      }
    }
    const end = at;
    const read: CarriedManifest["read"] = ({ vault, list }, offset, length) =>
      range(file.fd, (starts.get(`${vault}/${list}`) ?? end) + offset, length);
    return await work({ bytes, read });
  } finally {
    await file.close();
  }
}

/** The manifest that the directory of a sealed box has; `bytes`: of its file. @throws HoldfastError truncated */
export function manifestInDirectory(path: string, bytes: Buffer): CarriedManifest {
  return {
    bytes: manifestOf(bytes),
    read: async ({ vault, list }, offset, length) => {
      const file = await openToRead(listPath(join(path, "seed"), vault, list));
      try {
        return await range(file.fd, offset, length);
      } finally {
        await file.close();
      }
    },
  };
}

export function cutShort(): HoldfastError {
  return new HoldfastError(ErrorCode.truncated, "the file with the manifest is cut short");
}

async function openToRead(path: string): Promise<FileHandle> {
  try {
    return await open(path, "r");
  } catch (error) {
    throw fileError(error, path);
  }
}

async function range(fd: number, at: number, length: number): Promise<Buffer> {
  const buffer = Buffer.alloc(length);
  return buffer.subarray(0, await readFully(fd, buffer, at));
}

/** The two lines at the beginning. @throws HoldfastError truncated */
function manifestOf(bytes: Buffer): Buffer {
  const second = bytes.indexOf(0x0a, bytes.indexOf(0x0a) + 1);
  if (second < 1) throw cutShort();
  return bytes.subarray(0, second + 1);
}
