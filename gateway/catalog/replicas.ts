// Replicas: which there are, how to reach them, and what was last seen of each chain of roots there.
//
// Invariants
// - Names are unique; an id is never used again.
// - Secrets are not here: only where they come from (a file, the environment, a profile).
// - A chain's seen generation never falls, except when its replica is removed.

import { fromHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** How to reach a replica; what does not belong to its kind is absent. */
export type ReplicaOptions = {
  readonly endpoint?: string;
  readonly region?: string;
  readonly pathStyle?: boolean;
  /** PEM file of certificates to trust. */
  readonly caFile?: string;
  /** File with the credentials (S3: as ~/.aws/credentials; peer: the token file that the peer gave). */
  readonly credentialsFile?: string;
  readonly profile?: string;
  /** Where roots are, if elsewhere. */
  readonly rootUrl?: string;
  /** Days of retention by class for buckets with Object Lock. */
  readonly lockDays?: { readonly packs: number; readonly metadata: number };
};

export type Replica = {
  /** 32 hex digits. */
  readonly id: string;
  readonly name: string;
  readonly url: string;
  readonly options: ReplicaOptions;
  /** What a probe found when it was added: whether put-if-absent works, and what else people should know. */
  readonly conditionalPuts: boolean;
  /** It refused bytes of another SHA-256 than the request was signed with; only of S3. */
  readonly comparesSha256?: boolean;
  readonly notes: readonly string[];
  /** 32 hex digits: names this data directory in roots. */
  readonly writer: string;
  /** Bandwidth by time, as the user wrote it; empty: unlimited. */
  readonly bandwidth: string;
  /** When it runs besides after every snapshot; empty: continuous only. */
  readonly schedule: string;
  /** Objects on their way at a time. */
  readonly parallel: number;
  /** RFC 3339. */
  readonly created: string;
};

/** What was last seen of one chain in one replica. */
export type SeenChain = {
  readonly generation: number;
  /** SHA-256 of that root object, hex. */
  readonly root: string;
  readonly fence: number;
  /** SHA-256 of the last root that this data directory wrote there, hex. */
  readonly own?: string | undefined;
  /** Nonces of roots that this data directory meant to write since then: their puts may have been done without an answer. */
  readonly pending?: readonly string[] | undefined;
};

const pendingMax = 64;

export class Replicas {
  readonly #environment: IndexEnvironment;
  readonly #rows: Table<Replica>;
  readonly #chains: Table<SeenChain>;

  constructor(environment: IndexEnvironment) {
    this.#environment = environment;
    this.#rows = openTable(environment, "replicas", jsonCodec<Replica>());
    this.#chains = openTable(environment, "replica-chains", jsonCodec<SeenChain>());
  }

  get(id: string): Replica | undefined {
    return this.#rows.get(fromHex(id, 16));
  }

  /** All replicas, oldest first. */
  list(): Replica[] {
    return this.#rows
      .entries()
      .map(([, row]) => row)
      .sort((a, b) => (a.created < b.created ? -1 : a.created > b.created ? 1 : a.id < b.id ? -1 : 1));
  }

  byName(name: string): Replica | undefined {
    return this.list().find((row) => row.name === name);
  }

  /** @throws HoldfastError exists */
  add(replica: Replica): void {
    this.#environment.write(() => {
      if (this.byName(replica.name) !== undefined) {
        throw new HoldfastError(ErrorCode.exists, `there is a replica ${replica.name} already`, {
          next: "Choose another name; `holdfast replica status` lists them.",
        });
      }
      this.#rows.put(fromHex(replica.id, 16), replica);
    });
  }

  /** Forgets a replica and what was seen of its chains. Part of the open transaction, or one of its own. */
  remove(id: string): void {
    this.#environment.write(() => {
      const key = fromHex(id, 16);
      this.#rows.remove(key);
      for (const [chain] of this.#chains.entries({ start: key })) {
        if (!Buffer.from(chain.subarray(0, 16)).equals(key)) break;
        this.#chains.remove(chain);
      }
    });
  }

  /** What was last seen of a chain (`chain`: id of the vault or gateway, 32 hex digits); generation 0: nothing yet, but one was meant to be written. */
  seen(replica: string, chain: string): SeenChain | undefined {
    return this.#chains.get(chainKey(replica, chain));
  }

  /**
   * Notes what was seen, `own`: and was written by this data directory, which settles all it meant to write. An older generation than the one that is noted
   * changes nothing.
   */
  note(
    replica: string,
    chain: string,
    seen: Pick<SeenChain, "generation" | "root" | "fence">,
    own = false,
  ): void {
    this.#environment.write(() => {
      const known = this.seen(replica, chain);
      const { generation, root, fence } = seen;
      const newer = known === undefined || generation > known.generation;
      if (!newer && !(own && generation === known.generation)) return;
      const rest = own ? { own: root } : { own: known?.own, pending: known?.pending };
      this.#chains.put(chainKey(replica, chain), { generation, root, fence, ...rest });
    });
  }

  /** Notes the nonce of a root before it is put, so that it is known as this data directory's own whatever happens then. */
  intend(replica: string, chain: string, nonce: string): void {
    this.#environment.write(() => {
      const known = this.seen(replica, chain) ?? { generation: 0, root: "", fence: 0 };
      const pending = [...(known.pending ?? []), nonce].slice(-pendingMax);
      this.#chains.put(chainKey(replica, chain), { ...known, pending });
    });
  }
}

function chainKey(replica: string, chain: string): Buffer {
  return Buffer.concat([fromHex(replica, 16), fromHex(chain, 16)]);
}
