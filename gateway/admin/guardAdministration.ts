// Holds of the guard, its settings and what is usual for items, in the gateway's own process.
//
// Invariant: the end of a hold, what it makes of pins and history, is one transaction; its alert ends after that.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Hold } from "../catalog/guardRows.ts";
import type { Item } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import { holdAlert } from "../guard/guard.ts";
import { type HistoryRow, usualRaw } from "../guard/judge.ts";
import { checkGuardSettings } from "../guard/thresholds.ts";
import { usualUpTo } from "../guard/usual.ts";
import type { OpenVault } from "../openVault.ts";
import type {
  GuardAnswer,
  GuardOperations,
  GuardSettingsRequest,
  GuardWord,
  HeldRequest,
} from "./guardOperations.ts";
import { requireNoBox } from "./requestChecks.ts";
import type { RetentionScope } from "./retentionOperations.ts";
import { onlyItem, type ScopedVault, vaultsInScope } from "./retentionScope.ts";

export class GuardAdministration implements GuardOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async status(scope: RetentionScope, all: boolean): Promise<GuardAnswer[]> {
    const scoped = await vaultsInScope(this.#gateway, scope);
    await this.#gateway.guard.settled();
    return scoped.flatMap((each) => {
      const { guard } = each.vault.catalog.retention;
      return each.items
        .filter(({ id }) => all || guard.hold(id) !== undefined)
        .map((item) => this.#answer(each, item));
    });
  }

  async settle(word: GuardWord, request: HeldRequest): Promise<GuardAnswer[]> {
    const answers: GuardAnswer[] = [];
    const scoped = await vaultsInScope(this.#gateway, request);
    await this.#gateway.guard.settled();
    for (const each of scoped) {
      for (const item of each.items) {
        if (!this.#settle(word, each.vault, item.id)) continue;
        this.#tellAlert(word, this.#gateway.guard.subject(each.vault, item.id));
        answers.push(this.#answer(each, item));
      }
    }
    if (answers.length > 0) return answers;
    throw new HoldfastError(ErrorCode.notFound, "nothing there is held", {
      next: "`holdfast guard status` shows what is.",
    });
  }

  /** Whether it was held. */
  #settle(word: GuardWord, { catalog, store }: OpenVault, item: string): boolean {
    const { guard } = catalog.retention;
    return store.environment.write(() => {
      const hold = guard.hold(item);
      if (hold === undefined) return false;
      if (word === "confirm") {
        guard.setHold(item, { ...hold, state: "confirmed" });
        return true;
      }
      guard.setHold(item, undefined);
      guard.setHistory(item, word === "accept" ? accepted(guard.history(item)) : good(guard.history(item)));
      if (word === "accept") unpin(catalog, hold);
      return true;
    });
  }

  #tellAlert(word: GuardWord, subject: string): void {
    const { alerts } = this.#gateway;
    if (word === "confirm") alerts.acknowledgeOpen(holdAlert, subject, "confirmed as an attack");
    else alerts.resolve(holdAlert, subject);
  }

  async set({ settings, ...scope }: GuardSettingsRequest): Promise<void> {
    requireNoBox(this.#gateway.dataDir, "which looks at what it brings", "Do that there.");
    const [found] = await vaultsInScope(this.#gateway, scope);
    const { vault, items } = found as ScopedVault;
    if (scope.item === undefined && scope.device !== undefined) {
      throw new HoldfastError(
        ErrorCode.usage,
        "thresholds are of a vault or of an item: --device needs --item",
      );
    }
    const item = scope.item === undefined ? null : onlyItem(items, scope.item).id;
    const checked = settings === null ? undefined : checkGuardSettings(settings);
    vault.store.environment.write(() => vault.catalog.retention.guard.setSettings(item, checked));
  }

  #answer({ vault, account, name, deviceName }: ScopedVault, item: Item): GuardAnswer {
    const { guard } = vault.catalog.retention;
    const rows = good(guard.history(item.id));
    const usual = (share: "rewritten" | "renamed" | "vanished"): number | null => {
      const value = usualUpTo(rows.map((row) => row[share]));
      return value === undefined ? null : percent(value);
    };
    const raw = usualRaw(rows);
    return {
      ...{ account, vault: name, device: deviceName(item.device), item: item.name },
      hold: guard.hold(item.id) ?? null,
      snapshots: rows.length,
      usual: {
        rewritten: usual("rewritten"),
        renamed: usual("renamed"),
        vanished: usual("vanished"),
        raw: raw === undefined ? null : percent(raw),
      },
      thresholds: this.#gateway.guard.thresholds(vault, item.id),
    };
  }
}

function accepted(rows: readonly HistoryRow[]): HistoryRow[] {
  return rows.map((row) => (row.state === "doubted" ? { ...row, state: "accepted" } : row));
}

function good(rows: readonly HistoryRow[]): HistoryRow[] {
  return rows.filter(({ state }) => state !== "doubted");
}

/** Takes away the pins that are as the guard made them. */
function unpin({ retention }: OpenVault["catalog"], { pins, pinReason }: Hold): void {
  for (const id of pins) {
    const marks = retention.marks(id);
    if (marks.pin?.reason === pinReason) retention.setMarks(id, { ...marks, pin: null });
  }
}

function percent(value: number): number {
  return Math.round(value * 1000) / 10;
}
