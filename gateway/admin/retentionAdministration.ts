// Policies, pins, tags, prune and the trash, in the gateway's own process (docs/retention.md).
//
// Invariants: what goes to the trash is decided and moved in one transaction of its vault; an item's newest snapshot and its newest
// complete one never go; a vault that a box is on its way to keeps everything.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Item, Snapshot } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import { type HeldBecause, heldItems } from "../guard/heldItems.ts";
import { checkPolicy, isTag, retentionLimits, trashSecondsDefault } from "../maintenance/retention/policy.ts";
import { type Reason, type Verdict, verdictsOf } from "../maintenance/retention/verdicts.ts";
import type { OpenVault } from "../openVault.ts";
import { findSnapshots, trashOf } from "./findSnapshots.ts";
import { requireNoBox } from "./requestChecks.ts";
import type {
  MarkRequest,
  PolicyAnswer,
  PolicyRequest,
  PrunedItem,
  PruneRequest,
  PruneResult,
  RetentionOperations,
  RetentionScope,
  SnapshotAnswer,
} from "./retentionOperations.ts";
import { onlyItem, type ScopedVault, vaultsInScope } from "./retentionScope.ts";

export class RetentionAdministration implements RetentionOperations {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async policies(scope: RetentionScope): Promise<PolicyAnswer[]> {
    const answers: PolicyAnswer[] = [];
    for (const { vault, account, name, items, deviceName } of await vaultsInScope(this.#gateway, scope)) {
      const { retention } = vault.catalog;
      const own = retention.policy(null);
      if (own !== undefined && scope.item === undefined && scope.device === undefined) {
        answers.push({ account, vault: name, device: null, item: null, policy: own });
      }
      for (const item of items) {
        const policy = retention.policy(item.id);
        if (policy === undefined) continue;
        answers.push({ account, vault: name, device: deviceName(item.device), item: item.name, policy });
      }
    }
    return answers;
  }

  async setPolicy({ policy, ...scope }: PolicyRequest): Promise<void> {
    this.#requireNoBox();
    const [found] = await vaultsInScope(this.#gateway, scope);
    const { vault, items } = found as ScopedVault;
    const item = scope.item === undefined ? null : onlyItem(items, scope.item).id;
    if (item === null && scope.device !== undefined) {
      throw new HoldfastError(ErrorCode.usage, "a policy is of a vault or of an item: --device needs --item");
    }
    const checked = policy === null ? undefined : checkPolicy(policy);
    const known = vault.store.environment.write(() => vault.catalog.retention.setPolicy(item, checked));
    if (known || checked !== undefined) return;
    throw new HoldfastError(ErrorCode.notFound, "there is no policy to remove", {
      next: "`holdfast retention show` shows which there are.",
    });
  }

  async prune(request: PruneRequest): Promise<PruneResult> {
    if (request.dryRun) return await this.#prune(request);
    const { account = "", vault = "", device = "", item = "" } = request;
    const subject = [account, vault, device, item].filter((name) => name !== "").join("/");
    const work = () => this.#prune(request);
    const name = { kind: "prune", subject } as const;
    return await this.#gateway.jobs.run(name, { signal: undefined }, work, (result) => ({
      figures: { kept: result.kept, trashed: result.trashed },
      warnings: result.held.length > 0,
    }));
  }

  async #prune({ dryRun, ...scope }: PruneRequest): Promise<PruneResult> {
    this.#requireNoBox();
    await this.#gateway.guard.settled();
    const items: PrunedItem[] = [];
    const held: PruneResult["held"][number][] = [];
    let without = 0;
    for (const scoped of await vaultsInScope(this.#gateway, scope)) {
      const { vault, account, name } = scoped;
      const decide = (): { pruned: PrunedItem[]; bare: number } => {
        const all = Map.groupBy(vault.catalog.snapshots(), ({ item }) => item);
        const guarded = heldItems(vault.catalog);
        const pruned = scoped.items.flatMap(
          (item) => this.#decide(scoped, item, all.get(item.id) ?? [], guarded.get(item.id)) ?? [],
        );
        return { pruned, bare: scoped.items.length - pruned.length };
      };
      // Its snapshots rest on what a box promised; nothing is to go before that is here.
      const isHeld = vault.store.promises.any;
      if (isHeld) held.push({ account, vault: name, why: "box-open" });
      const { pruned, bare } =
        dryRun || isHeld ? decide() : vault.store.environment.write(() => this.#move(vault, decide()));
      without += bare;
      if (isHeld) continue;
      items.push(...pruned);
      if (!dryRun && pruned.some(({ snapshots }) => snapshots.some(goes))) {
        this.#gateway.changes.tell(scoped.accountId);
      }
    }
    const snapshots = items.flatMap((item) => item.snapshots);
    const trashed = snapshots.filter(goes).length;
    return { dryRun, items, without, held, kept: snapshots.length - trashed, trashed };
  }

  #decide(
    { vault, account, name, deviceName }: ScopedVault,
    item: Item,
    snapshots: readonly Snapshot[],
    because: HeldBecause | undefined,
  ): PrunedItem | undefined {
    const { retention } = vault.catalog;
    const own = retention.policy(item.id);
    const policy = own ?? retention.policy(null);
    if (policy === undefined) return undefined;
    const candidates = snapshots.map(({ id, received, incomplete }) => {
      const { pin, tags } = retention.marks(id);
      return { id, received, incomplete, pinned: pin !== null, tags };
    });
    const verdicts = verdictsOf(policy, candidates);
    const held: Reason[] = because === undefined ? [] : [{ rule: "held", because }];
    return {
      account,
      vault: name,
      device: deviceName(item.device),
      item: item.name,
      policy: own === undefined ? "vault" : "item",
      snapshots: candidates.map(({ id, received, incomplete }, index) => ({
        ...{ id, received, incomplete },
        reasons: [...held, ...(verdicts[index] as Verdict).reasons],
      })),
    };
  }

  /** Inside a write transaction. */
  #move<Decided extends { readonly pruned: readonly PrunedItem[] }>(
    vault: OpenVault,
    decided: Decided,
  ): Decided {
    const gone = decided.pruned.flatMap(({ snapshots }) => snapshots.filter(goes));
    for (const { id } of gone) this.#toTrash(vault, id, "policy", "no rule of its policy keeps it");
    if (gone.length > 0) vault.catalog.countChange();
    return decided;
  }

  /** Inside a write transaction. */
  #toTrash(vault: OpenVault, id: string, by: "policy" | "administrator", reason: string): void {
    const { catalog } = vault;
    const item = catalog.snapshot(id)?.item ?? null;
    const policy =
      (item === null ? undefined : catalog.retention.policy(item)) ?? catalog.retention.policy(null);
    const nowMs = this.#gateway.now().getTime();
    const untilMs = nowMs + (policy?.trashSeconds ?? trashSecondsDefault) * 1000;
    const at = new Date(nowMs).toISOString();
    catalog.retention.putInTrash(id, { at, until: new Date(untilMs).toISOString(), by, reason });
  }

  async snapshots(scope: RetentionScope, trash: boolean): Promise<SnapshotAnswer[]> {
    const answers: SnapshotAnswer[] = [];
    for (const scoped of await vaultsInScope(this.#gateway, scope)) {
      const { vault, items } = scoped;
      const all = Map.groupBy(trash ? trashOf(vault) : vault.catalog.snapshots(), ({ item }) => item);
      for (const item of items) {
        for (const snapshot of all.get(item.id) ?? []) answers.push(this.#answer(vault, snapshot));
      }
    }
    return answers;
  }

  async mark({ snapshots, pin, addTags, removeTags }: MarkRequest): Promise<SnapshotAnswer[]> {
    this.#requireNoBox();
    for (const tag of addTags) {
      if (!isTag(tag)) throw new HoldfastError(ErrorCode.usage, `"${tag}" is no tag: no spaces, no commas`);
    }
    const found = await findSnapshots(this.#gateway, snapshots);
    for (const [vault, of] of Map.groupBy(found, (each) => each.vault)) {
      vault.store.environment.write(() => {
        for (const { snapshot } of of) {
          const before = vault.catalog.retention.marks(snapshot.id);
          const tags = [...new Set([...before.tags, ...addTags])].filter((tag) => !removeTags.includes(tag));
          if (tags.length > retentionLimits.tagsMax) {
            throw new HoldfastError(
              ErrorCode.usage,
              `a snapshot has ${retentionLimits.tagsMax} tags at most`,
            );
          }
          const pinned = (reason: string) => ({ reason, at: this.#gateway.now().toISOString() });
          const kept = pin === undefined ? before.pin : pin === null ? null : pinned(pin);
          vault.catalog.retention.setMarks(snapshot.id, { pin: kept, tags: tags.sort() });
        }
      });
    }
    return found.map(({ vault, snapshot }) => this.#answer(vault, snapshot));
  }

  async remove(snapshots: readonly string[], reason: string): Promise<SnapshotAnswer[]> {
    this.#requireNoBox();
    await this.#gateway.guard.settled();
    const found = await findSnapshots(this.#gateway, snapshots);
    // All of them before the first goes: of what is asked for in one line, all goes or nothing.
    const byVault = Map.groupBy(found, (each) => each.vault);
    for (const [vault, of] of byVault) requireMayGo(vault, of);
    for (const [vault, of] of byVault) {
      vault.store.environment.write(() => {
        requireMayGo(vault, of);
        for (const { snapshot } of of) {
          this.#toTrash(vault, snapshot.id, "administrator", reason);
        }
        vault.catalog.countChange();
      });
      this.#told(vault);
    }
    return found.map(({ vault, snapshot }) => this.#answer(vault, snapshot));
  }

  async undelete(snapshots: readonly string[] | null): Promise<SnapshotAnswer[]> {
    const found =
      snapshots === null ? await this.#wholeTrash() : await findSnapshots(this.#gateway, snapshots, "trash");
    for (const [vault, of] of Map.groupBy(found, (each) => each.vault)) {
      vault.store.environment.write(() => {
        for (const { snapshot } of of) vault.catalog.retention.takeFromTrash(snapshot.id);
        vault.catalog.countChange();
      });
      this.#told(vault);
    }
    return found.map(({ vault, snapshot }) => this.#answer(vault, snapshot));
  }

  async #wholeTrash(): Promise<{ vault: OpenVault; snapshot: Snapshot }[]> {
    const all: { vault: OpenVault; snapshot: Snapshot }[] = [];
    for (const { vault } of await vaultsInScope(this.#gateway, {})) {
      all.push(...trashOf(vault).map((snapshot) => ({ vault, snapshot })));
    }
    return all;
  }

  #told(vault: OpenVault): void {
    const account = this.#gateway.catalog.vaults.get(vault.id)?.account;
    if (account !== undefined) this.#gateway.changes.tell(account);
  }

  #answer(vault: OpenVault, { id, received, incomplete, device, item }: Snapshot): SnapshotAnswer {
    const { catalog } = this.#gateway;
    const row = catalog.vaults.get(vault.id);
    const { retention } = vault.catalog;
    return {
      ...{ id, received, incomplete },
      account: catalog.accounts.get(row?.account ?? "")?.name ?? "",
      vault: row?.name ?? vault.id,
      device: catalog.devices.get(device)?.name ?? device,
      item: vault.catalog.item(item)?.name ?? item,
      ...retention.marks(id),
      trash: retention.trashRow(id) ?? null,
    };
  }

  /** @throws HoldfastError forbidden at a box */
  #requireNoBox(): void {
    requireNoBox(
      this.#gateway.dataDir,
      "which says how long snapshots stay",
      "Do that there, when the box was imported.",
    );
  }
}

function goes({ reasons }: { readonly reasons: readonly unknown[] }): boolean {
  return reasons.length === 0;
}

/** Whether snapshots of a vault may go to the trash. @throws HoldfastError forbidden */
function requireMayGo(
  { catalog, store }: OpenVault,
  going: readonly { readonly snapshot: Snapshot }[],
): void {
  const byItem = Map.groupBy(catalog.snapshots(), ({ item }) => item);
  const guarded = heldItems(catalog);
  for (const { snapshot } of going) {
    const { id, item } = snapshot;
    const rows = byItem.get(item) ?? [];
    const stays = (why: string, next: string): HoldfastError =>
      new HoldfastError(ErrorCode.forbidden, `snapshot ${id.slice(0, 16)} ${why}`, { next });
    const later = "It can go when there is a newer one.";
    if (rows[0]?.id === id) throw stays("is the newest one of its item, which always stays", later);
    if (rows.find(({ incomplete }) => !incomplete)?.id === id) {
      throw stays("is the newest complete one of its item, which always stays", later);
    }
    if (catalog.retention.marks(id).pin !== null)
      throw stays("is pinned", "Unpin it: holdfast snapshot unpin");
    if (guarded.has(item)) throw stays("is of an item that the guard holds", "See: holdfast guard status");
    if (store.promises.any) throw stays("has to stay while a box is on its way", "See: holdfast seed status");
  }
}
