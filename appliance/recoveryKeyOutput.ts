// A recovery key is shown once: on stdout, or in a new file that only its owner may read.

import { closeSync, fchownSync, fsyncSync, openSync, writeFileSync } from "node:fs";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import type { Output } from "./cli/output/output.ts";
import { isRootAsOwner } from "./service/asOwner.ts";

/** Where a recovery key will go; opened before it is made, so that a place that cannot be written costs nothing. */
export type RecoveryKeyPlace = { readonly file: string; readonly fd: number } | undefined;

/** Makes the file (mode 0600), where one was named. @throws HoldfastError exists when it is there */
export function openRecoveryKeyFile(file: string | undefined): RecoveryKeyPlace {
  return file === undefined ? undefined : { file, fd: openNewFile(file, "a recovery key") };
}

/** A new file that only its owner may read, for a secret (`what`). @throws HoldfastError exists when it is there */
export function openNewFile(file: string, what: string): number {
  try {
    const fd = openSync(file, "wx", 0o600);
    // Root's command on a service's directory: the secret is not the service's.
    if (isRootAsOwner()) fchownSync(fd, 0, 0);
    return fd;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    throw new HoldfastError(ErrorCode.exists, `${file} is there already`, {
      next: `Name a new file: ${what} never overwrites anything.`,
      cause: error,
    });
  }
}

/** Shows or stores the key. `whose`: "the gateway", "account alice". */
export function deliverRecoveryKey(
  place: RecoveryKeyPlace,
  key: string,
  whose: string,
  output: Output,
): void {
  if (place === undefined) {
    output.once(
      `\nRecovery key of ${whose} (shown only now; keep it apart from this machine):\n\n  ${key}\n`,
      { event: "recovery-key", of: whose, key },
    );
    return;
  }
  writeFileSync(place.fd, `${key}\n`);
  fsyncSync(place.fd);
  closeSync(place.fd);
  output.line(`Recovery key of ${whose} written to ${place.file} (keep it apart from this machine).`);
}
