// The JSON bodies of docs/protocol.md as types. Ids are lower-case hex: 64 digits for chunks and snapshots, 32 for
// accounts, devices, vaults, items and sessions. Binary values are base64 with padding. Times are RFC 3339.

import type { ErrorCode } from "../../vault/errors.ts";
import type { DefinedItem } from "../schedule/itemDefinition.ts";

export type ErrorBody = {
  readonly error: {
    readonly code: string;
    readonly message: string;
    readonly next?: string;
    readonly detail?: Readonly<Record<string, unknown>>;
  };
};

export type HelloAnswer = {
  /** Gateway id, 32 hex; gateways of before the directory of homes do not tell it. */
  readonly id?: string;
  readonly name: string;
  readonly version: string;
  readonly protocols: readonly number[];
};

/** The directory of homes that a gateway's agents trust. */
export type DirectoryAnswer = {
  readonly id: string;
  /** Where it answers; none where only those who reach it know. */
  readonly urls: readonly string[];
  readonly fingerprint: string;
  /** Ed25519, 64 hex digits. */
  readonly signer: string;
};

/** Both lines of the account's home record; null where it was never moved. */
export type HomeAnswer = { readonly record: string | null };

export type KdfAnswer = { readonly suite: number; readonly iterations: number; readonly salt: string };

export type LoginRequest = {
  readonly account: string;
  readonly l: string;
  /** Of the account's authenticator, or a recovery code. */
  readonly code?: string;
};
export type LoginAnswer = {
  readonly token: string;
  readonly accountId: string;
  readonly expiresInSeconds: number;
};

export type MeAnswer = {
  readonly accountId: string;
  readonly account: string;
  readonly device?: { readonly id: string; readonly name: string; readonly group: number };
  readonly vaults: readonly { readonly id: string; readonly name: string }[];
};

/** A device's wrap of one vault's E, made against this generation of the keys document. */
export type DeviceWrapRequest = {
  readonly generation: number;
  readonly box: string;
  /** docs/format.md, section 4. */
  readonly proof?: string;
};

export type EnrollRequest = {
  readonly id: string;
  readonly name: string;
  readonly publicKey: string;
  readonly isolated: boolean;
  /** It may add, and read nothing: see docs/protocol.md. Left out where it is not wished, so that older gateways understand the rest. */
  readonly appendOnly?: boolean;
  /** `id` is a device of the account: its history goes on, its machine's access ends, and its name and rights stay. Left out likewise. */
  readonly takeOver?: boolean;
  /** By vault id. */
  readonly wraps: Readonly<Record<string, DeviceWrapRequest>>;
};
export type EnrollAnswer = {
  readonly id: string;
  readonly token: string;
  readonly group: number;
  readonly vault: string;
};

/** Of the machine that has an invite's file. */
export type ClaimRequest = {
  /** Id that the device will have; it chose it. */
  readonly device: string;
  readonly publicKey: string;
  /** 32 random bytes that only this machine has: with them it may ask again. */
  readonly claim: string;
};
export type ClaimAnswer = {
  readonly account: string;
  readonly isolated: boolean;
  readonly appendOnly: boolean;
  /** What the device will be called; null: what it says. */
  readonly device: string | null;
  /** It takes the place of this device (id), whose id it is to claim the invite with; null: it is a new one. */
  readonly takeOver: string | null;
  /** It was enrolled by this invite already: `vaults` is empty then. */
  readonly enrolled: boolean;
  readonly vaults: readonly {
    readonly id: string;
    /** E for the invite's holder. */
    readonly box: string;
    /** The keys document without its wraps. */
    readonly keys: unknown;
  }[];
};
export type InvitedEnrollRequest = Pick<EnrollRequest, "name" | "wraps"> & Pick<ClaimRequest, "claim">;

export type DeviceRow = {
  readonly id: string;
  readonly name: string;
  readonly group: number;
  readonly isolated: boolean;
  readonly revoked: boolean;
  readonly appendOnly: boolean;
  readonly enrolled: string;
};

export type ItemAnswer = {
  readonly id: string;
  readonly name: string;
  /** Number of the newest snapshot, 0 for none. */
  readonly sequence: number;
  readonly head: string | null;
};
export type ItemRow = ItemAnswer & { readonly device: string };

export type DefinitionsAnswer = {
  /** `estimate`: the gateway would like to know what it will hold: it has no snapshot yet. */
  readonly items: readonly (DefinedItem & { readonly estimate?: true })[];
};

/** What the first snapshot of an item will hold, as its device counted by this revision of its definition. */
export type EstimateRequest = {
  readonly revision: number;
  readonly files: number;
  readonly bytes: number;
  /** False: it stopped counting, and there is more. */
  readonly complete: boolean;
};

export const reportOutcomes = ["failed", "missed", "held"] as const;

/** Of a backup that was due: it failed, was passed over because the machine was off, or is held back (on battery, say) and made up for later. */
export type ReportRequest = {
  /** RFC 3339. */
  readonly due: string;
  readonly outcome: (typeof reportOutcomes)[number];
  readonly code: ErrorCode;
  /** At most `wireLimits.reportCharacters`. */
  readonly message: string;
};

export type SnapshotRow = {
  readonly id: string;
  readonly vault: string;
  readonly deviceId: string;
  readonly device: string;
  readonly itemId: string;
  readonly item: string;
  readonly group: number;
  readonly sequence: number;
  readonly received: string;
  readonly incomplete: boolean;
  /** Not whole here: numbers of the boxes that it waits for (0: at a box to restore from, what was left out there); none of them where only a backup can bring what it lacks. */
  readonly pending?: readonly number[];
};

export type SnapshotFilter = {
  readonly device?: string | undefined;
  readonly item?: string | undefined;
  /** Only the newest of each item, at most so many. */
  readonly newest?: number | undefined;
};

export type EventsAnswer = { readonly next: number; readonly changed: boolean };

export type SessionRequest = {
  readonly vault: string;
  readonly item: string;
  readonly highestSequence: number;
};
export type SessionAnswer = {
  readonly session: string;
  readonly resumed: boolean;
  readonly group: number;
  readonly head: string | null;
  readonly sequence: number;
  readonly cacheToken: string;
  /** Nothing of the group is here or on its way. Older gateways do not say. */
  readonly empty?: boolean;
};

/** What an agent says of a backup that runs: counts and sizes, no name and no message. Totals are 0 where they are not known. */
export type BackupTold = {
  readonly files: number;
  readonly bytes: number;
  readonly totalFiles: number;
  readonly totalBytes: number;
  readonly sentBytes: number;
  readonly warnings: number;
};

/** Of a backup that ends without a snapshot. */
export type BackupOver = { readonly result: "stopped" | "failed"; readonly code: ErrorCode };

export type ProgressRequest = BackupTold & { readonly over?: BackupOver };

export type CommitAnswer = { readonly snapshot: string; readonly received: string };

export type SuspectRequest = { readonly group: number; readonly ids: readonly string[] };
export type SuspectAnswer = {
  readonly quarantined: number;
  /** Who wrote each of the ids asked, in their order; null when it is not here or its writer is not known. */
  readonly writers: readonly ({ readonly device: string } | null)[];
};
