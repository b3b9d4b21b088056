// Whether this gateway can take in backups now: for who balances load, and for whoever waits for its start.
//
// Invariants
// - It is open to strangers, so a look costs the same however often it is asked for: one every `lookMs`, shared by all; a write every `writeMs`; a vault
//   that could not be opened is tried again every `retryMs`.
// - Reasons are words of this file, and never names.

import { statfs } from "node:fs/promises";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { Gateway } from "../gateway.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** vaults-opening: their open packs are being recovered; vaults-not-writable: until the gateway is started again. */
export const notReady = [
  "vaults-opening",
  "vaults-failed",
  "vaults-not-writable",
  "disk-below-reserve",
  "disk-not-readable",
  "catalog-not-writable",
] as const;
export type NotReady = (typeof notReady)[number];

const lookMs = 2000;
const writeMs = 30_000;
const retryMs = 60_000;
const probeKey = Buffer.from("write");

type ReadinessGateway = Pick<Gateway, "catalog" | "dataDir" | "logger" | "now" | "vault">;

export class Readiness {
  readonly #gateway: ReadinessGateway;
  readonly #monotonicMs: () => number;
  readonly #probe: Table<string>;
  /** When vaults failed, by id. */
  readonly #failed = new Map<string, number>();
  #look: { readonly atMs: number; readonly reasons: Promise<NotReady[]> } | undefined;
  #write: { readonly atMs: number; readonly isGood: boolean } | undefined;

  constructor(gateway: ReadinessGateway, monotonicMs: () => number = () => performance.now()) {
    this.#gateway = gateway;
    this.#monotonicMs = monotonicMs;
    this.#probe = openTable(gateway.catalog.environment, "readiness", jsonCodec<string>());
  }

  /** Why it is not ready; empty when it is. At most `lookMs` old. */
  reasons(): Promise<NotReady[]> {
    const nowMs = this.#monotonicMs();
    if (this.#look === undefined || nowMs - this.#look.atMs >= lookMs) {
      this.#look = { atMs: nowMs, reasons: this.#reasons(nowMs) };
    }
    return this.#look.reasons;
  }

  async #reasons(nowMs: number): Promise<NotReady[]> {
    const reasons: (NotReady | undefined)[] = [...(await this.#vaults(nowMs)), await this.#disk()];
    if (!this.#isWritable(nowMs)) reasons.push("catalog-not-writable");
    return reasons.filter((reason) => reason !== undefined);
  }

  /** Opens vaults that nobody has opened yet. */
  async #vaults(nowMs: number): Promise<NotReady[]> {
    const states = await Promise.all(
      this.#gateway.catalog.vaults.list().map(({ id }) => this.#vault(id, nowMs)),
    );
    return [...new Set(states.filter((state) => state !== undefined))];
  }

  async #vault(id: string, nowMs: number): Promise<NotReady | undefined> {
    const failedMs = this.#failed.get(id);
    if (failedMs !== undefined && nowMs - failedMs < retryMs) return "vaults-failed";
    const opened = this.#gateway.vault(id).then(
      ({ store }) => {
        this.#failed.delete(id);
        return store.failure === undefined ? undefined : ("vaults-not-writable" as const);
      },
      (error: unknown) => {
        this.#failed.set(id, nowMs);
        this.#gateway.logger.error({ vault: id, err: error }, "a vault cannot be opened");
        return "vaults-failed" as const;
      },
    );
    return await Promise.race([opened, nextTurn("vaults-opening" as const)]);
  }

  async #disk(): Promise<NotReady | undefined> {
    const { path, settings } = this.#gateway.dataDir;
    try {
      const { bavail, bsize } = await statfs(path);
      return bavail * bsize < settings.reserveMiB * 2 ** 20 ? "disk-below-reserve" : undefined;
    } catch {
      return "disk-not-readable";
    }
  }

  #isWritable(nowMs: number): boolean {
    if (this.#write !== undefined && nowMs - this.#write.atMs < writeMs) return this.#write.isGood;
    const { catalog, logger, now } = this.#gateway;
    let isGood = true;
    try {
      catalog.write(() => this.#probe.put(probeKey, now().toISOString()));
    } catch (error) {
      isGood = false;
      logger.error({ err: error }, "the catalog cannot be written");
    }
    this.#write = { atMs: nowMs, isGood };
    return isGood;
  }
}
