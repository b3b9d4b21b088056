// What an operator and the gateway's own jobs do in a simulation, but for garbage collection: the trash, pins, replication, evicting.

import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Random } from "../fidelity/random.ts";
import { pick } from "./chance.ts";
import { checkCopies, demand } from "./invariants.ts";
import type { Model, Snap } from "./model.ts";
import type { Site } from "./site.ts";

export class Operator {
  readonly #site: Site;
  readonly #model: Model;
  readonly #random: Random;

  constructor(site: Site, model: Model, random: Random) {
    this.#site = site;
    this.#model = model;
    this.#random = random;
  }

  #someSnapshot(is: (snap: Snap) => boolean): Snap | undefined {
    return pick(this.#random, [...this.#model.snapshots.values()].filter(is));
  }

  async trash(): Promise<void> {
    const snap = this.#someSnapshot(
      ({ id, item }) => !this.#model.trash.has(id) && this.#model.head(item)?.id !== id,
    );
    if (snap === undefined || this.#model.pinned.has(snap.id)) return;
    const { retention } = this.#site.fixture.administration;
    try {
      await retention.remove([snap.id], "test");
    } catch (error) {
      // The guard holds its item.
      if (!isHoldfastError(error)) throw error;
      return;
    }
    this.#noteTrash(snap.id);
  }

  #noteTrash(id: string): void {
    const row = this.#site.vault.catalog.retention.rows().trash.find(({ snapshot }) => snapshot === id);
    demand(row !== undefined, `snapshot ${id} went to the trash and is not there`);
    this.#model.trash.set(id, Date.parse(row.until));
  }

  async prune(): Promise<void> {
    const { retention } = this.#site.fixture.administration;
    const none = { hourly: 0, daily: 0, weekly: 0, monthly: 0, yearly: 0, withinSeconds: 0, tags: [] };
    const policy = { ...none, last: 2, timeZone: "UTC", trashSeconds: 86_400 };
    const account = this.#site.devices[0]?.account.name as string;
    await retention.setPolicy({ account, vault: "main", policy });
    const { items } = await retention.prune({ dryRun: false });
    for (const { snapshots } of items) {
      for (const { id, reasons } of snapshots) if (reasons.length === 0) this.#noteTrash(id);
    }
  }

  async undelete(): Promise<void> {
    const snap = this.#someSnapshot(({ id }) => this.#model.trash.has(id));
    if (snap === undefined) return;
    const { retention } = this.#site.fixture.administration;
    const there = await retention.undelete([snap.id]).catch((error: unknown) => {
      // It has left.
      if (!isHoldfastError(error, ErrorCode.notFound)) throw error;
    });
    if (there !== undefined) this.#model.trash.delete(snap.id);
  }

  async pin(): Promise<void> {
    const snap = this.#someSnapshot(() => true);
    if (snap === undefined || this.#model.trash.has(snap.id)) return;
    const { retention } = this.#site.fixture.administration;
    const pin = this.#model.pinned.has(snap.id) ? null : "test";
    await retention.mark({ snapshots: [snap.id], pin, addTags: [], removeTags: [] });
    if (pin === null) this.#model.pinned.delete(snap.id);
    else this.#model.pinned.add(snap.id);
  }

  async replicate(): Promise<void> {
    const { process, replication, replica } = this.#site;
    const reports = await replication.run({ replica: replica.id }).catch((error: unknown) => {
      if (this.#site.process === process) throw error;
      return [];
    });
    if (this.#site.process !== process) return;
    for (const { outcome, failure } of reports)
      demand(outcome === "done", `replication: ${failure ?? outcome}`);
    await checkCopies(this.#site, this.#model);
  }

  async evict(): Promise<void> {
    const { process, vault } = this.#site;
    const closed = [...vault.store.packs.all()].filter(
      ({ state, kind }) => state === "closed" && kind === "data",
    );
    for (let n = Math.min(3, closed.length); n > 0; n--) {
      const [pack] = closed.splice(this.#random.below(closed.length), 1);
      if (pack === undefined || this.#site.process !== process) return;
      await vault.store.elsewhere?.moves.evict(pack.ordinal).catch((error: unknown) => {
        if (this.#site.process === process) throw error;
      });
    }
  }

  async fetch(): Promise<void> {
    const { process, vault } = this.#site;
    const away = [...vault.store.packs.all()].filter(({ state }) => state === "evicted");
    const pack = pick(this.#random, away);
    if (pack === undefined) return;
    await vault.store.elsewhere?.moves.fetchBack(pack.ordinal).catch((error: unknown) => {
      if (this.#site.process === process) throw error;
    });
  }
}
