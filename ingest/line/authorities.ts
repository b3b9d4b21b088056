// Who may vouch for a server whose key is not pinned: the authorities that come with Node, and those of NODE_EXTRA_CA_CERTS.
//
// Node begins to read all of them, on a thread of its own, in every process that may use TLS: 15 to 70 ms of processor time, and an agent that pins
// its gateway asks none. `--use-openssl-ca` spares that, but stands for the system's authorities instead; so whoever needs ours names them. Where
// Node was started without that option (bin/holdfast leaves it out where NODE_OPTIONS or NODE_USE_SYSTEM_CA may say another thing), Node decides.

import * as tls from "node:tls";

/** What a connection by TLS is told. */
export type TlsAuthorities = Pick<tls.ConnectionOptions, "secureContext" | "ca">;

const withoutNodes = process.execArgv.includes("--use-openssl-ca");
let context: tls.SecureContext | undefined;

/** For a server that a known authority must vouch for; TLS 1.2 at least is to be asked for as well. They are read at the first call: 10 to 40 ms. */
export function knownAuthorities(): TlsAuthorities {
  if (!withoutNodes) return {};
  context ??= tls.createSecureContext({
    ca: [...tls.rootCertificates, ...tls.getCACertificates("extra")].join("\n"),
    minVersion: "TLSv1.2",
  });
  return { secureContext: context };
}

/** For a server of which the caller compares the key itself. */
export const noAuthorities: TlsAuthorities = { ca: [] };
