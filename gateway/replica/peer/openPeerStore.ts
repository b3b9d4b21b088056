// From the row of a replica on another gateway to its store.

import type { Line } from "../../../ingest/line/line.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { Replica } from "../../catalog/replicas.ts";
import { PeerStore } from "./peerStore.ts";
import { readPeerToken } from "./tokenFile.ts";

/** Asks nothing of the peer yet. @throws HoldfastError usage without a token file, or for an address that is none; io-error */
export async function openPeerStore(
  replica: Pick<Replica, "url" | "options">,
  line: Line,
): Promise<PeerStore> {
  const { credentialsFile } = replica.options;
  if (credentialsFile === undefined) {
    throw new HoldfastError(ErrorCode.usage, "a replica on another gateway needs its token file", {
      next: "Give --token-file the file that `holdfast peer add` wrote on the far gateway.",
    });
  }
  return new PeerStore({ url: replica.url, token: await readPeerToken(credentialsFile), line });
}
