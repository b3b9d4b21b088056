// Failures of system calls, with the code names Node uses and the path as bytes.

import { constants } from "node:os";
import { getSystemErrorMap } from "node:util";

// Linux numbers that neither Node's constants nor libuv's map name, yet a failing disk or a quota produces; and one that libuv knows of sockets alone.
const extraErrors: readonly (readonly [number, string, string])[] = [
  [95, "ENOTSUP", "operation not supported"],
  [117, "EUCLEAN", "file system structure needs cleaning"],
  [122, "EDQUOT", "disk quota exceeded"],
  [123, "ENOMEDIUM", "no medium found"],
  [126, "ENOKEY", "required key not available"],
  [129, "EKEYREJECTED", "key was rejected by service"],
];

/** The errno numbers this code tests for, under their names. */
export const Errno = {
  EPERM: constants.errno.EPERM,
  ENOENT: constants.errno.ENOENT,
  EINTR: constants.errno.EINTR,
  ENXIO: constants.errno.ENXIO,
  EAGAIN: constants.errno.EAGAIN,
  E2BIG: constants.errno.E2BIG,
  EACCES: constants.errno.EACCES,
  EEXIST: constants.errno.EEXIST,
  ENOTDIR: constants.errno.ENOTDIR,
  EINVAL: constants.errno.EINVAL,
  EFBIG: constants.errno.EFBIG,
  ERANGE: constants.errno.ERANGE,
  ENAMETOOLONG: constants.errno.ENAMETOOLONG,
  ENOSYS: constants.errno.ENOSYS,
  ELOOP: constants.errno.ELOOP,
  ENODATA: constants.errno.ENODATA,
  ENOTSUP: constants.errno.EOPNOTSUPP,
  EMLINK: constants.errno.EMLINK,
  EXDEV: constants.errno.EXDEV,
} as const;

const names = new Map<number, string>();
const texts = new Map<number, string>();
for (const [name, number] of Object.entries(constants.errno)) if (!names.has(number)) names.set(number, name);
for (const [negative, [name, text]] of getSystemErrorMap()) {
  names.set(-negative, name);
  texts.set(-negative, text);
}
for (const [number, name, text] of extraErrors) {
  names.set(number, name);
  texts.set(number, text);
}

/** The code name of an errno, as Node spells it ("ENOENT"); "E<number>" where it has none. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `E${errno}`;
}

/** Bytes of a path as one printable line: UTF-8 stays, control characters, backslash and other bytes become \xNN. */
export function displayPath(path: Uint8Array): string {
  let line = "";
  const bytes = Buffer.from(path.buffer, path.byteOffset, path.byteLength);
  const text = bytes.toString("utf8");
  // The replacement character tells that some byte was not UTF-8; then go by Latin-1 so that no byte is lost.
  const lossless = !text.includes("\ufffd");
  for (const char of lossless ? text : bytes.toString("latin1")) {
    const code = char.codePointAt(0) as number;
    const plain =
      code >= 0x20 && code !== 0x7f && char !== "\\" && (code < 0x7f || (lossless && !isUnprintable(code)));
    line += plain ? char : escapeChar(char, lossless);
  }
  return line;
}

/** C1 controls, line separators and direction overrides: they would forge or hide parts of a log line. */
function isUnprintable(code: number): boolean {
  return (
    code < 0xa0 ||
    (code >= 0x200b && code <= 0x200f) ||
    (code >= 0x2028 && code <= 0x202e) ||
    (code >= 0x2066 && code <= 0x2069) ||
    code === 0xfeff
  );
}

function escapeChar(char: string, lossless: boolean): string {
  const bytes = Buffer.from(char, lossless ? "utf8" : "latin1");
  return bytes.reduce((line, byte) => `${line}\\x${byte.toString(16).padStart(2, "0")}`, "");
}

/** A failed system call. `code` is compatible with the `code` of Node's own errors. */
export class SystemError extends Error {
  /** The positive number of errno.h. */
  readonly errno: number;
  readonly code: string;
  readonly syscall: string;
  /** The path as bytes, as far as the failing call knew it. */
  readonly path: Buffer;

  constructor(errno: number, syscall: string, path: Uint8Array) {
    const code = errnoName(errno);
    super(`${code}: ${texts.get(errno) ?? "system call failed"}, ${syscall} '${displayPath(path)}'`);
    this.name = "SystemError";
    this.errno = errno;
    this.code = code;
    this.syscall = syscall;
    this.path = Buffer.from(path);
  }
}

/** What some file systems do not have: the error alone would not tell. */
const made: ReadonlyMap<string, string> = new Map([
  ["symlink", "a symbolic link"],
  ["link", "a hard link"],
  ["mknod", "this kind of file"],
]);

/** One line for a warning: "permission denied (EACCES)", without the path. Takes any thrown value. */
export function describeSystemError(error: unknown): string {
  if (error instanceof SystemError) {
    const what = made.get(error.syscall);
    const why = `${texts.get(error.errno) ?? "system call failed"} (${error.code})`;
    return what === undefined ? why : `${what} cannot be made here: ${why}`;
  }
  if (error instanceof Error) return error.message;
  return String(error);
}

/** Runs a call of node:fs and turns its error into a SystemError with the path as bytes. */
export function asSystemError<T>(path: () => Uint8Array, call: () => T): T {
  try {
    return call();
  } catch (error) {
    const { errno, syscall } = error as NodeJS.ErrnoException;
    if (typeof errno !== "number") throw error;
    throw new SystemError(Math.abs(errno), syscall ?? "call", path());
  }
}
