// What a refused credential or address has behind it: a line in the audit log, a strike for its source, and the end of its connection.

import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";

export type Refused = {
  readonly from: string;
  readonly method: string;
  /** Without a query; left out where it is a name of a file. */
  readonly path?: string;
  /** Something was shown: clients may ask without first. */
  readonly hasShown: boolean;
};

/** A wrong credential, or too many of them. */
const strikes: ReadonlySet<string> = new Set([
  ErrorCode.tokenInvalid,
  ErrorCode.authFailed,
  ErrorCode.authThrottled,
]);

/** Notes it. Answers whether the connection is to be closed: one that brings wrong credentials costs a new one each time. */
export function noteRefusal(
  { audit, authenticator }: Gateway,
  { from, method, path, hasShown }: Refused,
  error: unknown,
): boolean {
  if (!isHoldfastError(error)) return false;
  const { code, detail } = error;
  const facts = { outcome: "refused", code, actor: { kind: "unknown" }, address: from } as const;
  const where = { method, ...(path !== undefined && { path }) };
  if (detail.refusedBy !== undefined) {
    audit.noteOften({
      ...facts,
      event: "address.refused",
      subject: { ...where, by: String(detail.refusedBy) },
    });
    return true;
  }
  if (!hasShown || !strikes.has(code)) return false;
  authenticator.suspects.strike(from);
  // Logins and app passwords are noted where it is known which were meant.
  if (code === ErrorCode.tokenInvalid) {
    // An invite that was used shows that there are two of its file.
    const invite = detail.invite === undefined ? {} : { invite: String(detail.invite) };
    audit.noteOften({ ...facts, event: "token.refused", subject: { ...where, ...invite } });
  }
  return true;
}
