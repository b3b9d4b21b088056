// Boxes as an administrator makes, seals and watches them: at the datacentre, and at the box itself.

import type { BoxDocument } from "../../vault/seed/boxDocument.ts";
import type { CustodyEntry } from "../../vault/seed/custody.ts";
import type { BoxRow } from "../catalog/boxes.ts";
import type { AcceptedSeal, AcceptProgress } from "../seed/acceptSeal.ts";
import type { ExtendRequest } from "../seed/extendBox.ts";
import type { ReadSample } from "../seed/readSample.ts";
import type { ManifestLook } from "../seed/receive/lookAtManifest.ts";
import type { ReopenProgress } from "../seed/seal/reopenBox.ts";
import type { SealProgress, SealReport, SealRequest } from "../seed/seal/sealBox.ts";
import type { SeedStatus } from "../seed/seedStatus.ts";
import type { SendProgress } from "../seed/send/sendSeal.ts";
import type { JobWatch } from "./job.ts";

export type PrepareRequest = {
  /** Absolute. */
  readonly directory: string;
  /** Names. */
  readonly accounts: readonly string[];
  /** Names or ids of devices of the one account; none: all of them. */
  readonly devices: readonly string[];
  readonly listen: string;
  readonly urls: readonly string[];
  /** Where the box reaches the datacentre; none: as its directory of homes says. */
  readonly datacentreUrls: readonly string[];
  readonly name?: string;
  readonly by: string;
  /** Of the passphrase; left out to say only what would be done. */
  readonly key?: {
    readonly kdf: BoxDocument["key"]["kdf"];
    /** 24 bytes, base64. */
    readonly r: string;
  };
};

export type PrepareAnswer = {
  /** Null where it was only asked what would be done. */
  readonly box: Pick<BoxRow, "number" | "id" | "name" | "fingerprint" | "urls"> | null;
  readonly datacentreUrls: readonly string[];
  readonly accounts: readonly {
    readonly name: string;
    readonly devices: readonly {
      readonly name: string;
      readonly items: number;
      /** Bytes of its items' newest snapshots; null where the vault is locked or there are none. */
      readonly lastBytes: number | null;
    }[];
    readonly vaults: number;
    /** Where some of these devices back up to now, if not here: a box that loses them. */
    readonly homesNow: readonly string[];
  }[];
  /** Free where the box is made; null where nothing is there yet. */
  readonly freeBytes: number | null;
};

export interface SeedOperations {
  /**
   * Makes a box in a directory of this machine, or says what it would be.
   * @throws HoldfastError exists, usage, not-found, limit-exceeded, disk-full, io-error; forbidden at a box
   */
  prepare(request: PrepareRequest): Promise<PrepareAnswer>;
  /**
   * Seals the box that this gateway is, or says what would be sealed. A box that is sealed already is left as it is.
   * @throws HoldfastError usage where this is no box; cancelled, disk-full, io-error: the next seal goes on
   */
  seal(request: SealRequest, watch: JobWatch<SealProgress>): Promise<SealReport>;
  /** Gives this box a second disk. @throws HoldfastError as extendBox */
  extend(request: ExtendRequest): Promise<{ replica: string }>;
  /** Makes this sealed box take backups again. @throws HoldfastError as reopenBox */
  reopen(by: string, watch: JobWatch<ReopenProgress>): Promise<{ box: number; seal: number }>;
  /** Sends the manifest of this sealed box to its datacentre. @throws HoldfastError as sendSeal */
  send(watch: JobWatch<SendProgress>): Promise<{ url: string; sentBytes: number }>;
  /**
   * Takes in a manifest from a file of this machine, at the datacentre. Null where that was done before.
   * @throws HoldfastError not-found, truncated, seal-invalid, forbidden, sequence-conflict, corrupt, disk-full, io-error,
   * cancelled: the same goes on
   */
  promise(file: string, watch: JobWatch<AcceptProgress>): Promise<{ accepted: AcceptedSeal | null }>;
  /** What `promise` would take in; nothing is written. @throws HoldfastError as `promise` */
  look(file: string, watch: JobWatch<AcceptProgress>): Promise<ManifestLook>;
  /** How fast packs that are here can be read and hashed; `sample` is null where there are none. */
  readRate(): Promise<{ sample: ReadSample | null }>;
  /** Boxes of this datacentre, and what is on board where this gateway is one. @throws HoldfastError not-found */
  status(number?: number): Promise<SeedStatus>;
  /** The custody log of this box, after `add` was noted in it. @throws HoldfastError usage where this is no box */
  custody(add?: {
    readonly note: string;
    readonly by: string;
  }): Promise<{ entries: readonly CustodyEntry[] }>;
}
