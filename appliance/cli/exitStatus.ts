// The one place that turns what happened into an exit status and a line on stderr.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export const ExitStatus = { done: 0, failed: 1, usage: 2, warnings: 3 } as const;
export type ExitStatus = (typeof ExitStatus)[keyof typeof ExitStatus];

/** Exit status of a run that did not throw. */
export function statusOf(warnings: number): ExitStatus {
  return warnings > 0 ? ExitStatus.warnings : ExitStatus.done;
}

/** What a failure looks like outside. */
export type Failure = {
  readonly status: ExitStatus;
  readonly error: HoldfastError;
  /** Stack of an unexpected failure, for a report. */
  readonly stack: string | undefined;
};

/** Any thrown value as a failure. What is no HoldfastError is a defect, except what the operating system refused. */
export function failureOf(thrown: unknown): Failure {
  if (thrown instanceof HoldfastError) {
    const status = thrown.code === ErrorCode.usage ? ExitStatus.usage : ExitStatus.failed;
    return { status, error: thrown, stack: undefined };
  }
  const system = systemFailure(thrown);
  if (system !== undefined) return { status: ExitStatus.failed, error: system, stack: undefined };
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  const error = new HoldfastError(ErrorCode.internal, `unexpected failure: ${message}`, {
    next: "This is a defect in Holdfast: please report it with the lines below.",
    cause: thrown,
  });
  return { status: ExitStatus.failed, error, stack: thrown instanceof Error ? thrown.stack : undefined };
}

/** A failed system call on a file (Node's error with a path), or a thread that the system refused, in our words. */
function systemFailure(thrown: unknown): HoldfastError | undefined {
  if (!(thrown instanceof Error)) return undefined;
  const { code, path, syscall } = thrown as NodeJS.ErrnoException;
  if (code === "ERR_WORKER_INIT_FAILED") {
    const next = "Raise the limit of processes (ulimit -u, TasksMax of a service), or make memory free.";
    return new HoldfastError(ErrorCode.ioError, `no thread could be started: ${thrown.message}`, {
      next,
      cause: thrown,
    });
  }
  if (code === undefined || syscall === undefined || path === undefined) return undefined;
  const [kind, what, next] = reasons[code] ?? [ErrorCode.ioError, code, "See the system's log."];
  return new HoldfastError(kind, `${path}: ${what}`, { next, cause: thrown, detail: { path } });
}

const reasons: Readonly<Record<string, readonly [ErrorCode, string, string]>> = {
  ENOENT: [ErrorCode.notFound, "no such file or directory", "Check the path."],
  EACCES: [ErrorCode.ioError, "permission denied", "Run as a user who may, or change the permissions."],
  EPERM: [ErrorCode.ioError, "not permitted", "Run as a user who may."],
  ENOSPC: [ErrorCode.diskFull, "no room left on the disk", "Make room and run again."],
  EDQUOT: [ErrorCode.diskFull, "the disk quota is used up", "Make room and run again."],
  EROFS: [ErrorCode.ioError, "the file system is read-only", "Choose another place."],
  EAGAIN: [
    ErrorCode.ioError,
    "the limit of processes is reached",
    "Raise it (ulimit -u, TasksMax of a service).",
  ],
  EMFILE: [
    ErrorCode.ioError,
    "too many files are open",
    "Raise the limit (ulimit -n, LimitNOFILE of a service).",
  ],
  ENOMEM: [ErrorCode.ioError, "there is no memory left", "Make memory free and run again."],
  EISDIR: [ErrorCode.usage, "is a directory", "Name a file."],
  ENOTDIR: [ErrorCode.usage, "is not a directory", "Name a directory."],
};
