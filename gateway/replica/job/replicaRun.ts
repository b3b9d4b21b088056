// One run of a job, in the order of docs/concurrency.md: close, newest root, packs, segments, snapshots, documents, manifest, root, notes, receipts.
//
// Invariants
// - Nothing is named by a root before the replica acknowledged it with a proof.
// - Snapshots are listed only by a root that follows the last group of packs, and not those that reach a pack which could not be sent.
// - The manifest that is held is that of the root that is held.

import { ManifestPageType } from "../../../vault/magic.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import { fenced, rolledBack } from "../chain/chainErrors.ts";
import type { Manifest } from "../chain/manifest.ts";
import { commitRoot, type RootChanges } from "./commitRoot.ts";
import { noteListed, weakestProof } from "./listed.ts";
import { openPack } from "./openPack.ts";
import { countPending, type PackGroup, type PendingPack, PendingPacks } from "./pendingPacks.ts";
import { PendingSnapshots } from "./pendingSnapshots.ts";
import { putSnapshots } from "./putSnapshots.ts";
import { receiptsFor } from "./receipts.ts";
import type { JobProgress, UnsentPack } from "./replicationStatus.ts";
import type { RunContext, VaultRootFound } from "./runContext.ts";
import { RunProgress } from "./runProgress.ts";
import { SnapshotReach } from "./snapshotReach.ts";
import { uploadPacks } from "./uploadPacks.ts";
import { joinSegments, type SegmentPort, writeSegments } from "./writeSegments.ts";

/** Packs of one group, and snapshots of one root. */
const atOnce = 1024;
/** Packs that could not be sent and are told by name; the others are just left for the next run. */
const unsentTold = 100;
/** Progress is told so often at most. */
const tellEveryMs = 250;

export type RunCounts = {
  readonly packs: number;
  readonly bytes: number;
  readonly snapshots: number;
  readonly generation: number;
  readonly unsent: readonly UnsentPack[];
};

/** An earlier root of ours, whose put was never answered, stands where the next one should: the run is to be begun again. */
export class Overtaken extends Error {}

export class ReplicaRun {
  readonly #context: RunContext;
  readonly #segments: SegmentPort;
  readonly #snapshots: PendingSnapshots;
  readonly #progress: RunProgress;
  readonly #monotonicMs: () => number;
  readonly #tell: (progress: JobProgress) => void;
  #toldMs = 0;
  readonly #unsent = new Map<PendingPack, UnsentPack>();
  #found: VaultRootFound | undefined;
  /** What the last group adds: it goes with the first snapshots. */
  #rest: RootChanges | undefined;
  #listed = 0;

  constructor(context: RunContext, monotonicMs: () => number, tell: (progress: JobProgress) => void) {
    const { vault, store, directory, putOptions } = context;
    this.#context = context;
    this.#segments = {
      vault: vault.id,
      store,
      open: (pack) => openPack(vault, directory, pack),
      options: putOptions,
    };
    this.#snapshots = new PendingSnapshots(vault);
    this.#progress = new RunProgress(monotonicMs);
    this.#monotonicMs = monotonicMs;
    this.#tell = tell;
  }

  /** Runs, once. @throws Overtaken; HoldfastError as `replicate` */
  async run(): Promise<RunCounts> {
    const { vault, job, places, replica } = this.#context;
    if (this.#snapshots.any(job.row)) await vault.store.closeOpenPacks();
    await this.#findNewest();
    const pending = (): PendingPacks => new PendingPacks(vault.store.packs, places, replica.id, job.row);
    const { packs, bytes } = await countPending(pending());
    this.#progress.found(packs, bytes);
    this.#tellNow();
    const groups = pending();
    const left: number[] = [];
    for (let last = false; !last; ) {
      const group = groups.next(atOnce);
      last = group.last;
      await this.#sendGroup(group, left, groups.earlier);
    }
    await this.#listSnapshots();
    await this.#receipts();
    const manifest = this.#context.held.manifest;
    if (manifest !== undefined && manifest.doomed > 0) await this.#sweep(manifest);
    this.#tellNow();
    const { packsDone, bytesDone } = this.#progress.now;
    const { generation, unsent } = job.row;
    return { packs: packsDone, bytes: bytesDone, snapshots: this.#listed, generation, unsent };
  }

  async #findNewest(): Promise<void> {
    const { chain, roots, store, job, takeOver, signal, vault, places, replica } = this.#context;
    const found = await chain.newest(signal);
    if (found !== undefined && !chain.isOwn(found) && !takeOver) throw fenced(store.url, found.root);
    const generation = found?.root.generation ?? 0;
    if (generation < job.row.generation) throw rolledBack(roots.url, job.row.generation);
    this.#found = found;
    if (generation === job.row.generation) return;
    await noteListed(await this.#manifest(), generation, { vault, replica: replica.id, job, places, signal });
  }

  /** The manifest of the root that was found. */
  async #manifest(): Promise<Manifest> {
    const { held, store, vault, signal } = this.#context;
    return held.get(store, vault.id, this.#found, signal);
  }

  async #sendGroup(group: PackGroup, left: number[], earlier: readonly number[]): Promise<void> {
    const { vault, job, store, replica, places, lane, signal, directory, gateway } = this.#context;
    const unsent = await uploadPacks(group.packs, {
      vault: vault.id,
      replica: replica.id,
      store,
      job,
      places,
      parallel: replica.parallel,
      slots: lane.uploads,
      open: (pack) => openPack(vault, directory, pack),
      now: gateway.now,
      signal,
      throttle: async (pack, bytes) => {
        await lane.throttle.take(bytes, signal);
        this.#progress.sent(pack.ordinal, bytes);
        this.#tellNow(tellEveryMs);
      },
      ended: (pack, there) => {
        this.#progress.ended(pack.ordinal, pack.row.bytes, there);
        this.#tellNow(tellEveryMs);
      },
    });
    for (const [pack, facts] of unsent) {
      this.#unsent.set(pack, facts);
      gateway.logger.error({ vault: vault.id, replica: replica.name, ...facts }, "pack-not-sent");
    }
    left.push(...group.left, ...[...unsent.keys()].map(({ ordinal }) => ordinal));
    const packs = await this.#unlisted(group.packs.filter((pack) => !unsent.has(pack)));
    const segments = await this.#writeSegments(packs);
    const changes: RootChanges = {
      packs,
      segments,
      joined: { gone: [], made: [] },
      snapshots: [],
      job: {
        packCursor: group.cursor,
        packsLeft: [...left, ...earlier],
        unsent: [...this.#unsent.values()].slice(0, unsentTold),
      },
    };
    if (group.last) this.#rest = changes;
    else await this.#commit(changes);
  }

  /** Those that no root lists. A copy that a check found wrong, and that is right again, is listed as before. */
  async #unlisted(packs: readonly PendingPack[]): Promise<PendingPack[]> {
    if (packs.length === 0) return [];
    const { places, replica } = this.#context;
    const manifest = await this.#manifest();
    for (const { name, ordinal } of packs) {
      if (manifest.hasPack(name))
        places.put(ordinal, replica.id, { listed: true, proof: "none", provenMs: 0 });
    }
    return packs.filter(({ name }) => !manifest.hasPack(name));
  }

  async #writeSegments(packs: readonly PendingPack[]): Promise<SegmentRow[]> {
    const { lane, signal } = this.#context;
    return lane.uploads.use(signal, () => writeSegments(packs, this.#segments));
  }

  async #listSnapshots(): Promise<void> {
    const { job, vault } = this.#context;
    const lost = vault.store.recovery.missing.filter((pack) => vault.store.packs.get(pack)?.state === "open");
    const bad = [...[...this.#unsent.keys()].map(({ ordinal }) => ordinal), ...lost];
    const reach = new SnapshotReach(vault.store.index, bad);
    const heldBack: number[] = [];
    for (const part of this.#snapshots.parts(job.row, atOnce)) {
      const { snapshots, held } = await putSnapshots(part, reach, this.#context);
      heldBack.push(...held);
      const changes = { snapshotCursor: part.cursor, snapshotsLeft: [...heldBack, ...part.notYet] };
      if (snapshots.length > 0) await this.#commitRest(snapshots, changes);
      else job.change(changes);
    }
    if (this.#rest !== undefined) await this.#finishRest(this.#rest);
  }

  /** What is left to commit without snapshots: packs alone, other documents, or nothing but cursors. */
  async #finishRest(rest: RootChanges): Promise<void> {
    const { job, vault } = this.#context;
    const { keysGeneration } = job.row;
    if (rest.packs.length > 0 || this.#found === undefined || keysGeneration !== vault.keys.generation) {
      await this.#commitRest([], {});
    } else this.#context.job.change(rest.job);
  }

  async #commitRest(snapshots: RootChanges["snapshots"], changes: RootChanges["job"]): Promise<void> {
    const { lane, signal } = this.#context;
    const rest = this.#rest;
    this.#rest = undefined;
    const manifest = await this.#manifest();
    const listed: SegmentRow[] = [];
    for await (const rows of manifest.rows(ManifestPageType.segments, signal)) listed.push(...rows);
    const isDoomed = (name: Uint8Array): boolean => manifest.isDoomed(name);
    await this.#commit({
      packs: rest?.packs ?? [],
      segments: rest?.segments ?? [],
      joined: await lane.uploads.use(signal, () => joinSegments(listed, isDoomed, this.#segments)),
      snapshots,
      job: { ...rest?.job, ...changes },
    });
    this.#listed += snapshots.length;
  }

  async #commit(changes: RootChanges): Promise<void> {
    const manifest = await this.#manifest();
    const snapshots = changes.snapshots.filter(({ id }) => !manifest.hasSnapshot(Buffer.from(id, "hex")));
    const found = await commitRoot(this.#context, manifest, this.#found, { ...changes, snapshots });
    if (found === undefined) throw new Overtaken("an earlier root stands in the place of the next one");
    this.#found = found;
    this.#context.held.keep(found.hash, manifest);
  }

  async #receipts(): Promise<void> {
    const { job, gateway, store, replica, vault, places, signal } = this.#context;
    const { unreceipted } = job.row;
    if (unreceipted.length === 0 || this.#found === undefined) return;
    // Whoever verifies or fetches back packs proves them meanwhile.
    if (job.row.proof === "none") job.change({ proof: weakestProof(vault, places, replica.id) });
    // A far gateway looks itself whether it holds everything.
    const proof = places.wrong(replica.id).length > 0 ? "none" : job.row.proof;
    const { identity } = gateway.dataDir;
    const receipts = await receiptsFor(unreceipted, this.#found, proof, {
      identity,
      store,
      replica: replica.id,
      now: gateway.now,
      signal,
    });
    if (receipts.size > 0) job.putReceipts(receipts);
    else gateway.logger.warn({ vault: vault.id, replica: replica.name }, "receipts-wait-for-proof");
  }

  async #sweep(manifest: Manifest): Promise<void> {
    const { gateway, vault, replica, signal } = this.#context;
    const { failure, locked } = await manifest.sweep(signal);
    if (failure === undefined && locked === 0) return;
    const facts = { vault: vault.id, replica: replica.name, locked, why: failure?.message };
    gateway.logger.info(facts, "doomed-objects-stay-for-now");
  }

  #tellNow(everyMs = 0): void {
    const now = this.#monotonicMs();
    if (now - this.#toldMs < everyMs) return;
    this.#toldMs = now;
    this.#tell(this.#progress.now);
  }
}
