// How people write where a gateway is.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** The address in one form: https, host and port alone. @throws HoldfastError usage */
export function gatewayOrigin(written: string): string {
  const url = URL.parse(/^[a-z]+:\/\//i.test(written) ? written : `https://${written}`);
  const isPlain = url?.protocol === "https:" && url.username === "" && url.pathname === "/";
  if (url !== null && isPlain && url.search === "") return url.origin;
  throw new HoldfastError(ErrorCode.usage, `not a gateway's address: ${written}`, {
    next: "Write it like https://backup.example:7440.",
  });
}
