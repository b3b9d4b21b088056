// A way to a gateway: its address, its pinned key, and the protocol version that is spoken with it. Nothing is sent yet.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Line } from "../line/line.ts";
import type { Connection } from "./exchange.ts";
import { PinnedAgent } from "./pinnedAgent.ts";
import { Spoken } from "./spoken.ts";

export type ConnectionOptions = {
  /** https://HOST:PORT */
  readonly url: string;
  /** Pinned public key, `SHA256:<64 hex>`; without it a known authority must vouch for the certificate. */
  readonly fingerprint?: string | undefined;
  readonly token?: string | undefined;
  /** Connections at a time, 8 by default. */
  readonly socketsMax?: number;
  /** Its proxies, and how fast bodies go and come. */
  readonly line?: Line | undefined;
  /** Protocol versions that are spoken, those of this program by default. */
  readonly protocols?: readonly number[];
};

export type SpokenConnection = Connection & { readonly spoken: Spoken };

/** @throws HoldfastError usage for what is no address of a gateway */
export function openConnection(options: ConnectionOptions): SpokenConnection {
  const url = URL.parse(options.url);
  if (url?.protocol !== "https:")
    throw new HoldfastError(ErrorCode.usage, `a gateway's address is https://HOST:PORT, not ${options.url}`);
  const { fingerprint, token, socketsMax = 8, line, protocols } = options;
  const agent = new PinnedAgent({ fingerprint, socketsMax, connectTimeoutMs: 15_000, line });
  return { agent, url, token, line, spoken: new Spoken(protocols) };
}
