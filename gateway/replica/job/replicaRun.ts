// One run of a job, in the order of docs/concurrency.md: close, newest root, packs, segments, snapshots, documents, manifest, root, notes, receipts. A run
// that a closed pack began sends packs first, until there is a snapshot to list.
//
// Invariants
// - Nothing is named by a root before the replica acknowledged it with a proof.
// - Snapshots are listed only by a root that follows the last group of packs, and not those that reach a pack which could not be sent, is still
//   open of those that there were when the snapshots were taken, or was filled by repack meanwhile.
// - Receipts are signed when a gateway restored from there would know the vault and its devices.
// - The manifest that is held is that of the root that is held.

import { ManifestPageType } from "../../../vault/magic.ts";
import type { SegmentRow } from "../../../vault/replica/manifestPage.ts";
import { fenced, rolledBack } from "../chain/chainErrors.ts";
import type { Manifest } from "../chain/manifest.ts";
import type { Ahead } from "./ahead.ts";
import { commitRoot, type RootChanges } from "./commitRoot.ts";
import { nextGone } from "./doomGone.ts";
import { noteListed, weakestProof } from "./listed.ts";
import { openPack } from "./openPack.ts";
import { PackSender } from "./packSender.ts";
import type { PackGroup, PendingPack } from "./pendingPacks.ts";
import { PendingSnapshots } from "./pendingSnapshots.ts";
import { putSnapshots } from "./putSnapshots.ts";
import { receiptsFor } from "./receipts.ts";
import type { JobProgress, UnsentPack } from "./replicationStatus.ts";
import type { RunContext, VaultRootFound } from "./runContext.ts";
import { sendAhead } from "./sendAhead.ts";
import { SnapshotReach } from "./snapshotReach.ts";
import { unlistedPacks } from "./unlistedPacks.ts";
import { joinSegments, type SegmentPort, writeSegments } from "./writeSegments.ts";

/** Packs of one group, and snapshots of one root. */
const atOnce = 1024;
/** Packs that could not be sent and are told by name; the others are just left for the next run. */
const unsentTold = 100;
/** What a root names stays for so many generations after it was doomed: somebody may be restoring or verifying from that root. */
const generationsKept = 16;

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
  readonly #sender: PackSender;
  readonly #monotonicMs: () => number;
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
    this.#sender = new PackSender(context, monotonicMs, tell);
    this.#monotonicMs = monotonicMs;
  }

  /** Runs, once. @throws Overtaken; HoldfastError as `replicate` */
  async run(): Promise<RunCounts> {
    const { ahead } = this.#context;
    const taken =
      ahead === undefined ? this.#takeSnapshots() : ahead.listing.then(() => this.#takeSnapshots());
    taken.catch(() => undefined); // thrown where it is waited for
    await this.#findNewest();
    if (ahead === undefined || (await this.#sendAhead(ahead))) await this.#bringAll(await taken);
    this.#sender.tell();
    const { generation, unsent } = this.#context.job.row;
    return { ...this.#sender.sent, snapshots: this.#listed, generation, unsent };
  }

  /** Which snapshots are to be listed; all that they reach is in closed packs when it resolves. */
  async #takeSnapshots(): Promise<PendingSnapshots> {
    const { vault, job } = this.#context;
    const snapshots = new PendingSnapshots(vault);
    if (snapshots.any(job.row)) await vault.store.closeOpenPacks();
    return snapshots;
  }

  #sendAhead(ahead: Ahead): Promise<boolean> {
    return sendAhead(ahead, {
      sender: this.#sender,
      atOnce,
      monotonicMs: this.#monotonicMs,
      signal: this.#context.signal,
      findNewest: () => this.#findNewest(),
      list: (group, earlier) => this.#listGroup(group, [], earlier),
    });
  }

  /** All packs that are left, the snapshots, and their receipts. */
  async #bringAll(snapshots: PendingSnapshots): Promise<void> {
    await this.#sender.look();
    await this.#sender.countAll();
    const groups = this.#sender.pending();
    const left: number[] = [];
    for (let last = false; !last; ) {
      const group = groups.next(atOnce);
      last = group.last;
      await this.#sender.send(group.packs);
      await this.#listGroup(group, left, groups.earlier);
    }
    await this.#listSnapshots(snapshots);
    await this.#doomGone();
    await this.#receipts();
    const manifest = this.#context.held.manifest;
    if (manifest !== undefined && manifest.doomed > 0) await this.#sweep(manifest);
  }

  async #findNewest(): Promise<void> {
    const { chain, roots, store, job, takeOver, signal, vault, places, replica } = this.#context;
    const found = await chain.newest(signal);
    if (found !== undefined && !chain.isOwn(found) && !takeOver) {
      throw fenced({ url: store.url, name: replica.name }, found.root);
    }
    const generation = found?.root.generation ?? 0;
    if (generation < job.row.generation) {
      throw rolledBack({ url: roots.url, name: replica.name }, job.row.generation);
    }
    this.#found = found;
    if (generation === job.row.generation) return;
    await noteListed(await this.#manifest(), generation, { vault, replica: replica.id, job, places, signal });
  }

  /** The manifest of the root that was found. */
  async #manifest(): Promise<Manifest> {
    const { held, store, vault, signal } = this.#context;
    return held.get(store, vault.id, this.#found, signal);
  }

  /** `left`: ordinals that are left out, of this group too from here on; `earlier`: of earlier runs, and not looked at in this one. */
  async #listGroup(group: PackGroup, left: number[], earlier: readonly number[]): Promise<void> {
    const { unsent } = this.#sender;
    const isUnsent = ({ ordinal }: PendingPack): boolean =>
      unsent.has(ordinal) || this.#sender.left.has(ordinal);
    left.push(...group.left, ...group.packs.filter(isUnsent).map(({ ordinal }) => ordinal));
    const packs = await this.#unlisted(group.packs.filter((pack) => !isUnsent(pack)));
    const segments = await this.#writeSegments(packs);
    const changes: RootChanges = {
      packs,
      segments,
      joined: { gone: [], made: [] },
      snapshots: [],
      gone: [],
      job: {
        packCursor: group.cursor,
        packsLeft: [...left, ...earlier],
        unsent: [...unsent.values()].slice(0, unsentTold),
      },
    };
    if (group.last) this.#rest = changes;
    else await this.#commit(changes);
  }

  /** Those that no root lists. A copy that a check found wrong, and that is right again, is listed as before. */
  async #unlisted(packs: readonly PendingPack[]): Promise<PendingPack[]> {
    if (packs.length === 0) return [];
    const { places, replica, fresh } = this.#context;
    const manifest = await this.#manifest();
    for (const { name, ordinal } of packs) {
      if (!manifest.hasPack(name)) continue;
      places.put(ordinal, replica.id, { listed: true, proof: "none", provenMs: 0 });
      fresh.delete(ordinal);
    }
    return packs.filter(({ name }) => !manifest.hasPack(name));
  }

  async #writeSegments(packs: readonly PendingPack[]): Promise<SegmentRow[]> {
    const { lane, signal } = this.#context;
    return lane.uploads.use(signal, () => writeSegments(packs, this.#segments));
  }

  async #listSnapshots(snapshots: PendingSnapshots): Promise<void> {
    const { job, vault } = this.#context;
    // Repack may have moved what they reach since the packs were taken, from packs that no root lists either. An open pack that was there before, be it
    // lost by a crash, holds nothing of theirs as far as anybody knows: looked at all the same, since receipts rest on it.
    const unlisted = unlistedPacks(vault.store, { ...job.row, ...this.#rest?.job }, snapshots.packsEnd);
    const bad = [...this.#sender.unsent.keys(), ...unlisted];
    const reach = new SnapshotReach(vault.store.index, vault.needs, bad);
    const heldBack: number[] = [];
    for (const part of snapshots.parts(job.row, atOnce)) {
      const sent = await putSnapshots(part, reach, this.#context);
      heldBack.push(...sent.held);
      const changes = { snapshotCursor: part.cursor, snapshotsLeft: [...heldBack, ...part.notYet] };
      if (sent.snapshots.length > 0) await this.#commitRest(sent.snapshots, changes);
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
    await this.#commit({
      packs: rest?.packs ?? [],
      segments: rest?.segments ?? [],
      joined: await lane.uploads.use(signal, () => joinSegments(listed, manifest, this.#segments)),
      snapshots,
      gone: [],
      job: { ...rest?.job, ...changes },
    });
    this.#listed += snapshots.length;
  }

  /** Roots that doom what left the vault. */
  async #doomGone(): Promise<void> {
    const nothing = { packs: [], segments: [], joined: { gone: [], made: [] }, snapshots: [], job: {} };
    for (;;) {
      const gone = this.#found === undefined ? [] : await nextGone(this.#context, await this.#manifest());
      if (gone.length === 0) return;
      if (gone.some(({ kind }) => kind === 1)) this.#context.job.change({ reissue: true });
      await this.#commit({ ...nothing, gone });
    }
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
    if (job.row.reissue === true) {
      const manifest = await this.#manifest();
      const ids = vault.catalog.allSnapshots().map(({ id }) => id);
      const listed = ids.filter((id) => manifest.hasSnapshot(Buffer.from(id, "hex")));
      job.change({ unreceipted: [...new Set([...job.row.unreceipted, ...listed])], reissue: false });
    }
    const { unreceipted } = job.row;
    if (unreceipted.length === 0 || this.#found === undefined) return;
    await this.#context.stateThere();
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
    const newest = this.#found?.root.generation ?? 0;
    const { failure, locked } = await manifest.sweep(signal, newest - generationsKept);
    if (failure === undefined && locked === 0) return;
    const facts = { vault: vault.id, replica: replica.name, locked, why: failure?.message };
    gateway.logger.info(facts, "doomed-objects-stay-for-now");
  }
}
