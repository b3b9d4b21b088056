// The same gateway at another address: its key is what this machine trusts, the address only says where it is.

import { GatewayClient } from "../../ingest/client/gatewayClient.ts";
import type { Line } from "../../ingest/line/line.ts";
import type { Enrollment } from "../state/enrollment.ts";
import { learntDirectory } from "./followHome.ts";

/**
 * The enrolment with its gateway at `url`, after that answered there with the pinned key and knew this device.
 * @param url https, host and port alone
 * @throws HoldfastError fingerprint-mismatch, gateway-unreachable, token-invalid, and as requests do
 */
export async function atAddress(
  enrollment: Enrollment,
  url: string,
  line: Line | undefined,
): Promise<Enrollment> {
  const { gateway, token, directory } = enrollment;
  const there = { url, fingerprint: gateway.fingerprint };
  const client = new GatewayClient({ ...there, token, line });
  try {
    await client.home();
    const learnt = await learntDirectory(client, there);
    const isTrusted = learnt !== undefined && (directory === undefined || learnt.id === directory.id);
    // Where the directory is another gateway, nobody but itself says that it moved.
    return { ...enrollment, gateway: there, ...(isTrusted && { directory: learnt }) };
  } finally {
    client.close();
  }
}
