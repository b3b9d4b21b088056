// What an administrator asks and says of the guard (docs/guard.md), in the gateway's own process or over its admin socket.

import type { Hold } from "../catalog/guardRows.ts";
import type { GuardSettings, GuardThresholds } from "../guard/thresholds.ts";
import type { Ask } from "./peerClient.ts";
import type { ItemName, RetentionScope } from "./retentionOperations.ts";

export type GuardAnswer = ItemName & {
  readonly hold: Hold | null;
  /** Snapshots that say what is usual. */
  readonly snapshots: number;
  /** Percentages that are usual still; null where there is no history. `raw`: of new content; null where there was too little. */
  readonly usual: {
    readonly rewritten: number | null;
    readonly renamed: number | null;
    readonly vanished: number | null;
    readonly raw: number | null;
  };
  readonly thresholds: GuardThresholds;
};

/** A vault's held items, or those that are named. */
export type HeldRequest = {
  readonly account: string;
  readonly vault: string;
  readonly device?: string;
  readonly item?: string;
};

export type GuardSettingsRequest = HeldRequest & {
  /** null removes them. */
  readonly settings: GuardSettings | null;
};

/** What becomes of a hold: see docs/guard.md. */
export const guardWords = ["accept", "confirm", "release"] as const;
export type GuardWord = (typeof guardWords)[number];

export interface GuardOperations {
  /** Items that are held; `all`: every item. @throws HoldfastError not-found */
  status(scope: RetentionScope, all: boolean): Promise<GuardAnswer[]>;
  /** Those that were held, as they are now. @throws HoldfastError not-found where none is */
  settle(word: GuardWord, request: HeldRequest): Promise<GuardAnswer[]>;
  /** @throws HoldfastError not-found; usage */
  set(request: GuardSettingsRequest): Promise<void>;
}

export function guardClient(ask: Ask): GuardOperations {
  return {
    status: (scope, all) => ask("POST", "/guard/status", { ...scope, all }),
    settle: (word, request) => ask("POST", `/guard/${word}`, request),
    set: async (request) => void (await ask("PUT", "/guard/settings", request)),
  };
}
