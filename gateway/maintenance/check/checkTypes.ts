// What a check of a vault is asked for and what it tells.

import type { VaultCatalog } from "../../catalog/vaultCatalog.ts";
import type { ChunkIndex } from "../../index/chunkIndex.ts";
import type { PackPlaces } from "../../index/packPlaces.ts";
import type { PackTable } from "../../index/packTable.ts";
import type { HurtSnapshot } from "../rebuild/markHurt.ts";

/** The tables that are held against the files. */
export type CheckedTables = {
  readonly index: ChunkIndex;
  readonly packs: PackTable;
  readonly places: PackPlaces;
  readonly catalog: VaultCatalog;
};

/**
 * pack: a file is missing or not what its name says; index: a row says of a pack or record what is not so; snapshot: an object is missing or damaged;
 * place: an evicted pack that no replica is known to have.
 */
export type CheckKind = "pack" | "index" | "snapshot" | "place";

export type CheckProblem = {
  readonly kind: CheckKind;
  /** Name of the pack or snapshot, hex; number of an open pack. */
  readonly name: string;
  readonly why: string;
  /** Records that it costs. */
  readonly records: number;
};

export type CheckProgress = {
  readonly phase: "packs" | "rows" | "snapshots";
  readonly packs: number;
  readonly packsTotal: number;
  readonly bytes: number;
  readonly bytesTotal: number;
};

export type VaultCheck = {
  /** 32 hex digits. */
  readonly vault: string;
  readonly packs: number;
  readonly evicted: number;
  /** Packs whose bytes were compared with their name, and how many bytes that was. */
  readonly hashedPacks: number;
  readonly hashedBytes: number;
  /** Rows of the index, those on the need-list or promised included. */
  readonly records: number;
  /** Rows on the need-list. */
  readonly needed: number;
  readonly snapshots: number;
  readonly problems: readonly CheckProblem[];
  /** More problems than are listed. */
  readonly moreProblems: number;
  readonly hurt: readonly HurtSnapshot[];
  /** Files that no row names. */
  readonly strays: readonly string[];
};
