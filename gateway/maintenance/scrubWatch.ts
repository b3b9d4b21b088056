// Scrubs by itself while a gateway runs: packs that were not looked at for `scrub-every-days`, the one that waits longest first.
//
// Invariants
// - One pack at a time, over all vaults, at `scrub-rate` at most; a quarter of it while uploads come.
// - When a pack was looked at is durable with it, so that a restart goes on where this was. Settings count from the next pack on.
// - It holds no lock: docs/concurrency.md, "Scrubbing".

import { statSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { asBuffer } from "../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { JobWatch } from "../admin/job.ts";
import type { Gateway } from "../gateway.ts";
import { sortedInTurns } from "../index/sortedInTurns.ts";
import type { OpenVault } from "../openVault.ts";
import { closedPackPath } from "../store/packPaths.ts";
import { ReplicaHealing } from "./healing.ts";
import { readThrottle } from "./readThrottle.ts";
import { checkedPacks } from "./scrub.ts";
import { ScrubCursor } from "./scrubCursor.ts";
import { packIsSound, type ScrubPort, snapshotIsSound } from "./scrubOne.ts";
import { damageOver, tellDamage } from "./tellDamage.ts";

const dayMs = 86_400_000;

export type ScrubWatchOptions = {
  /** How long after the start it looks first. Default: a minute. */
  readonly firstMs?: number;
  /** How long it rests where nothing is due. Default: an hour. */
  readonly restMs?: number;
};

type Due = { readonly vault: OpenVault; readonly ordinal: number; readonly atMs: number };
type PassFigures = { packs: number; damaged: number };

/** While uploads come, a byte that is read counts as so many. */
const yieldWeight = 4;
const lookMs = 1000;

export class ScrubWatch {
  readonly #gateway: Gateway;
  readonly #options: Required<ScrubWatchOptions>;
  readonly #stopping = new AbortController();
  #running: Promise<void> | undefined;
  #waking = new AbortController();
  #uploads = { atMs: Number.NEGATIVE_INFINITY, rows: 0, active: false };
  #rate: { readonly text: string; readonly take: (bytes: number) => Promise<void> } | undefined;

  constructor(gateway: Gateway, options: ScrubWatchOptions = {}) {
    this.#gateway = gateway;
    this.#options = { firstMs: options.firstMs ?? 60_000, restMs: options.restMs ?? 3_600_000 };
  }

  start(): void {
    this.#running ??= this.#run();
  }

  /** Settings changed: it looks now. */
  wake(): void {
    this.#waking.abort();
  }

  async #run(): Promise<void> {
    await this.#rest(this.#options.firstMs);
    while (!this.#stopping.signal.aborted) {
      try {
        await this.#pass();
      } catch (error) {
        if (this.#stopping.signal.aborted) return;
        // Somebody asked it to: it goes on an hour later.
        if (isHoldfastError(error, ErrorCode.cancelled)) this.#gateway.logger.info("scrubbing was stopped");
        else this.#gateway.logger.error({ err: error }, "packs could not be scrubbed");
      }
      await this.#rest(this.#options.restMs);
    }
  }

  async #rest(milliseconds: number): Promise<void> {
    this.#waking = new AbortController();
    const signal = AbortSignal.any([this.#stopping.signal, this.#waking.signal]);
    await pause(milliseconds, undefined, { signal, ref: false }).catch(() => undefined);
  }

  /** All that is due now. */
  async #pass(): Promise<void> {
    const everyMs = this.#gateway.dataDir.settings.scrubEveryDays * dayMs;
    if (everyMs === 0) return;
    const found: Due[] = [];
    const vaults: OpenVault[] = [];
    for (const { id } of this.#gateway.catalog.vaults.list()) {
      // One that cannot be opened is told elsewhere.
      const vault = await this.#gateway.vault(id).catch(() => undefined);
      if (vault === undefined) continue;
      vaults.push(vault);
      for await (const packs of checkedPacks(vault)) {
        this.#stopping.signal.throwIfAborted();
        for (const { ordinal, atMs, sound } of packs) {
          const lookedAtMs = atMs > 0 ? atMs : this.#writtenMs(vault, ordinal);
          // A replica may have a good copy by tomorrow.
          const waitsMs = sound ? everyMs : Math.min(everyMs, dayMs);
          if (this.#nowMs() - lookedAtMs >= waitsMs) found.push({ vault, ordinal, atMs: lookedAtMs });
        }
      }
    }
    const due = await sortedInTurns(found, (a, b) => a.atMs - b.atMs);
    if (due.length > 0) {
      await this.#gateway.jobs.run(
        { kind: "scrub", subject: "by itself" },
        {
          signal: this.#stopping.signal,
          shown: (done: number) => ({ phase: "scrubbing", unit: "pack", done, total: due.length }),
        },
        (watch) => this.#packs(due, watch),
        (figures) => ({ figures, warnings: figures.damaged > 0 }),
      );
    }
    for (const vault of vaults) await this.#snapshots(vault, everyMs);
  }

  async #packs(due: readonly Due[], { signal, onProgress }: JobWatch<number>): Promise<PassFigures> {
    const figures: PassFigures = { packs: 0, damaged: 0 };
    for (const { vault, ordinal } of due) {
      signal.throwIfAborted();
      onProgress(figures.packs);
      if (this.#gateway.dataDir.settings.scrubEveryDays === 0) break;
      if (!(await packIsSound(this.#port(vault), ordinal))) figures.damaged++;
      figures.packs++;
    }
    return figures;
  }

  async #snapshots(vault: OpenVault, everyMs: number): Promise<void> {
    const cursor = new ScrubCursor(vault.store.environment);
    if (this.#nowMs() - cursor.snapshotsMs() < everyMs) return;
    let damaged = 0;
    for await (const packs of checkedPacks(vault)) damaged += packs.filter(({ sound }) => !sound).length;
    for (const { id } of vault.catalog.allSnapshots()) {
      this.#stopping.signal.throwIfAborted();
      if (!(await snapshotIsSound(this.#port(vault), id))) damaged++;
    }
    cursor.noteSnapshots(this.#nowMs());
    if (damaged === 0) damageOver(this.#gateway, vault.id);
  }

  #port(vault: OpenVault): ScrubPort {
    return {
      vault,
      directory: this.#gateway.vaultDirectory(vault.id),
      heal: new ReplicaHealing(this.#gateway),
      nowMs: () => this.#nowMs(),
      signal: this.#stopping.signal,
      throttle: (bytes) => this.#take(bytes, vault),
      onProblem: (problem) => tellDamage(this.#gateway, problem),
    };
  }

  async #take(bytes: number, vault: OpenVault): Promise<void> {
    const { scrubRate: text } = this.#gateway.dataDir.settings;
    if (this.#rate?.text !== text) {
      this.#rate = { text, take: readThrottle(this.#gateway, text, this.#stopping.signal) };
    }
    await this.#rate.take(this.#uploadsCome(vault) ? bytes * yieldWeight : bytes);
  }

  /** Whether records came to this vault within the last look. */
  #uploadsCome({ store }: OpenVault): boolean {
    const nowMs = this.#gateway.monotonicMs();
    if (nowMs - this.#uploads.atMs >= lookMs) {
      const rows = store.index.count() + store.overlay.size;
      this.#uploads = { atMs: nowMs, rows, active: rows !== this.#uploads.rows };
    }
    return this.#uploads.active;
  }

  #nowMs(): number {
    return this.#gateway.now().getTime();
  }

  /** When the file of a pack that nobody looked at was written; a missing one is due at once. */
  #writtenMs(vault: OpenVault, ordinal: number): number {
    const name = vault.store.packs.get(ordinal)?.name;
    if (name === undefined) return this.#nowMs();
    const path = closedPackPath(this.#gateway.vaultDirectory(vault.id), asBuffer(name));
    return statSync(path, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  }

  /** Stops; what was looked at counts. */
  async close(): Promise<void> {
    this.#stopping.abort();
    await this.#running;
  }
}
