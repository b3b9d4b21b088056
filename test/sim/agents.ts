// What agents do in a simulation: two honest devices and one that lies, each with two items. Records are real ones of one group, so that what
// one device uploads another may find there.

import type { Device } from "../../gateway/catalog/devices.ts";
import type { Item } from "../../gateway/catalog/vaultCatalog.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { Random } from "../fidelity/random.ts";
import { dataRecord, pageRecord, snapshotOf, type TestDevice } from "../gateway/gatewayFixture.ts";
import { pick, pickNewer } from "./chance.ts";
import { demand } from "./invariants.ts";
import type { Lease, Model, Node } from "./model.ts";
import type { Site } from "./site.ts";

export const devices = 3;
/** The last one. */
export const liar = devices - 1;
const itemsPerDevice = 2;
export const recordBytes = 500;

export class Agents {
  readonly #site: Site;
  readonly #model: Model;
  readonly #random: Random;
  #made = 0;

  constructor(site: Site, model: Model, random: Random) {
    this.#site = site;
    this.#model = model;
    this.#random = random;
  }

  device(who: number): TestDevice {
    return this.#site.devices[who] as TestDevice;
  }

  row(who: number): Device {
    return this.#site.fixture.gateway.catalog.devices.get(this.device(who).id) as Device;
  }

  /** A session for some item; it takes over from the one that the item has. */
  begin(who = this.#random.below(devices)): Lease {
    const { vault } = this.#site;
    const name = `item-${this.#random.below(itemsPerDevice)}`;
    const item = vault.catalog.ensureItem(this.device(who).id, name);
    const { session, resumed } = vault.startSession(item);
    const { cycles, leases, stale } = this.#model;
    const known = leases.get(item.id);
    demand(resumed === (known !== undefined), "a session takes over from one that holds its item");
    if (known !== undefined) {
      stale.push({ session: known.session, who, item: item.id });
      known.session = session;
      return known;
    }
    this.#model.notes.push(`${who}-begin`);
    const lease = {
      who,
      item: item.id,
      session,
      uploaded: new Set<Node>(),
      told: new Set<Node>(),
      usedAtCycle: cycles,
    };
    leases.set(item.id, lease);
    return lease;
  }

  /** An open lease that asks for something now. */
  lease(who?: number): Lease {
    const open = [...this.#model.leases.values()].filter((each) => who === undefined || each.who === who);
    const lease = this.#random.below(6) === 0 ? undefined : pick(this.#random, open);
    const used = lease ?? this.begin(who);
    this.#site.vault.store.pins.used(used.item);
    used.usedAtCycle = this.#model.cycles;
    return used;
  }

  end(): void {
    const lease = pick(this.#random, [...this.#model.leases.values()]);
    if (lease === undefined) return;
    this.#site.vault.catalog.leases.end(lease.session);
    this.#model.leases.delete(lease.item);
    this.#model.notes.push(`${lease.who}-end`);
  }

  /** Uploads records, new ones and some that may be there. */
  async put(): Promise<void> {
    const { who } = this.lease();
    const fresh = Array.from({ length: this.#random.below(4) + 1 }, () => {
      const made = dataRecord(this.device(who), this.#random.bytes(recordBytes));
      return this.#model.add(made.id, made.record, [], false);
    });
    await this.upload(this.lease(who), [
      ...fresh,
      ...(this.#random.below(2) === 0 ? pickNewer(this.#random, this.#model.nodes, 3) : []),
    ]);
  }

  /** Two devices upload the same at once. */
  async putTogether(): Promise<void> {
    const made = dataRecord(this.device(0), this.#random.bytes(recordBytes));
    const node = this.#model.add(made.id, made.record, [], false);
    const [first, second] = [this.lease(0), this.lease(1)];
    await Promise.all([this.upload(first, [node]), this.upload(second, [node])]);
  }

  /** Uploads records again: those that died, or are quarantined, become new. */
  async putAgain(): Promise<void> {
    await this.upload(this.lease(), pickNewer(this.#random, this.#model.nodes, 4));
  }

  /** Statuses; none where the gateway is gone. */
  async upload(lease: Lease, nodes: readonly Node[]): Promise<readonly number[]> {
    // The liar never sends an honest copy of what he has posed as.
    const sent = nodes.filter((node) => lease.who !== liar || node.posing === undefined);
    if (sent.length === 0) return [];
    const { process } = this.#site;
    const unreported = sent.map(({ reports }) => reports.watch());
    for (const { puts } of sent) puts.begin();
    let statuses: readonly number[];
    try {
      const records = sent.map(({ copy }) => copy.record);
      const answer = await this.#site.vault.admit(this.row(lease.who), records);
      statuses = [...answer.statuses];
    } catch (error) {
      if (this.#site.process !== process) return [];
      throw error;
    }
    if (this.#site.process !== process) return [];
    const told = sent.map(({ number }, at) => `${number}:${"spw"[statuses[at] ?? 0]}`);
    this.#model.notes.push(`${lease.who}-put(${told.join(",")})`);
    for (const [at, node] of sent.entries()) {
      node.puts.end();
      if (statuses[at] === RecordStatus.waits) continue;
      const isStored = statuses[at] === RecordStatus.stored;
      (isStored ? lease.uploaded : lease.told).add(node);
      if (isStored && node.posing !== undefined) node.posing.alone = "no";
      node.flag = unreported[at]?.() ? "no" : "maybe";
    }
    return statuses;
  }

  /** Uploads a page over what this lease may rest on, or over anything. */
  async page(): Promise<void> {
    const lease = this.lease();
    const own = [...lease.uploaded, ...lease.told];
    const rests = this.#random.below(3) > 0 && own.length > 0;
    const picked = rests
      ? [pick(this.#random, own), pick(this.#random, own), pick(this.#random, own)]
      : pickNewer(this.#random, this.#model.nodes, 4);
    await this.#page(lease, [...new Set(picked.filter((node) => node !== undefined))]);
  }

  /** Whether the page was stored. What may be rested on is: no child of it is said to be missing. */
  async #page(lease: Lease, children: readonly Node[]): Promise<Node | undefined> {
    const ids = children.map(({ id }) => id);
    const made = pageRecord(
      this.device(lease.who),
      ids,
      `page ${this.#made++} ${toHex(this.#random.bytes(100))}`,
    );
    const node = this.#model.add(made.id, made.record, children, true);
    const unreported = children.map(({ reports }) => reports.watch());
    const isSure = (): boolean => {
      const must = this.#model.mustLive();
      return children.every((child) => must.has(child) && child.flag === "no");
    };
    const sure = isSure();
    const [status] = await this.upload(lease, [node]);
    if (status === RecordStatus.stored) return node;
    const refused = status !== undefined && sure && isSure() && unreported.every((is) => is());
    demand(
      !refused,
      `page ${node.number} is refused, and all of its ${ids.length} children were told to be there`,
    );
    return undefined;
  }

  /** Asks for records; what is answered "yes" may be rested on. */
  have(): void {
    const lease = this.lease();
    const nodes = pickNewer(this.#random, this.#model.nodes, 8);
    if (nodes.length === 0) return;
    const bitmap = this.#site.vault.have(this.#site.group, Buffer.concat(nodes.map(({ id }) => id)));
    for (const [at, node] of nodes.entries()) {
      if (!bitAt(bitmap, at)) continue;
      demand(node.flag !== "yes", `record ${node.number} is quarantined and was said to be there`);
      lease.told.add(node);
      this.#model.notes.push(`${lease.who}-told(${node.number})`);
    }
  }

  /** Commits a page: one of the lease, one on top of it, or any that was ever heard of. */
  async commit(): Promise<void> {
    const lease = this.lease();
    const own = [...lease.uploaded, ...lease.told];
    const kind = this.#random.below(4);
    let root: Node | undefined;
    if (kind === 0)
      root = pick(
        this.#random,
        this.#model.nodes.filter(({ isPage }) => isPage),
      );
    else if (kind === 1)
      root = pick(
        this.#random,
        own.filter(({ isPage }) => isPage),
      );
    else {
      const below = new Set(
        [pick(this.#random, own), pick(this.#random, own), pick(this.#random, own)].filter((node) => !!node),
      );
      root = await this.#page(lease, [...below] as Node[]);
    }
    if (root === undefined || this.#model.leases.get(lease.item) !== lease) return;
    await this.#commit(lease, root);
  }

  async #commit(lease: Lease, root: Node): Promise<void> {
    const { vault, process } = this.#site;
    const { who, session } = lease;
    const item = vault.catalog.item(lease.item) as Item;
    const sequence = item.sequence + 1;
    const { id, bytes } = snapshotOf(this.device(who), item, sequence, item.head, root.id);
    const snap = { id: toHex(id), item: item.id, root, sequence };
    this.#model.pending.set(snap.id, snap);
    const below = [...this.#model.below([root], "known")];
    const unreported = below.map(({ reports }) => reports.watch());
    const isSure = (): boolean =>
      this.#model.mustLive().has(root) && below.every(({ flag }) => flag === "no");
    const sure = isSure();
    try {
      await vault.commit(session, this.row(who), bytes);
    } catch (error) {
      if (this.#site.process !== process) return;
      const mayBe = [ErrorCode.sessionEnded, ErrorCode.sequenceConflict, ErrorCode.cancelled];
      if (mayBe.some((code) => isHoldfastError(error, code))) return;
      if (!isHoldfastError(error, ErrorCode.missingChunks)) throw error;
      demand(
        !(sure && isSure() && unreported.every((is) => is())),
        `a commit of page ${root.number} is refused, and all below it was told to be there`,
      );
      return;
    }
    if (this.#site.process !== process) return;
    this.#model.notes.push(`${who}-commit(${root.number})`);
    this.#model.snapshots.set(snap.id, snap);
    if (this.#model.leases.get(item.id) === lease && lease.session === session)
      this.#model.leases.delete(item.id);
  }

  /** A session that another took the place of commits: it is refused. */
  async commitStale(): Promise<void> {
    const { vault, process } = this.#site;
    const old = pick(this.#random, this.#model.stale);
    const root = pick(
      this.#random,
      [...this.#model.mustLive()].filter(({ isPage }) => isPage),
    );
    if (old === undefined || root === undefined) return;
    const item = vault.catalog.item(old.item) as Item;
    const { bytes } = snapshotOf(this.device(old.who), item, item.sequence + 1, item.head, root.id);
    const answer = await vault.commit(old.session, this.row(old.who), bytes).catch((error: unknown) => error);
    if (this.#site.process !== process) return;
    demand(isHoldfastError(answer, ErrorCode.sessionEnded), "a session that has ended has committed");
  }
}
