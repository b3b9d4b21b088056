// Records that are called wrong, rightly or not, and others that are stored under their ids.

import { RecordStatus } from "../../ingest/wire/recordStatus.ts";
import type { Random } from "../fidelity/random.ts";
import { dataRecord, pageRecord, posingAs } from "../gateway/gatewayFixture.ts";
import { type Agents, devices, liar, recordBytes } from "./agents.ts";
import { pick, pickNewer } from "./chance.ts";
import type { Copy, Model, Node } from "./model.ts";
import type { Site } from "./site.ts";

export class Reports {
  readonly #site: Site;
  readonly #model: Model;
  readonly #random: Random;
  readonly #agents: Agents;
  #made = 0;

  constructor(site: Site, model: Model, random: Random, agents: Agents) {
    this.#site = site;
    this.#model = model;
    this.#random = random;
    this.#agents = agents;
  }

  /** Reports a record as wrong, rightly or not. */
  async report(
    node = pickNewer(this.#random, this.#model.nodes, 1)[0],
    who = this.#random.below(devices),
  ): Promise<boolean> {
    if (node === undefined) return false;
    const { process, vault, group } = this.#site;
    const notPut = node.puts.watch();
    node.reports.begin();
    const before = node.flag;
    const { quarantined } = await vault.quarantine(group, [node.id], this.#agents.device(who).id);
    if (this.#site.process !== process) return false;
    node.reports.end();
    this.#model.notes.push(`${who}-report(${node.number}:${quarantined})`);
    if (!notPut()) node.flag = "maybe";
    else if (quarantined === 1) node.flag = "yes";
    else if (node.flag !== "yes") node.flag = before;
    return quarantined === 1;
  }

  /** A device reports a page and stores another under its id, which refers to something else. */
  async pose(): Promise<void> {
    const pages = this.#model.nodes.filter(
      ({ isPage, posing, puts }) => isPage && posing === undefined && puts.running === 0,
    );
    const page = pick(this.#random, pages.slice(-20));
    const lease = this.#agents.lease(liar);
    if (page === undefined || lease.uploaded.has(page)) return;
    if (!(await this.report(page, liar)) || page.flag !== "yes" || page.posing !== undefined) return;
    const own = dataRecord(this.#agents.device(liar), this.#random.bytes(recordBytes));
    const child = this.#model.add(own.id, own.record, [], false);
    if ((await this.#agents.upload(lease, [child]))[0] !== RecordStatus.stored) return;
    const made = pageRecord(this.#agents.device(liar), [child.id], `pose ${this.#made++}`);
    await this.#pose(page, { record: posingAs(page.id, made), refs: [child] });
  }

  async #pose(page: Node, copy: Copy): Promise<void> {
    const { process, vault, group } = this.#site;
    if (page.posing !== undefined) return;
    page.posing = { copy, ordinal: undefined, alone: "maybe" };
    const before = vault.store.overlay.lookup(group, page.id)?.ordinal;
    const unreported = page.reports.watch();
    page.puts.begin();
    const { statuses } = await vault.admit(this.#agents.row(liar), [copy.record]);
    if (this.#site.process !== process) return;
    page.puts.end();
    page.flag = unreported() && statuses[0] !== RecordStatus.waits ? "no" : "maybe";
    this.#model.notes.push(`${liar}-pose(${page.number}:${statuses[0]})`);
    const ordinal = vault.store.overlay.lookup(group, page.id)?.ordinal;
    const alone = ordinal === before ? "no" : "maybe";
    page.posing = statuses[0] === RecordStatus.stored ? { copy, ordinal, alone } : undefined;
    if (statuses[0] !== RecordStatus.stored) return;
    // Whoever reads finds it wrong.
    if (this.#random.below(2) === 0) await this.report(page, 0);
  }
}
