// Tells the gateway that records are not what their ids say.

import type { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { toHex } from "../../vault/bytes.ts";

/**
 * The device that wrote each of the records, in their order; undefined where the gateway does not say.
 * @throws HoldfastError forbidden (not this device's group), not-found, gateway-unreachable
 */
export async function reportSuspects(
  client: Pick<GatewayClient, "suspect">,
  vault: string,
  group: number,
  ids: readonly Uint8Array[],
): Promise<(string | undefined)[]> {
  const writers: (string | undefined)[] = [];
  for (let at = 0; at < ids.length; at += wireLimits.idsPerSuspect) {
    const some = ids.slice(at, at + wireLimits.idsPerSuspect).map((id) => toHex(id));
    const answer = await client.suspect(vault, { group, ids: some });
    for (const index of some.keys()) writers.push(answer.writers?.[index]?.device);
  }
  return writers;
}
