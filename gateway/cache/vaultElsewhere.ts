// What one vault has elsewhere: which packs are in which replica, reading them from there, and moving them there and back.

import type { IndexEnvironment } from "../index/environment.ts";
import { PackChecks } from "../index/packChecks.ts";
import { PackPlaces } from "../index/packPlaces.ts";
import type { PackTable } from "../index/packTable.ts";
import type { PackTails } from "../store/packTails.ts";
import type { BlockReader } from "./blockReader.ts";
import type { DiskRoom } from "./evictWatch.ts";
import { PackCopies } from "./packCopies.ts";
import { PackMoves } from "./packMoves.ts";
import { RemotePackReader } from "./remotePackReader.ts";
import type { ReplicaStores } from "./replicaStores.ts";

/** What the gateway gives to each of its vaults. */
export type ElsewhereOptions = {
  /** 32 hex digits. */
  readonly vault: string;
  readonly stores: ReplicaStores;
  /** The reader of all vaults, with its cache. */
  readonly blocks: () => Promise<BlockReader>;
  /** How long a proof is good for, as the settings say now. */
  readonly proofMs: () => number;
  readonly now: () => Date;
  /** Told how full the disk is, when an upload asked for room. */
  readonly tellRoom: (room: DiskRoom) => void;
};

type Parts = {
  readonly directory: string;
  readonly environment: IndexEnvironment;
  readonly packs: PackTable;
  readonly tails: PackTails;
  readonly reserveBytes: number;
  readonly forget: (pack: number) => Promise<void>;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

export class VaultElsewhere {
  readonly places: PackPlaces;
  readonly copies: PackCopies;
  readonly moves: PackMoves;
  readonly reader: RemotePackReader;

  constructor(options: ElsewhereOptions, parts: Parts) {
    const { vault, stores, blocks, proofMs, now } = options;
    const { environment, packs, report } = parts;
    this.places = new PackPlaces(environment);
    this.copies = new PackCopies({ vault, packs, places: this.places, stores, now, report });
    const checks = new PackChecks(environment);
    this.moves = new PackMoves({ ...parts, checks, places: this.places, copies: this.copies, proofMs, now });
    this.reader = new RemotePackReader({ blocks, copies: this.copies, packs });
  }
}
