// What is said where the disk has only the reserve left.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export function reserveReached(options: {
  readonly reserveBytes: number;
  readonly directory: string;
}): HoldfastError {
  return new HoldfastError(
    ErrorCode.diskFull,
    `less than ${Math.round(options.reserveBytes / 2 ** 20)} MiB are free on the gateway's disk`,
    {
      next: "Make room on the gateway's disk; nothing acknowledged is lost and work continues by itself.",
      detail: { path: options.directory },
    },
  );
}
