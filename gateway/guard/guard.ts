// The guard of a gateway (docs/guard.md): looks at every snapshot after its commit, and holds its item when a change is not as usual.
//
// Invariants
// - Of a vault one snapshot is looked at at a time, in the order of commits; what was said of it, the hold and its pins are one transaction.
// - An item with a snapshot that was not looked at counts as held (heldItems.ts), so the time until then is no gap.
// - An alert is raised after that transaction, and for each hold that has none when a vault is opened.

import { byGateway } from "../audit/audit.ts";
import type { Hold, Uploaded } from "../catalog/guardRows.ts";
import type { Snapshot } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { guardThresholds } from "../settings.ts";
import { SnapshotCounter } from "./countSnapshot.ts";
import { type HistoryRow, historyRow, historyRowsMax, type Judgement, judge } from "./judge.ts";
import { type GuardThresholds, thresholdsOf } from "./thresholds.ts";

/** Of a gateway. */
export type GuardPort = Pick<Gateway, "catalog" | "alerts" | "audit" | "dataDir" | "now" | "logger">;

/** The kind of the alert that a hold is. */
export const holdAlert = "guard-hold";

const failedAlert = "guard-failed";
const pinnedByHold = 3;
const none: Uploaded = { bytes: 0, rawBytes: 0 };

export class Guard {
  readonly #port: GuardPort;
  readonly #counter = new SnapshotCounter();
  /** By item, since its last commit. */
  readonly #uploaded = new Map<string, Uploaded>();
  readonly #running = new Map<string, Promise<void>>();
  readonly #again = new Set<string>();
  readonly #stop = new AbortController();

  constructor(port: GuardPort) {
    this.#port = port;
  }

  /** Content was stored under a session of this item. */
  addUploaded(item: string, { bytes, rawBytes }: Uploaded): void {
    if (bytes === 0) return;
    const before = this.uploaded(item);
    this.#uploaded.set(item, { bytes: before.bytes + bytes, rawBytes: before.rawBytes + rawBytes });
  }

  uploaded(item: string): Uploaded {
    return this.#uploaded.get(item) ?? none;
  }

  /** A commit has taken this much of it over. */
  tookUploaded(item: string, { bytes, rawBytes }: Uploaded): void {
    const now = this.uploaded(item);
    if (now.bytes <= bytes) this.#uploaded.delete(item);
    else this.#uploaded.set(item, { bytes: now.bytes - bytes, rawBytes: now.rawBytes - rawBytes });
  }

  /** A vault was opened: from now on its snapshots are looked at, first those that the last process did not come to. */
  opened(vault: OpenVault): OpenVault {
    this.#look(vault, () => this.#begin(vault));
    return vault;
  }

  #begin(vault: OpenVault): void {
    const { guard } = vault.catalog.retention;
    if (guard.weighed() === undefined) {
      vault.store.environment.write(() => guard.setWeighed(vault.catalog.newestOrder()));
    }
    for (const { item, hold } of guard.holds()) {
      const subject = this.subject(vault, item);
      if (!this.#port.alerts.isOpen(holdAlert, subject)) this.#alert(subject, hold);
    }
  }

  /** Something of a vault, which may be opening still, may be new. */
  lookSoon(opening: Promise<OpenVault>): void {
    void opening.then(
      (vault) => this.#look(vault),
      () => undefined,
    );
  }

  /** `first` is done at once; what it fails with is reported. */
  #look(vault: OpenVault, first: () => void = () => undefined): void {
    if (this.#stop.signal.aborted || this.#port.dataDir.box !== undefined) return;
    if (this.#running.has(vault.id)) {
      this.#again.add(vault.id);
      return;
    }
    const run = this.#lookAtAll(vault, first)
      .catch((error: unknown) => {
        if (!this.#stop.signal.aborted) this.#failed(vault.id, error);
      })
      .finally(() => {
        this.#running.delete(vault.id);
        if (this.#again.delete(vault.id)) this.#look(vault);
      });
    this.#running.set(vault.id, run);
  }

  /** Resolves when what was committed before the call has been looked at, as far as that can be done now. */
  async settled(): Promise<void> {
    await Promise.all(this.#running.values());
  }

  /** What is not looked at is held, and looked at when its vault is opened next. */
  async close(): Promise<void> {
    this.#stop.abort();
    await this.settled();
  }

  /** The item by names, as alerts call it. */
  subject(vault: OpenVault, item: string): string {
    const { accounts, devices, vaults } = this.#port.catalog;
    const row = vaults.get(vault.id);
    const { device = "", name = item } = vault.catalog.item(item) ?? {};
    const account = accounts.get(row?.account ?? "")?.name ?? "";
    return [account, row?.name ?? vault.id, devices.get(device)?.name ?? device, name].join("/");
  }

  /** What counts for an item. */
  thresholds(vault: OpenVault, item: string): GuardThresholds {
    const { guard } = vault.catalog.retention;
    return thresholdsOf(
      guardThresholds(this.#port.dataDir.settings),
      guard.settings(item),
      guard.settings(null),
    );
  }

  async #lookAtAll(vault: OpenVault, first: () => void): Promise<void> {
    const { guard } = vault.catalog.retention;
    first();
    for (;;) {
      // Unknown where the disk was full when the vault was opened: what came meanwhile is not looked at.
      const [next] = vault.catalog.committedAfter(guard.weighed() ?? vault.catalog.newestOrder(), 1);
      if (next === undefined) break;
      this.#stop.signal.throwIfAborted();
      await this.#lookAt(vault, next.order, next.snapshot);
    }
    const { alerts } = this.#port;
    if (alerts.isOpen(failedAlert, vault.id)) alerts.resolve(failedAlert, vault.id);
  }

  /** Its items stay held until a later look succeeds: somebody should know. */
  #failed(vault: string, error: unknown): void {
    const { alerts, logger } = this.#port;
    logger.error({ err: error, vault }, "the guard could not look at a snapshot");
    try {
      alerts.raise({
        ...{ kind: failedAlert, severity: "warning", subject: vault, figures: {} },
        message: `The guard could not look at what is new in this vault (${(error as Error).message}), and holds it until it can.`,
      });
    } catch (unsaid) {
      logger.error({ err: unsaid, vault }, "an alert could not be noted");
    }
  }

  async #lookAt(vault: OpenVault, order: number, snapshot: Snapshot): Promise<void> {
    const { catalog, store } = vault;
    const { guard } = catalog.retention;
    const { id, item } = snapshot;
    const thresholds = this.thresholds(vault, item);
    const skipped = thresholds.off || snapshot.incomplete || vault.pendingBoxes(id) !== undefined;
    const history = guard.history(item);
    const last = history.at(-1);
    const before = (last && catalog.snapshot(last.snapshot)) ?? beforeIt(vault, snapshot);
    const counts = skipped
      ? undefined
      : await this.#counter.count(store, snapshot, before, last?.chunks, this.#stop.signal);
    if (counts === undefined) {
      store.environment.write(() => guard.setWeighed(order, id));
      return;
    }
    const commit = guard.commit(id);
    const { bytes: uploadedBytes, rawBytes } = commit?.uploaded ?? none;
    const counted = { ...counts, uploadedBytes, rawBytes };
    const chunksBefore = last?.chunks ?? counts.chunks - counts.newChunks + counts.goneChunks;
    const row = historyRow(id, counted, commit?.said ?? undefined, before && { chunks: chunksBefore });
    const isHeld = guard.hold(item) !== undefined;
    const good = history.filter(({ state }) => state !== "doubted");
    const judgement: Judgement = isHeld ? { findings: [], since: id } : judge(good, row, thresholds);
    const isFound = judgement.findings.length > 0;
    const rows = doubted([...history, row], isHeld || isFound ? judgement.since : undefined);
    const figures = { ...counted, ...commit?.said, saidRawBytes: commit?.said?.rawBytes ?? null, rawBytes };
    const hold = store.environment.write(() => {
      guard.setHistory(item, rows.slice(-historyRowsMax));
      guard.setWeighed(order, id);
      return isFound ? this.#hold(vault, item, judgement, good, figures) : undefined;
    });
    if (hold === undefined) return;
    const subject = this.subject(vault, item);
    const rules = hold.rules.map(({ rule }) => rule);
    this.#port.audit.note(byGateway("guard.held", { item: subject, snapshot: hold.snapshot, rules }));
    this.#alert(subject, hold);
  }

  /** Inside a write transaction. `good`: the rows before. */
  #hold(
    { catalog }: OpenVault,
    item: string,
    { findings, since: snapshot }: Judgement,
    good: readonly HistoryRow[],
    figures: Hold["figures"],
  ): Hold {
    const { retention } = catalog;
    const at = this.#port.now().toISOString();
    const pinReason = `held by guard since ${at}`;
    const begin = good.findIndex((row) => row.snapshot === snapshot);
    const lastGood = (begin < 0 ? good : good.slice(0, begin))
      .map((row) => row.snapshot)
      .filter((id) => catalog.snapshot(id) !== undefined && !retention.isInTrash(id))
      .slice(-pinnedByHold)
      .reverse();
    for (const id of lastGood) {
      const marks = retention.marks(id);
      if (marks.pin === null) retention.setMarks(id, { ...marks, pin: { reason: pinReason, at } });
    }
    const hold: Hold = {
      state: "held",
      since: at,
      snapshot,
      rules: findings,
      figures,
      pins: lastGood,
      pinReason,
    };
    retention.guard.setHold(item, hold);
    return hold;
  }

  #alert(subject: string, { rules, snapshot, pins, figures, state }: Hold): void {
    const why = rules.map(({ rule, share, usual }) => {
      return `${rule} ${share} %${usual === null ? "" : ` (usual: up to ${usual} %)`}`;
    });
    this.#port.alerts.raise({
      kind: holdAlert,
      severity: rules.every(({ rule }) => rule === "vanished") ? "warning" : "critical",
      subject,
      message: `a sudden change in snapshot ${snapshot.slice(0, 16)}: ${why.join(", ")}. Prune is held. ${
        state === "confirmed"
          ? "It was confirmed as an attack: `holdfast guard release` when it is over"
          : "Look at the snapshot, then `holdfast guard accept` or `confirm`"
      }.`,
      figures: { ...figures, pinned: pins.map((id) => id.slice(0, 16)).join(" ") },
    });
  }
}

/** The rows with those of and after a snapshot as doubted; undefined: none. */
function doubted(rows: readonly HistoryRow[], since: string | undefined): HistoryRow[] {
  const begin = since === undefined ? rows.length : rows.findIndex(({ snapshot }) => snapshot === since);
  return rows.map((row, index) => (index < begin ? row : { ...row, state: "doubted" }));
}

/** The complete snapshot before one, of an item that has no history. Looks at all of the vault's: once for each item. */
function beforeIt({ catalog }: OpenVault, { item, sequence }: Snapshot): Snapshot | undefined {
  if (sequence === 1) return undefined;
  return catalog
    .allSnapshots()
    .find((other) => other.item === item && other.sequence < sequence && !other.incomplete);
}
