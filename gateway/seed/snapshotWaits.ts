// Which snapshots are whole, and what the others wait for: looked at when one is committed, and again whenever something came or will not come.
//
// Invariants
// - A snapshot that rests on promised rows is marked in the transaction that makes it visible.
// - A mark goes only after a walk of clear references found everything below the root here; whole is whole for good.
// - One walk at a time; who asks for another meanwhile gets one that begins after the call.

import { wireLimits } from "../../ingest/wire/protocol.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { RecordType, Width } from "../../vault/magic.ts";
import type { Needs } from "../catalog/needs.ts";
import type { VaultCatalog } from "../catalog/vaultCatalog.ts";
import type { Wait } from "../catalog/waitingSnapshots.ts";
import { OrdinalSet } from "../index/ordinalSet.ts";
import { walkBelow } from "../index/walkBelow.ts";
import type { VaultStore } from "../store/vaultStore.ts";
import { comesWith, fromAgents, type Lacking, lackingRecords } from "./lacking.ts";

export type SnapshotWaitsPort = {
  readonly store: VaultStore;
  readonly needs: Needs;
  readonly catalog: VaultCatalog;
  /** Told when snapshots became whole, or wait for others than before. */
  readonly changed: () => void;
  readonly report: (event: string, facts: Record<string, unknown>) => void;
};

/** A record that a snapshot lacks. */
export type LackedChunk = {
  readonly group: number;
  /** 64 hex digits. */
  readonly id: string;
  /** The box that it comes with; undefined: only an agent can send it. */
  readonly box: number | undefined;
};

/** Records below which nothing is needed from agents, and what readers found wrong that no upload has met. */
type Sound = { readonly ordinals: OrdinalSet; readonly unmet: ReturnType<Needs["unmet"]> };

/** What a walk found of each box: the ordinal of one record. */
type Witnesses = ReadonlyMap<number, number>;

export class SnapshotWaits {
  readonly #port: SnapshotWaitsPort;
  /**
   * Records below which nothing is needed from agents, while the cache token stays, which is new whenever anything comes to be needed, and the
   * boxes that are open: one that ends is none in memory before its transaction renews the token.
   */
  #sound = { token: "", boxes: 0, ordinals: new OrdinalSet() };
  #running: Promise<void> | undefined;
  #next: Promise<void> | undefined;
  #stopped = false;

  constructor(port: SnapshotWaitsPort) {
    this.#port = port;
  }

  /**
   * A snapshot's root is here or on its way, and nothing that is needed from agents is below it. Closure holds by induction, except below
   * records that were here, or promised, when they were named: while any of these are needed, everything below the root is looked at.
   * @throws HoldfastError missing-chunks
   */
  async requireWhole(group: number, root: Uint8Array): Promise<void> {
    const { store, needs } = this.#port;
    this.requireRoot(group, root);
    if (needs.unmet().size === 0 && !this.#mayLackPromised()) return;
    await store.flush(() => undefined);
    const row = store.overlay.lookup(group, root);
    if (row === undefined) return;
    const missing = await this.#neededBelow(row.ordinal, this.#soundNow(), wireLimits.missingPerCommit);
    if (missing.length === 0) return;
    throw new HoldfastError(
      ErrorCode.missingChunks,
      `${missing.length} chunks that the snapshot reaches are not here in a sound copy`,
      {
        detail: { missing: this.#described(missing, this.#port.needs.unmet()).map(({ id }) => id) },
        next: "Run the backup again: it sends what is missing; with `--rescan` it looks for more.",
      },
    );
  }

  /** Per id (32 bytes one after the other) whether it and everything below it is here or on its way: what an agent need not look at again. */
  async whole(group: number, ids: Uint8Array): Promise<boolean[]> {
    const { store, needs } = this.#port;
    const mayLack = needs.unmet().size > 0 || this.#mayLackPromised();
    if (mayLack) await store.flush(() => undefined);
    const answers = store.promised.have(group, ids);
    if (!mayLack) return answers;
    const sound = this.#soundNow();
    for (const [i, row] of store.overlay.lookupBatch(group, ids).entries()) {
      // What has nothing below it is answered already.
      if (row === undefined || !answers[i] || store.index.refsOf(row.ordinal).length === 0) continue;
      answers[i] = (await this.#neededBelow(row.ordinal, sound, 1)).length === 0;
    }
    return answers;
  }

  /** To be taken before what is lacking is looked at: what comes to be needed behind it ends the set's time. */
  #soundNow(): Sound {
    const { catalog, needs, store } = this.#port;
    const token = catalog.cacheToken();
    const boxes = store.promises.changes;
    if (this.#sound.token !== token || this.#sound.boxes !== boxes) {
      this.#sound = { token, boxes, ordinals: new OrdinalSet() };
    }
    return { ordinals: this.#sound.ordinals, unmet: needs.unmet() };
  }

  /** Records (`most` at most) that are needed from agents at and below one, which is noted as sound where there are none. */
  async #neededBelow(root: number, { ordinals, unmet }: Sound, most: number): Promise<number[]> {
    const { store } = this.#port;
    const found: number[] = [];
    const seen = new OrdinalSet();
    const visit = (ordinal: number): "stop" | "on" => {
      const row = store.index.promised.get(ordinal);
      const box = row === undefined ? undefined : comesWith(store.promises, row);
      if (box === fromAgents || unmet.has(ordinal)) found.push(ordinal);
      return found.length < most ? "on" : "stop";
    };
    await walkBelow(store.index, root, visit, seen, ordinals);
    if (found.length === 0) ordinals.addAll(seen);
    return found;
  }

  /** @throws HoldfastError missing-chunks; protocol when it is here and no directory */
  requireRoot(group: number, root: Uint8Array): void {
    const { store } = this.#port;
    const [ordinal] = store.promised.rely(group, root);
    if (ordinal !== undefined) {
      const row = store.lookup(group, root);
      if (row === undefined || row.type === RecordType.directory) return;
      throw new HoldfastError(ErrorCode.protocol, "the snapshot's root is not a directory");
    }
    throw new HoldfastError(ErrorCode.missingChunks, "the snapshot's root directory is not here", {
      detail: { missing: [toHex(root)] },
      next: "Upload it and commit again.",
    });
  }

  /** Inside the transaction that makes a snapshot visible: it is pending while promised rows exist, until it was looked at. */
  mark(id: string): void {
    const { store, catalog } = this.#port;
    if (!store.index.promised.any()) return;
    const boxes = store.promises.open();
    const waits = (boxes.length > 0 ? boxes : [fromAgents]).map((box) => ({ box, ordinal: null }));
    catalog.waiting.put(id, waits);
  }

  /** Looks again at the snapshots that wait; resolves when those that were there at the call were looked at. */
  settle(): Promise<void> {
    if (this.#running === undefined) {
      this.#running = this.#settle().finally(() => {
        this.#running = undefined;
      });
      return this.#running;
    }
    this.#next ??= this.#running
      .catch(() => undefined)
      .then(() => {
        this.#next = undefined;
        return this.settle();
      });
    return this.#next;
  }

  /** As `settle`, for whoever does not wait: a failure is reported. Costs nothing while no snapshot waits. */
  settleSoon(): void {
    if (this.#stopped || this.#port.catalog.waiting.list().length === 0) return;
    this.settle().catch((error: unknown) => {
      if (!this.#stopped) this.#port.report("snapshots-not-settled", { error: String(error) });
    });
  }

  /** No walk goes on after this resolves. */
  async stop(): Promise<void> {
    this.#stopped = true;
    while (this.#running !== undefined) await this.#running.catch(() => undefined);
  }

  /**
   * Chunks (`most` at most) that a snapshot lacks, of those that are `lacking`, for its owner to know which files are hurt: by id, since names
   * are sealed. What flushed rows say.
   * @throws the signal's reason
   */
  async lackedBy(id: string, most: number, lacking: Lacking, signal: AbortSignal): Promise<LackedChunk[]> {
    const { store, catalog, needs } = this.#port;
    const snapshot = catalog.snapshot(id);
    if (snapshot === undefined || catalog.waiting.get(id) === undefined) return [];
    const root = store.overlay.lookup(snapshot.group, fromHex(snapshot.root, Width.id));
    const sets = [...lacking.values()];
    const found: number[] = [];
    if (root !== undefined && sets.length > 0) {
      await walkBelow(store.index, root.ordinal, (ordinal) => {
        if (sets.some((set) => set.has(ordinal))) found.push(ordinal);
        return found.length < most && !signal.aborted ? "on" : "stop";
      });
    }
    signal.throwIfAborted();
    return this.#described(found, needs.unmet());
  }

  #described(ordinals: readonly number[], unmet: ReturnType<Needs["unmet"]>): LackedChunk[] {
    const { store } = this.#port;
    return ordinals.flatMap((ordinal) => {
      const need = unmet.get(ordinal);
      if (need !== undefined) return [{ group: need.group, id: need.id, box: undefined }];
      const row = store.index.promised.get(ordinal);
      if (row === undefined) return [];
      const { group, id } = row;
      return [{ group, id: toHex(id), box: store.promised.boxesOf(group, id)[0] }];
    });
  }

  /** Whether a promised row may be one that nobody promises any more. */
  #mayLackPromised(): boolean {
    const { store } = this.#port;
    return store.promises.boxes().some(({ state }) => state === "closed") && store.index.promised.any();
  }

  /** What flushed rows say that is lacking, or would be if the box `without` had ended; see lacking.ts. */
  lacking(without?: number): Promise<Lacking> {
    const { store, needs } = this.#port;
    const { index, promises } = store;
    return lackingRecords({ index, promises, needs, ...(without === undefined ? {} : { without }) });
  }

  async #settle(): Promise<void> {
    const { store, catalog, changed } = this.#port;
    // Before what is lacking: a snapshot that comes later may rest on rows that come later.
    const waiting = catalog.waiting.list();
    if (waiting.length === 0) return;
    await store.flush(() => undefined);
    const { ordinals: sound, unmet } = this.#soundNow();
    const due = waiting.filter(([, waits]) => !waits.every((wait) => this.#holds(wait, unmet)));
    if (due.length === 0) return;
    const { changes } = store.promises;
    const lacking = await this.lacking();
    // Where only agents could send what is lacking, what needs nothing from them is whole; unless a box ended meanwhile, which what is known
    // to be sound may rest on.
    const agentsOnly = lacking.size === 1 && lacking.has(fromAgents) && store.promises.changes === changes;
    const whole = agentsOnly ? sound : new OrdinalSet();
    for (const [id, waits] of due) {
      if (this.#stopped) return;
      // It may leave for good meanwhile, and before it is noted.
      if (catalog.snapshot(id) === undefined) continue;
      const found = await this.#witnesses(id, lacking, whole);
      const now = [...found].map(([box, ordinal]) => ({ box, ordinal })).sort((a, b) => a.box - b.box);
      store.environment.write(() => {
        if (catalog.snapshot(id) === undefined) return;
        catalog.waiting.put(id, now);
        if (!sameBoxes(waits, now)) catalog.countChange();
      });
      if (!sameBoxes(waits, now)) changed();
    }
  }

  /** Whether what a snapshot was found to wait for is as it was. */
  #holds({ box, ordinal }: Wait, unmet: ReturnType<Needs["unmet"]>): boolean {
    const { store } = this.#port;
    const row = ordinal === null ? undefined : store.index.promised.get(ordinal);
    if (row === undefined) return box === fromAgents && ordinal !== null && unmet.has(ordinal);
    return (
      box ===
      (store.promises.isOpen(row.box) ? row.box : (store.promises.boxOf(row.group, row.id) ?? fromAgents))
    );
  }

  /** One record of each box that the snapshot lacks. `whole`: records below which everything is here; more are added. */
  async #witnesses(id: string, lacking: Lacking, whole: OrdinalSet): Promise<Witnesses> {
    const { store, catalog } = this.#port;
    const found = new Map<number, number>();
    const snapshot = catalog.snapshot(id);
    const root = snapshot && store.overlay.lookup(snapshot.group, fromHex(snapshot.root, Width.id))?.ordinal;
    if (root === undefined) throw new Error(`snapshot ${id} or its root has no row`);
    const visit = (ordinal: number): "stop" | "on" => {
      for (const [box, set] of lacking) if (!found.has(box) && set.has(ordinal)) found.set(box, ordinal);
      return found.size === lacking.size || this.#stopped ? "stop" : "on";
    };
    if (lacking.size === 0) return found;
    const seen = new OrdinalSet();
    await walkBelow(store.index, root, visit, seen, whole);
    if (this.#stopped) throw new HoldfastError(ErrorCode.cancelled, "the vault is closed");
    if (found.size === 0) whole.addAll(seen);
    return found;
  }
}

function sameBoxes(one: readonly Wait[], other: readonly Wait[]): boolean {
  return one.length === other.length && one.every(({ box }, i) => box === other[i]?.box);
}
