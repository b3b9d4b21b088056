// What drives on the gateway's own machine read: sealed records from the local store, and the catalog of snapshots. The
// shapes are those of the ports in fs/view; the keys come from elsewhere (UnlockedVaults).

import type { CatalogSnapshot, RecordResult } from "../fs/view/ports.ts";
import { giveBack } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { Width } from "../vault/magic.ts";
import type { Gateway } from "./gateway.ts";
import { listItems, listSnapshots } from "./snapshotLists.ts";

/** Reads sealed records of any vault of a gateway. */
export class LocalRecordSource {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  /** @throws HoldfastError not-found for an unknown vault; cancelled */
  async read(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    signal?: AbortSignal,
  ): Promise<readonly RecordResult[]> {
    const results: RecordResult[] = [];
    await this.readEach(vaultId, group, ids, (_, result) => results.push(result), signal);
    return results;
  }

  /** The same, each result as soon as it was read. */
  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: (index: number, result: RecordResult) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const vault = await this.#gateway.vault(vaultId);
    const all = Buffer.concat(ids);
    const rows = vault.store.overlay.lookupBatch(group, all);
    let index = 0;
    let copied: Buffer | undefined;
    for await (const outcome of vault.read(group, all)) {
      if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "reading was stopped");
      // What was read together is let go of when the next comes: collected late, it would make V8 collect the whole heap often.
      if (copied !== undefined && (!Buffer.isBuffer(outcome) || outcome.buffer !== copied.buffer)) {
        giveBack(copied);
        copied = undefined;
      }
      if (Buffer.isBuffer(outcome) && !isAlone(outcome)) copied = outcome;
      take(index, this.#result(outcome, rows[index]?.writer));
      index++;
    }
    if (copied !== undefined) giveBack(copied);
  }

  #result(outcome: Buffer | HoldfastError | undefined, writer: number | undefined): RecordResult {
    if (outcome !== undefined && !(outcome instanceof HoldfastError)) {
      // Records that lie together are read together: each of those gets memory of its own here.
      return { state: "record", record: isAlone(outcome) ? outcome : ownCopy(outcome) };
    }
    // Rows without an answer are quarantined: here, and known to be bad.
    if (writer === undefined) return { state: "missing" };
    const device = this.#gateway.catalog.devices.byOrdinal(writer)?.id;
    return { state: "damaged", ...(device !== undefined && { writer: device }) };
  }
}

/** Whether nothing but its frame lies beside a record in its memory. */
function isAlone(record: Buffer): boolean {
  return record.buffer.byteLength <= record.length + Width.frame;
}

function ownCopy(bytes: Buffer): Buffer {
  const copy = Buffer.allocUnsafeSlow(bytes.length);
  bytes.copy(copy);
  return copy;
}

/** Lists accounts, devices and snapshots of a gateway. */
export class LocalSnapshotCatalog {
  readonly #gateway: Gateway;

  constructor(gateway: Gateway) {
    this.#gateway = gateway;
  }

  async accounts(): Promise<readonly string[]> {
    return this.#gateway.catalog.accounts.list().map((account) => account.name);
  }

  /** An account's devices and their items; empty for an unknown account. */
  async devices(
    account: string,
  ): Promise<
    readonly { readonly account: string; readonly device: string; readonly items: readonly string[] }[]
  > {
    const row = this.#gateway.catalog.accounts.byName(account);
    if (row === undefined) return [];
    const items = new Map<string, Set<string>>();
    for (const device of this.#gateway.catalog.devices.list(row.id)) items.set(device.name, new Set());
    for (const item of await listItems(this.#gateway, row.id, {})) {
      const names = items.get(item.device) ?? new Set();
      items.set(item.device, names.add(item.name));
    }
    return [...items].map(([device, names]) => ({ account, device, items: [...names] }));
  }

  /** The snapshots of one item, newest first. */
  async snapshots(account: string, device: string, item: string): Promise<readonly CatalogSnapshot[]> {
    const row = this.#gateway.catalog.accounts.byName(account);
    if (row === undefined) return [];
    return (await listSnapshots(this.#gateway, row.id, { device, item })).map((snapshot) => ({
      id: snapshot.id,
      vault: snapshot.vault,
      account,
      device: snapshot.device,
      item: snapshot.item,
      group: snapshot.group,
      sequence: snapshot.sequence,
      received: snapshot.received,
      incomplete: snapshot.incomplete,
    }));
  }

  /** The bytes of a snapshot object. @throws HoldfastError not-found, chunk-missing, chunk-damaged */
  async object(snapshot: { readonly vault: string; readonly id: string }): Promise<Uint8Array> {
    const vault = await this.#gateway.vault(snapshot.vault);
    const row = vault.catalog.snapshot(snapshot.id);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, `no snapshot ${snapshot.id}`);
    return await vault.snapshotObject(row);
  }

  /** Calls back when snapshots appear or go, in any account; returns a stop function. */
  onChanged(listener: () => void): () => void {
    return this.#gateway.changes.onChanged(() => listener());
  }
}
