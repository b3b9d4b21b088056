// What an administrator asks of alerts, in the gateway's own process or over its admin socket.

import type { Alert, AlertLog } from "../alerts/alertLog.ts";
import type { Ask } from "./peerClient.ts";

export interface AlertOperations {
  /** The newest first; `all`: also those that are over. */
  list(all: boolean): Promise<Alert[]>;
  /** Notes that a person knows of it. @throws HoldfastError not-found */
  acknowledge(id: number, note: string): Promise<Alert>;
}

export function alertOperations(log: AlertLog): AlertOperations {
  return {
    list: async (all) => log.list(all),
    acknowledge: async (id, note) => log.acknowledge(id, note),
  };
}

export function alertClient(ask: Ask): AlertOperations {
  return {
    list: (all) => ask("GET", `/alerts?all=${all}`),
    acknowledge: (id, note) => ask("POST", "/alerts/acknowledge", { id, note }),
  };
}
