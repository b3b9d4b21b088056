// Basic authentication (RFC 7617) with an account's name and an app password.

import { isUtf8 } from "node:buffer";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

export const basicChallenge = 'Basic realm="Holdfast", charset="UTF-8"';

export type BasicCredentials = { readonly account: string; readonly password: string };

/**
 * What an Authorization header says; the password begins after the first colon. Windows may put a domain and `\` in front of the
 * name, which no account's name has in it. Clients that do not know of UTF-8 send Latin-1.
 * @throws HoldfastError auth-failed
 */
export function parseBasic(header: string | undefined): BasicCredentials {
  const token = /^Basic +(?<token>[A-Za-z0-9+/_-]{1,4096}={0,2}) *$/i.exec(header ?? "")?.groups?.token;
  const bytes = Buffer.from(token ?? "", "base64");
  const text = bytes.toString(isUtf8(bytes) ? "utf8" : "latin1");
  const colon = text.indexOf(":");
  if (token === undefined || colon < 0) {
    throw new HoldfastError(ErrorCode.authFailed, "this needs an account's name and an app password", {
      next: "Make one on the gateway: holdfast account app-password ACCOUNT.",
    });
  }
  const name = text.slice(0, colon);
  return { account: name.slice(name.lastIndexOf("\\") + 1), password: text.slice(colon + 1) };
}
