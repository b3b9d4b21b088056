// Small files of a disk that comes from elsewhere: whoever had it may have put anything there under a name that is known.

import { constants } from "node:fs";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { closeDescriptor, fstat, openDescriptor, readFully } from "./files.ts";

/**
 * All bytes of a file, `bytesMax` at most; looked at before memory is taken. What is no regular file is refused without waiting: a pipe has no
 * end, and opening one waits for a writer in a thread that others need.
 * @throws HoldfastError corrupt, limit-exceeded; the system's errors
 */
export async function readForeignFile(path: string, bytesMax: number): Promise<Buffer> {
  const fd = await openDescriptor(path, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
    const stats = await fstat(fd);
    if (!stats.isFile()) throw new HoldfastError(ErrorCode.corrupt, `${path} is no file`);
    if (stats.size > bytesMax) {
      throw new HoldfastError(
        ErrorCode.limitExceeded,
        `${path} has ${stats.size} bytes, at most ${bytesMax}`,
      );
    }
    const bytes = Buffer.alloc(stats.size);
    return bytes.subarray(0, await readFully(fd, bytes, 0));
  } finally {
    await closeDescriptor(fd);
  }
}
