// The secret that everything which a gateway signs and seals comes from.

import { fromHex } from "../vault/bytes.ts";
import { hkdf } from "../vault/keys/hkdf.ts";

/**
 * The gateway's secret, from the private half of its recovery key (32 bytes) and its id (32 hex digits). Anybody can seal something to
 * the public half: whoever restores takes a sealed.json only when this secret is in it, which its gateway alone had.
 */
export function gatewaySecret(recoveryKey: Uint8Array, gatewayId: string): Buffer {
  return hkdf(recoveryKey, fromHex(gatewayId, 16), "holdfast gateway secret v1", 32);
}
