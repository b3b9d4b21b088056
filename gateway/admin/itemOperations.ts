// What an administrator says of items: what their devices back up, and when (docs/schedules.md). In the gateway's own process, or over
// its admin socket.

import type { ItemDefinition } from "../../ingest/schedule/itemDefinition.ts";
import type { DefinitionRow, EstimateRow, ReportRow } from "../catalog/itemDefinitions.ts";
import type { Ask } from "./peerClient.ts";
import type { ItemName, RetentionScope } from "./retentionOperations.ts";

export type DefinedItemAnswer = ItemName &
  DefinitionRow & {
    /** RFC 3339; null without rules, and while it is disabled. */
    readonly nextDue: string | null;
    /** When its newest snapshot was received; null where there is none. */
    readonly received: string | null;
    /** What its device told last of a run that did not come about; null where a newer snapshot is there. */
    readonly report: ReportRow | null;
    /** What its device counted; null once there is a snapshot, and until it did. */
    readonly estimate: EstimateRow | null;
  };

export type DefinitionRequest = {
  readonly account: string;
  /** A device's name, or `@FLEET` for a template. */
  readonly device: string;
  readonly item: string;
  /** The revision that this was made from; 0: there is none yet. */
  readonly revision: number;
  /** null removes it. */
  readonly definition: ItemDefinition | null;
};

export interface ItemOperations {
  /** Items that have a definition, by account, device and name. @throws HoldfastError not-found */
  list(scope: RetentionScope): Promise<DefinedItemAnswer[]>;
  /** The item as it is then; null where its definition was removed, and it follows no template. @throws HoldfastError not-found, exists, usage, corrupt, limit-exceeded, sequence-conflict; forbidden at a box */
  set(request: DefinitionRequest): Promise<DefinedItemAnswer | null>;
  /** Puts a device (name or id) into a fleet, or into none (null). @throws HoldfastError not-found, usage; forbidden at a box */
  setFleet(account: string, device: string, fleet: string | null): Promise<void>;
}

export function itemClient(ask: Ask): ItemOperations {
  return {
    list: (scope) => ask("POST", "/items/list", scope),
    set: (request) => ask("PUT", "/items/definition", request),
    setFleet: async (account, device, fleet) =>
      void (await ask("PUT", "/items/fleet", { account, device, fleet })),
  };
}
