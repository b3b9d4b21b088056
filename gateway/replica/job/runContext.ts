// What the steps of one run share.

import type { Replica } from "../../catalog/replicas.ts";
import type { PackPlaces } from "../../index/packPlaces.ts";
import type { OpenVault } from "../../openVault.ts";
import type { FoundRoot, RootChain } from "../chain/rootChain.ts";
import type { PutOptions, ReplicaStore } from "../replicaStore.ts";
import type { Ahead } from "./ahead.ts";
import type { HeldManifest } from "./jobSession.ts";
import type { JobState } from "./jobState.ts";
import type { ReplicaLane } from "./replicaLane.ts";
import type { ReplicateOptions } from "./replicate.ts";

export type RunContext = {
  readonly gateway: ReplicateOptions["gateway"];
  readonly replica: Replica;
  readonly vault: OpenVault;
  /** The vault's directory. */
  readonly directory: string;
  readonly metadataKey: Uint8Array;
  readonly store: ReplicaStore;
  /** Where roots are. */
  readonly roots: ReplicaStore;
  readonly held: HeldManifest;
  /** Packs (ordinals) that this run put and that no root lists yet: two groups at most. */
  readonly fresh: Set<number>;
  readonly chain: RootChain<"vault">;
  readonly job: JobState;
  readonly places: PackPlaces;
  readonly lane: ReplicaLane;
  /** Resolves when the gateway's own state is in the replica, as it is now: receipts wait for it. */
  readonly stateThere: () => Promise<void>;
  readonly takeOver: boolean;
  /** Where the run sends packs ahead of any snapshot first. */
  readonly ahead: Ahead | undefined;
  readonly signal: AbortSignal;
  /** For objects that are no packs. */
  readonly putOptions: PutOptions;
};

export type VaultRootFound = FoundRoot<"vault">;
