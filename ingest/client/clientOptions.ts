// What a client of a gateway is made of.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Line } from "../line/line.ts";

export type GatewayClientOptions = {
  /** https://HOST:PORT */
  readonly url: string;
  /** Pinned public key, `SHA256:<64 hex>`; without it a known authority must vouch for the certificate. */
  readonly fingerprint?: string | undefined;
  readonly token?: string | undefined;
  /** Connections at a time, 8 by default. */
  readonly socketsMax?: number;
  /** Tries of a request that may be repeated, 5 by default. */
  readonly triesMax?: number;
  readonly line?: Line | undefined;
};

/** @throws HoldfastError usage */
export function parseGatewayUrl(text: string): URL {
  const url = URL.parse(text);
  if (url?.protocol === "https:") return url;
  throw new HoldfastError(ErrorCode.usage, `a gateway's address is https://HOST:PORT, not ${text}`);
}
