// The address of a gateway.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** @throws HoldfastError usage */
export function parseGatewayUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:") return url;
  throw new HoldfastError(ErrorCode.usage, `a gateway's address is https://HOST:PORT, not ${text}`);
}
