// What `replica status` and `replica run` tell of a replica: the shapes, in one place.

import type { ErrorCode } from "../../../vault/errors.ts";
import type { Replica } from "../../catalog/replicas.ts";
import type { StoreUsage } from "../replicaStore.ts";

/**
 * idle: everything is there, or waits for its time in the schedule. running. waiting: an error, tried again by itself. fenced: another gateway writes
 * there. stopped: an error that waits for `replica run`.
 */
export type JobState = "idle" | "running" | "waiting" | "fenced" | "stopped";

/** Why a run ended without reaching its end. */
export type JobFailure = {
  readonly code: ErrorCode;
  readonly message: string;
  readonly next: string | null;
  /** When it happened, RFC 3339. */
  readonly at: string;
};

/** How far a run is. `left` grows while a run finds more. */
export type JobProgress = {
  readonly packsDone: number;
  readonly packsLeft: number;
  readonly bytesDone: number;
  readonly bytesLeft: number;
  /** Moving average; 0 while nothing was sent yet. */
  readonly bytesPerSecond: number;
  /** Seconds that are left at this rate; null when that is not known. */
  readonly etaSeconds: number | null;
};

/** A pack of this vault that could not be sent as it is: its file is missing, or its bytes are not those of its name. */
export type UnsentPack = { readonly pack: string; readonly code: ErrorCode; readonly message: string };

/** One vault in one replica. */
export type VaultReplicaStatus = {
  readonly vault: string;
  readonly state: JobState;
  readonly failure: JobFailure | null;
  /** When a waiting job is tried next, RFC 3339. */
  readonly nextTry: string | null;
  /** Generation of the newest root there that is known to be ours; 0 for none. */
  readonly generation: number;
  readonly pendingPacks: number;
  readonly pendingBytes: number;
  /** Packs there that must be read back, or put there anew, before receipts are signed; 0 while no receipt waits for that. */
  readonly unprovenPacks: number;
  /** Snapshots without a receipt. */
  readonly pendingSnapshots: number;
  /** Since the oldest snapshot without a receipt was committed; null when all have one. */
  readonly lagHours: number | null;
  /** `complete`: a root there lists it. `receipt`: and a signed receipt is kept: only then it counts as offsite. */
  readonly snapshots: Readonly<Record<string, { readonly complete: boolean; readonly receipt: boolean }>>;
  readonly progress: JobProgress | null;
  readonly unsent: readonly UnsentPack[];
  /** All runs since the replica was added, and how many snapshots they brought there. */
  readonly usage: StoreUsage & { readonly snapshots: number; readonly runs: number };
};

/** The gateway's own state in one replica. */
export type GatewayStateStatus = Pick<VaultReplicaStatus, "state" | "failure" | "nextTry">;

export type ReplicaStatus = {
  readonly replica: Replica;
  readonly vaults: readonly VaultReplicaStatus[];
  readonly gatewayState: GatewayStateStatus;
};

/** What one run did. */
export type RunReport = {
  readonly vault: string;
  readonly outcome: "done" | "failed";
  readonly failure: JobFailure | null;
  readonly packs: number;
  readonly bytes: number;
  readonly snapshots: number;
  readonly generation: number;
  readonly unsent: readonly UnsentPack[];
  readonly usage: StoreUsage;
  readonly seconds: number;
};

export type RunRequest = {
  /** Id of the replica. */
  readonly replica: string;
  /** Id of a vault; all of the gateway when not given. */
  readonly vault?: string;
  /** Goes on although another gateway wrote there; that one then stops. */
  readonly takeOver?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (vault: string, progress: JobProgress) => void;
};

/** What commands and admin operations ask of the gateway's replication: `gateway.replication`, with or without a listener. */
export interface ReplicationOperations {
  /** All replicas, or one by id. Asks nothing of any replica. @throws HoldfastError not-found */
  status(replica?: string): Promise<ReplicaStatus[]>;
  /**
   * Replicates now, whatever the schedule and former errors say, and answers when that is done; joins a run that is under way. A failure of one vault is in its
   * report and leaves the others.
   * @throws HoldfastError not-found, cancelled
   */
  run(request: RunRequest): Promise<RunReport[]>;
  /** A replica was added, or what its receipts wait for was proven: its jobs start in the background when the gateway runs and its schedule allows it. */
  added(replica: string): void;
  /**
   * Stops a replica's jobs, fetches back evicted packs that are proven nowhere else (`abandon`: gives them up), and forgets all that the vaults know of it,
   * and its row. What is there stays there. `onFetched` is told how many packs came back so far.
   * @throws HoldfastError not-found, busy, cancelled; replica-unreachable, replica-damaged, disk-full when packs cannot be fetched back: the replica stays then
   */
  remove(
    replica: string,
    watch?: {
      readonly abandon?: boolean;
      readonly onFetched?: (packs: number) => void;
      readonly signal?: AbortSignal;
    },
  ): Promise<void>;
}
