// A pipe of the operating system. What Node gives a child as its input or output is a socket, which programs cannot open by
// /dev/stdin or /dev/stdout, and which no other thread can read.

import { spawnSync } from "node:child_process";
import { closeSync, constants as fileConstants, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { constants, tmpdir } from "node:os";
import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { allocateBlock, bindProcess } from "./libc.ts";
import { usesLibc } from "./select.ts";

const O_CLOEXEC = 0o2000000;
const F_SETPIPE_SZ = 1031;
/** What everybody may have: the writer goes on while the reader cuts what it has. */
const pipeBytes = 2 ** 20;

/** Both ends as descriptors, blocking, closed in children that they are not given to. Whoever asked closes them. */
export type Pipe = { readonly read: number; readonly write: number };

/** @throws HoldfastError io-error */
export function makePipe(): Pipe {
  return usesLibc() ? systemPipe() : namedPipe();
}

function systemPipe(): Pipe {
  const { pipe2, fcntl } = bindProcess({
    pipe2: ["int", "uintptr_t", "int"],
    fcntl: ["int", "int", "int", "int"],
  } as const);
  const { view, address } = allocateBlock(8);
  if (pipe2(address, O_CLOEXEC) !== 0) throw noPipe();
  const [read, write] = [view.getInt32(0, true), view.getInt32(4, true)];
  // Refused where the user has many of them: then it is a smaller one.
  fcntl(write, F_SETPIPE_SZ, pipeBytes);
  return { read, write };
}

/** Without native calls: a FIFO whose name is gone when both ends are open. */
function namedPipe(): Pipe {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-pipe-"));
  try {
    const path = join(folder, "pipe");
    if (spawnSync("mkfifo", ["-m", "600", path], { stdio: "ignore" }).status !== 0) throw noPipe();
    // Opened for both, it waits for no other end.
    const both = openSync(path, fileConstants.O_RDWR);
    const read = openSync(path, fileConstants.O_RDONLY);
    const write = openSync(path, fileConstants.O_WRONLY);
    closeSync(both);
    return { read, write };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function noPipe(): HoldfastError {
  return new HoldfastError(ErrorCode.ioError, "the system gives no pipe", {
    next: "Look at how many files may be open (ulimit -n).",
  });
}

/**
 * Wakes whoever reads at `read` and finds nothing, by one byte: a writer that nobody can end may hold the other end. The reader must
 * know what to think of it.
 */
export function wakeReader(read: number): void {
  let write: number | undefined;
  try {
    write = openSync(`/proc/self/fd/${read}`, fileConstants.O_WRONLY | fileConstants.O_NONBLOCK);
    writeSync(write, "\n");
  } catch (error) {
    // Full: it finds something.
    if ((error as NodeJS.ErrnoException).errno !== -constants.errno.EAGAIN) throw error;
  } finally {
    if (write !== undefined) closeSync(write);
  }
}
