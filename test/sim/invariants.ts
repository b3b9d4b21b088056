// What has to hold after every step, whatever is under way (docs/concurrency.md).

import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { wholeRecords } from "../../gateway/maintenance/rebuild/salvage.ts";
import { JobState } from "../../gateway/replica/job/jobState.ts";
import { closedPackPath, openPackPath } from "../../gateway/store/packPaths.ts";
import { tailPath } from "../../gateway/store/packTails.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { replicaPack } from "../gateway/cache/replicaFolder.ts";
import { checkReplica } from "../gateway/replica/job/checkReplica.ts";
import type { Model, Node, Snap } from "./model.ts";
import type { Site } from "./site.ts";

/** An invariant does not hold. */
export class Violation extends Error {}

export function demand(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Violation(what);
}

/** Everything that is looked at in one turn of the event loop; what is known of commits and of the trash is brought up to date. */
export function checkNow(site: Site, model: Model): void {
  settleSnapshots(site, model);
  checkHeads(site, model);
  checkLeases(site, model);
  checkClosure(site);
  checkPackFiles(site);
  forgetDeadPoses(site, model);
  checkAnswers(site, model);
}

function settleSnapshots({ vault: { catalog } }: Site, model: Model): void {
  const rows = new Map(catalog.allSnapshots().map((row) => [row.id, row]));
  for (const id of rows.keys()) {
    if (model.snapshots.has(id)) continue;
    const snap = model.pending.get(id);
    demand(snap !== undefined, `snapshot ${id} comes from nowhere`);
    // Visible, and not answered yet.
    model.snapshots.set(id, snap);
  }
  for (const { id, item } of [...model.snapshots.values()]) {
    if (rows.has(id)) continue;
    const untilMs = model.trash.get(id);
    demand(untilMs !== undefined, `snapshot ${id} is gone and was never in the trash`);
    demand(untilMs <= model.leaveMs, `snapshot ${id} left before its time`);
    demand(!model.pinned.has(id), `snapshot ${id} left and is pinned`);
    demand(model.head(item)?.id !== id, `snapshot ${id} left and is its item's newest`);
    model.snapshots.delete(id);
    model.trash.delete(id);
  }
  for (const { snapshot } of catalog.retention.rows().trash) {
    demand(rows.has(snapshot), `a row of the trash without its snapshot ${snapshot}`);
    demand(model.trash.has(snapshot), `snapshot ${snapshot} is in the trash and nobody put it there`);
  }
  const listed = new Set(catalog.snapshots().map(({ id }) => id));
  for (const id of model.snapshots.keys()) {
    demand(listed.has(id) === !model.trash.has(id), `whether snapshot ${id} is listed`);
  }
}

function checkHeads({ vault: { catalog } }: Site, model: Model): void {
  for (const { id, head, sequence } of catalog.items()) {
    const newest = model.head(id);
    demand((newest?.id ?? null) === head, `the head of item ${id}`);
    demand((newest?.sequence ?? 0) === sequence, `the sequence of item ${id}`);
    demand(head === null || !catalog.retention.isInTrash(head), `the head of item ${id} is in the trash`);
  }
}

function checkLeases({ vault: { catalog } }: Site, model: Model): void {
  for (const [item, lease] of model.leases) {
    if (catalog.leases.holder(fromHex(item, 16)) === lease.session) continue;
    const ended = catalog.leases.session(lease.session)?.ended;
    const snapshot = ended?.snapshot ?? null;
    demand(snapshot !== null && model.pending.has(snapshot), `the lease of item ${item} ended by itself`);
    model.leases.delete(item);
  }
}

/** What LMDB says: no row that lives refers to one that is not there, or is dead. */
function checkClosure({ vault: { store } }: Site): void {
  const { index } = store;
  const live = new Set<number>();
  index.scan(undefined, Number.POSITIVE_INFINITY, (_group, _id, { ordinal, pack, length }) => {
    if (index.dead?.has(ordinal)) return;
    demand(!live.has(ordinal), `two rows have the ordinal ${ordinal}`);
    live.add(ordinal);
    demand(length === 0 || store.packs.get(pack) !== undefined, `a row names pack ${pack}, which is gone`);
  });
  for (const ordinal of live) {
    for (const ref of index.refsOf(ordinal)) demand(live.has(ref), `record ${ordinal} refers to ${ref}`);
  }
}

function checkPackFiles({ directory, vault: { store } }: Site): void {
  for (const { ordinal, name, state } of store.packs.all()) {
    if (name === undefined) continue;
    const closed = closedPackPath(directory, name);
    // It may be renamed between two looks.
    const paths = [closed, openPackPath(directory, ordinal), closed];
    if (state === "evicted") paths.push(tailPath(directory, name));
    demand(
      paths.some((path) => existsSync(path)),
      `pack ${ordinal} (${state}) has no file`,
    );
  }
}

/** A record that died and came back is another one: what posed as it went with it. */
function forgetDeadPoses({ group, vault: { store } }: Site, model: Model): void {
  for (const node of model.nodes) {
    if (node.posing?.ordinal === undefined) continue;
    if (store.overlay.lookup(group, node.id)?.ordinal !== node.posing.ordinal) node.posing = undefined;
  }
}

/** Who asks now is told the truth. Nothing is pinned by it. */
function checkAnswers({ group, vault: { store } }: Site, model: Model): void {
  for (const node of model.mustLive()) {
    if (store.overlay.lookup(group, node.id) === undefined) {
      throw new Violation(`record ${node.number} is needed (${model.whoNeeds(node)}) and not there`);
    }
    const [present] = store.lookupBatch(group, node.id);
    if (node.flag === "no") demand(present !== undefined, `record ${node.number} is needed and answers no`);
    if (node.flag === "yes")
      demand(present === undefined, `record ${node.number} is quarantined and answers yes`);
  }
}

/** Everything that has to be there can be read, and nothing is ever other bytes. */
export async function checkBytes(site: Site, model: Model): Promise<void> {
  const { vault, process } = site;
  const must = model.mustLive();
  const nodes = [...model.nodes];
  // What poses as a record may die with it while it is read.
  const posed = nodes.map(({ posing }) => posing?.copy);
  let at = 0;
  for await (const outcome of vault.read(site.group, Buffer.concat(nodes.map(({ id }) => id)))) {
    // That of a process that is no more says nothing.
    if (site.process !== process) return;
    const node = nodes[at] as Node;
    const copies = [node.copy, posed[at++], node.posing?.copy];
    if (Buffer.isBuffer(outcome)) {
      demand(
        copies.some((copy) => copy?.record.equals(outcome)),
        `record ${node.number} is read as other bytes`,
      );
    } else if (must.has(node) && model.mustLive().has(node)) {
      throw new Violation(`record ${node.number} is needed and read as ${outcome?.code ?? "nothing"}`);
    }
  }
}

/** The newest root of the replica, all that it lists, and all that snapshots with a receipt need. */
export async function checkCopies(site: Site, model: Model): Promise<void> {
  const { vault, replica } = site;
  const there = checkReplica(replica.path, vault.id, site.metadataKey);
  const job = new JobState(vault.store.environment, replica.id);
  const backed = [...model.snapshots.values()].filter(({ id }) => job.receipt(id) !== undefined);
  if (there === undefined) return demand(backed.length === 0, "a receipt without a root");
  const found = new Set<string>();
  for (const name of there.packs) {
    for (const { row } of await wholeRecords(replicaPack(replica, vault.id, fromHex(name, 32)), undefined)) {
      found.add(toHex(row.id));
    }
  }
  for (const snap of backed) demandCopied(snap, there.snapshots, found, model);
}

function demandCopied(
  { id, root }: Snap,
  listed: readonly string[],
  found: ReadonlySet<string>,
  model: Model,
): void {
  demand(listed.includes(id), `snapshot ${id} has a receipt and is not in the replica`);
  for (const node of model.below([root], "none")) {
    demand(
      found.has(toHex(node.id)),
      `record ${node.number} of a snapshot with a receipt is not in the replica`,
    );
  }
}

/** Nothing is under way, no lease is open, and garbage was collected until there was none: what is there is what snapshots reach. */
export async function checkNoLeak(site: Site, model: Model): Promise<void> {
  const { vault, directory } = site;
  const { index, packs } = vault.store;
  await vault.store.flush(() => undefined);
  demand(index.dead === undefined, "a dead set is in force");
  const roots = [...model.snapshots.values()].map(({ root }) => root);
  const [least, most] = [model.below(roots, "known"), model.below(roots, "any")];
  const rows = new Set<string>();
  index.scan(undefined, Number.POSITIVE_INFINITY, (_group, id) => void rows.add(toHex(id)));
  const prefix = (node: Node): string => toHex(node.id.subarray(0, 16));
  for (const node of least) demand(rows.has(prefix(node)), `record ${node.number} is lost`);
  const may = new Set([...most].map(prefix));
  const left = model.nodes.filter((node) => rows.has(prefix(node)) && !may.has(prefix(node)));
  demand(left.length === 0, `records ${left.map(({ number }) => number).join(", ")} are garbage and stay`);
  for (const row of rows) demand(may.has(row), `a row of an unknown record ${row}`);
  const names = [...packs.all()].flatMap(({ name, state }) =>
    name && state === "closed" ? [toHex(name)] : [],
  );
  const folder = join(directory, "packs");
  const files = existsSync(folder) ? readdirSync(folder).flatMap((ab) => readdirSync(join(folder, ab))) : [];
  demand(names.sort().join() === files.sort().join(), "the files in packs/ are not those of the pack table");
  const snapshots = readdirSync(join(directory, "snapshots"));
  for (const id of model.snapshots.keys()) demand(snapshots.includes(id), `the object of snapshot ${id}`);
}
