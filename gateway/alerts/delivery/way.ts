// A way by which alerts reach people.

import { readFile, stat } from "node:fs/promises";
import { knownAuthorities, type TlsAuthorities } from "../../../ingest/line/authorities.ts";
import { ErrorCode, type ErrorDetail, HoldfastError } from "../../../vault/errors.ts";
import type { AlertMessage } from "./message.ts";

export interface Way {
  /** mail, webhook. */
  readonly name: string;
  /** Resolves when the other side took it. @throws HoldfastError alert-not-sent; cancelled */
  send(message: AlertMessage, signal: AbortSignal): Promise<void>;
}

/** For all that one attempt takes. */
export const sendMsMax = 30_000;

const secretBytesMax = 4096;

/**
 * What a file holds that only its owner may read, without the end of its line. Read each time, so that a change counts at once.
 * @throws HoldfastError alert-not-sent: nothing of its content is in the message
 */
export async function readSecret(path: string): Promise<string> {
  const refuse = (why: string): HoldfastError =>
    notSent(`${path} ${why}`, "Put the secret alone into it: chmod 600, owned by the gateway's user.");
  try {
    const { mode, size } = await stat(path);
    if ((mode & 0o077) !== 0) throw refuse(`is open to other users (mode ${(mode & 0o777).toString(8)})`);
    if (size > secretBytesMax) throw refuse("is too large to be a secret");
    const secret = (await readFile(path, "utf8")).replace(/\r?\n$/, "");
    if (secret === "") throw refuse("is empty");
    return secret;
  } catch (error) {
    if (error instanceof HoldfastError) throw error;
    throw refuse(`cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
}

/** For a connection: those of `alert-ca-file` vouch for the server, or known ones where there is none. @throws HoldfastError alert-not-sent */
export async function readAuthorities(path: string): Promise<TlsAuthorities> {
  if (path === "") return knownAuthorities();
  try {
    return { ca: await readFile(path) };
  } catch (error) {
    throw notSent(`${path} cannot be read (${(error as NodeJS.ErrnoException).code})`, "Mend alert-ca-file.");
  }
}

export function notSent(why: string, next: string, detail: ErrorDetail = {}): HoldfastError {
  return new HoldfastError(ErrorCode.alertNotSent, `it could not be sent: ${why}`, { next, detail });
}
