// Vaults, items and their replicas as metrics.
//
// Invariant: series are bounded: vaults, items and pairs of vault and replica up to a number of each; what is left out is counted.

import { Gauge, type Registry } from "prom-client";
import type { Gateway } from "../gateway.ts";
import { itemsOf } from "../health/items.ts";
import { packTotals } from "../health/packTotals.ts";
import { replicaLag } from "../health/replicaLag.ts";
import type { OpenVault } from "../openVault.ts";
import { pendingPacks } from "../replica/job/jobStatus.ts";
import { fetchStatus } from "../replica/restore/fetchAll.ts";

export const seriesMax = { vaults: 500, items: 2000, replicas: 1000 } as const;

type Names = { readonly account: string; readonly vault: string };

const ofVault = ["account", "vault"] as const;
const ofReplica = ["replica", "account", "vault"] as const;
const ofItem = ["account", "device", "item"] as const;

export class VaultGauges {
  readonly #gateway: Gateway;
  readonly #packs;
  readonly #packBytes;
  readonly #chunks;
  readonly #snapshots;
  readonly #trash;
  readonly #unlocked;
  readonly #fetch;
  readonly #lastSnapshot;
  readonly #lag;
  readonly #lagSnapshots;
  readonly #lagPacks;
  readonly #lagBytes;
  readonly #receipts;
  readonly #failing;
  readonly #leftOut;

  constructor(registry: Registry, gateway: Gateway) {
    const gauge = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
      new Gauge<Label>({
        registers: [registry],
        name: `holdfast_${name}`,
        help,
        labelNames: [...labelNames],
      });
    this.#gateway = gateway;
    this.#packs = gauge("vault_packs", "Packs by state: open, closed (here), evicted (in a replica alone)", [
      ...ofVault,
      "state",
    ]);
    this.#packBytes = gauge("vault_pack_bytes", "Bytes of these packs", [...ofVault, "state"]);
    this.#chunks = gauge("vault_chunks", "Chunks that the index knows", ofVault);
    this.#snapshots = gauge("vault_snapshots", "Snapshots, without those in the trash", ofVault);
    this.#trash = gauge("vault_trash_snapshots", "Snapshots in the trash", ofVault);
    this.#unlocked = gauge("vault_unlocked", "1 while the vault's keys are in memory", ofVault);
    this.#fetch = gauge(
      "vault_fetch_pending_packs",
      "Packs that are still to come back from a replica",
      ofVault,
    );
    this.#lastSnapshot = gauge(
      "item_last_snapshot_timestamp_seconds",
      "When the gateway received the item's newest snapshot; 0 for none",
      ofItem,
    );
    this.#lag = gauge(
      "replica_lag_seconds",
      "Age of the oldest snapshot without a receipt; 0 for none",
      ofReplica,
    );
    this.#lagSnapshots = gauge("replica_pending_snapshots", "Snapshots without a receipt", ofReplica);
    this.#lagPacks = gauge("replica_pending_packs", "Packs that are not there", ofReplica);
    this.#lagBytes = gauge("replica_pending_bytes", "Bytes of packs that are not there", ofReplica);
    this.#receipts = gauge("replica_receipts", "Snapshots with a receipt", ofReplica);
    this.#failing = gauge("replica_failing", "1 while the last run ended with an error", ofReplica);
    this.#leftOut = gauge(
      "series_left_out",
      "Things without series of their own, because there are too many",
      ["of"],
    );
  }

  async collect(): Promise<void> {
    const { catalog } = this.#gateway;
    for (const each of this.#all()) each.reset();
    const left = { vaults: 0, items: 0, replicas: 0 };
    const shown = { vaults: 0, items: 0, replicas: 0 };
    const room = (of: keyof typeof shown): boolean => {
      if (shown[of] < seriesMax[of]) shown[of]++;
      else left[of]++;
      return left[of] === 0;
    };
    const unlocked = new Set(this.#gateway.unlocked.list().map(({ vault }) => vault));
    for (const row of catalog.vaults.list()) {
      // One that cannot be opened has no figures; /readyz says so.
      const vault = await this.#gateway.vault(row.id).catch(() => undefined);
      if (vault === undefined) continue;
      const names = { account: catalog.accounts.get(row.account)?.name ?? row.account, vault: row.name };
      if (room("vaults")) await this.#vault(vault, names, unlocked.has(row.id));
      for (const { account, device, item, received } of itemsOf(this.#gateway, vault)) {
        if (!room("items")) continue;
        this.#lastSnapshot.set(
          { account, device, item },
          received === null ? 0 : Date.parse(received) / 1000,
        );
      }
      for (const replica of catalog.replicas.list()) {
        if (room("replicas")) await this.#replica(vault, names, replica);
      }
    }
    for (const [of, count] of Object.entries(left)) this.#leftOut.set({ of }, count);
  }

  async #vault(vault: OpenVault, names: Names, unlocked: boolean): Promise<void> {
    const { store, catalog } = vault;
    for (const [state, { packs, bytes }] of Object.entries(await packTotals(store.packs))) {
      this.#packs.set({ ...names, state }, packs);
      this.#packBytes.set({ ...names, state }, bytes);
    }
    const trash = catalog.retention.trashRows();
    this.#chunks.set(names, store.index.count() + store.overlay.size);
    this.#snapshots.set(names, catalog.snapshotRows() - trash);
    this.#trash.set(names, trash);
    this.#unlocked.set(names, unlocked ? 1 : 0);
    this.#fetch.set(names, (await fetchStatus(vault)).fetchPacks);
  }

  async #replica(vault: OpenVault, names: Names, { id, name }: { id: string; name: string }): Promise<void> {
    const lag = replicaLag(vault, id, this.#gateway.now());
    const { packs, bytes } = await pendingPacks(vault, id);
    const labels = { ...names, replica: name };
    this.#lag.set(labels, lag.seconds);
    this.#lagSnapshots.set(labels, lag.snapshots);
    this.#lagPacks.set(labels, packs);
    this.#lagBytes.set(labels, bytes);
    this.#receipts.set(labels, lag.receipts);
    this.#failing.set(labels, lag.failure === null ? 0 : 1);
  }

  #all(): readonly { reset(): void }[] {
    return [
      ...[this.#packs, this.#packBytes, this.#chunks, this.#snapshots, this.#trash, this.#unlocked],
      ...[this.#fetch, this.#lastSnapshot, this.#lag, this.#lagSnapshots, this.#lagPacks, this.#lagBytes],
      ...[this.#receipts, this.#failing, this.#leftOut],
    ];
  }
}
