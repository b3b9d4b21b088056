// Opening a data directory that somebody else may have for a moment: a gateway that is just starting has the lock before it has the admin
// socket, a command until it is done. Both are waited for; a gateway that runs is not.

import { setTimeout as pause } from "node:timers/promises";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { AdminClient } from "./adminClient.ts";

const lookMs = 50;
const looksMax = 60;

/**
 * Opens a directory; undefined where a gateway runs on it.
 * @throws HoldfastError data-dir-locked when something else keeps it; and what `open` throws
 */
export async function openWhenFree<Opened>(
  client: AdminClient,
  open: () => Promise<Opened>,
): Promise<Opened | undefined> {
  for (let looks = 0; ; looks++) {
    if (await client.isRunning()) return undefined;
    try {
      return await open();
    } catch (error) {
      if (!isHoldfastError(error, ErrorCode.dataDirLocked) || looks === looksMax) throw error;
      await pause(lookMs);
    }
  }
}
