// What the guard knows of one vault (docs/guard.md): in the vault's index environment, so that prune asks in its own transaction.
//
// Invariants
// - A commit's figures are written in its transaction, and go in the one that notes what was made of them.
// - `weighed` is a number in the order of commits: of snapshots up to it the guard has said what it has to say. Undefined where it never
//   looked: then it begins behind what is there.

import type { BackupFigures } from "../../ingest/wire/figures.ts";
import { fromHex, toHex } from "../../vault/bytes.ts";
import type { Finding, HistoryRow } from "../guard/judge.ts";
import type { GuardSettings } from "../guard/thresholds.ts";
import type { IndexEnvironment } from "../index/environment.ts";
import { jsonCodec, openTable, type Table } from "../index/table.ts";

/** Content that was stored under an item's sessions since its last commit. */
export type Uploaded = { readonly bytes: number; readonly rawBytes: number };

export type CommitFigures = { readonly said: BackupFigures | null; readonly uploaded: Uploaded };

export type Hold = {
  readonly state: "held" | "confirmed";
  /** RFC 3339. */
  readonly since: string;
  /** The first snapshot that is doubted. */
  readonly snapshot: string;
  readonly rules: readonly Finding[];
  /** Of the snapshot that made the guard say so, by their names in docs/guard.md. */
  readonly figures: Readonly<Record<string, number | null>>;
  /** Snapshots that the guard pinned, and the pins' reason. */
  readonly pins: readonly string[];
  readonly pinReason: string;
};

/** All of it, for the vault's part of a sealed catalog. `item` null: the vault's own settings. */
export type GuardPart = {
  readonly items: readonly {
    readonly item: string;
    readonly history: readonly HistoryRow[];
    readonly hold: Hold | null;
  }[];
  readonly settings: readonly { readonly item: string | null; readonly settings: GuardSettings }[];
};

const vaultKey = Buffer.from("vault");
const weighedKey = Buffer.from("weighed");

export class GuardRows {
  readonly #commits: Table<CommitFigures>;
  readonly #histories: Table<readonly HistoryRow[]>;
  readonly #holds: Table<Hold>;
  readonly #settings: Table<GuardSettings>;
  readonly #state: Table<number>;

  constructor(environment: IndexEnvironment) {
    this.#commits = openTable(environment, "guard-commits", jsonCodec<CommitFigures>());
    this.#histories = openTable(environment, "guard-histories", jsonCodec<readonly HistoryRow[]>());
    this.#holds = openTable(environment, "guard-holds", jsonCodec<Hold>());
    this.#settings = openTable(environment, "guard-settings", jsonCodec<GuardSettings>());
    this.#state = openTable(environment, "guard-state", jsonCodec<number>());
  }

  /** Inside the transaction of the snapshot's commit. Nothing where nobody will look (a box). */
  noteCommit(snapshot: string, figures: CommitFigures): void {
    if (this.weighed() !== undefined) this.#commits.put(fromHex(snapshot, 32), figures);
  }

  /** Undefined for a snapshot that did not come by a commit here. */
  commit(snapshot: string): CommitFigures | undefined {
    return this.#commits.get(fromHex(snapshot, 32));
  }

  /** Inside a write transaction: all up to `order` was looked at, of which this snapshot was the last. */
  setWeighed(order: number, snapshot?: string): void {
    this.#state.put(weighedKey, order);
    if (snapshot !== undefined) this.#commits.remove(fromHex(snapshot, 32));
  }

  weighed(): number | undefined {
    return this.#state.get(weighedKey);
  }

  /** Of an item, the oldest first. */
  history(item: string): readonly HistoryRow[] {
    return this.#histories.get(fromHex(item, 16)) ?? [];
  }

  /** Inside a write transaction. */
  setHistory(item: string, rows: readonly HistoryRow[]): void {
    this.#histories.put(fromHex(item, 16), rows);
  }

  hold(item: string): Hold | undefined {
    return this.#holds.get(fromHex(item, 16));
  }

  holds(): { readonly item: string; readonly hold: Hold }[] {
    return this.#holds.entries().map(([key, hold]) => ({ item: toHex(key), hold }));
  }

  /** Inside a write transaction. undefined ends it. */
  setHold(item: string, hold: Hold | undefined): void {
    if (hold === undefined) this.#holds.remove(fromHex(item, 16));
    else this.#holds.put(fromHex(item, 16), hold);
  }

  /** Of an item, or null: the vault's own. */
  settings(item: string | null): GuardSettings | undefined {
    return this.#settings.get(settingsKey(item));
  }

  /** Inside a write transaction. undefined removes them. */
  setSettings(item: string | null, settings: GuardSettings | undefined): void {
    if (settings === undefined) this.#settings.remove(settingsKey(item));
    else this.#settings.put(settingsKey(item), settings);
  }

  part(): GuardPart {
    const settings = this.#settings.entries();
    const histories = this.#histories.entries();
    return {
      items: histories.map(([key, history]) => ({
        item: toHex(key),
        history,
        hold: this.#holds.get(key) ?? null,
      })),
      settings: settings.map(([key, each]) => ({
        item: key.length === 16 ? toHex(key) : null,
        settings: each,
      })),
    };
  }

  /** Inside a write transaction: fills what is empty. */
  restore({ items, settings }: GuardPart): void {
    for (const { item, history, hold } of items) {
      this.setHistory(item, history);
      this.setHold(item, hold ?? undefined);
    }
    for (const each of settings) this.setSettings(each.item, each.settings);
  }
}

function settingsKey(item: string | null): Uint8Array {
  return item === null ? vaultKey : fromHex(item, 16);
}
