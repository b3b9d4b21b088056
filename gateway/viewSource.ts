// What drives on the gateway's own machine read: sealed records from the local store, and the catalog of snapshots. The
// shapes are those of the ports in fs/view; the keys come from elsewhere (UnlockedVaults).

import type { CatalogSnapshot, RecordResult } from "../fs/view/ports.ts";
import { promisedBy } from "../ingest/wire/readStream.ts";
import { giveBack } from "../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { Width } from "../vault/magic.ts";
import { SuspectRecords } from "../vault/suspectRecords.ts";
import { isOutage } from "./cache/replicaStores.ts";
import type { Gateway } from "./gateway.ts";
import { type ChunkRow, rowFlags } from "./index/row.ts";
import { promisingBox } from "./seed/promisedError.ts";
import { listItems, listSnapshots } from "./snapshotLists.ts";
import type { ReadOptions } from "./store/packReader.ts";
import { placeOrder } from "./store/placeOrder.ts";

/**
 * Of several records, those that lie together are read at once up to this size, which takes less than a thread's attention costs; more is
 * better copied by a thread, beside other work.
 */
const fewBytesMax = 64 * 1024;

export type LocalRecordSourceOptions = {
  /** Gives memory for a record, which whoever reads gets along with it. */
  readonly memory?: (bytes: number) => Buffer;
  /** Reads of what may be in memory, of one record or of a few that lie together; see PackReader. */
  readonly readNow?: ReadOptions["readNow"];
};

/**
 * Reads sealed records of any vault of a gateway. The seal proves a record better than the hash in its pack, so that is left out, until
 * one does not open: it is then asked for again (see `discard`), and the hash tells damage here from a record that came so.
 */
export class LocalRecordSource {
  readonly #gateway: Gateway;
  readonly #memory: (bytes: number) => Buffer;
  readonly #readNow: ReadOptions["readNow"];
  readonly #readFewNow: ReadOptions["readNow"];
  readonly #suspects = new SuspectRecords();

  constructor(gateway: Gateway, options: LocalRecordSourceOptions = {}) {
    this.#gateway = gateway;
    this.#memory = options.memory ?? ((bytes) => Buffer.allocUnsafeSlow(bytes));
    const { readNow } = options;
    this.#readNow = readNow;
    this.#readFewNow =
      readNow && ((fd, into, position) => into.length <= fewBytesMax && readNow(fd, into, position));
  }

  /** @throws HoldfastError not-found for an unknown vault; cancelled */
  async readEach(
    vaultId: string,
    group: number,
    ids: readonly Uint8Array[],
    take: (index: number, result: RecordResult) => void,
    signal?: AbortSignal,
  ): Promise<void> {
    const vault = await this.#gateway.vault(vaultId);
    const rows = vault.store.overlay.lookupBatch(group, Buffer.concat(ids));
    const order = placeOrder(rows);
    const all = Buffer.concat(order.map((index) => ids[index] as Uint8Array));
    let next = 0;
    let copied: Buffer | undefined;
    const unhashed = !this.#suspects.take(vaultId, group, ids);
    // A record that is read by itself comes in memory which the reader gets with it.
    const memory = ids.length === 1 ? this.#memory : undefined;
    const readNow = ids.length === 1 ? this.#readNow : this.#readFewNow;
    const alone = new Set<ArrayBufferLike>();
    const recordMemory = (bytes: number): Buffer => {
      const own = this.#memory(bytes);
      alone.add(own.buffer);
      return own;
    };
    const isAlone = ({ buffer, length }: Buffer): boolean =>
      memory !== undefined || alone.has(buffer) || buffer.byteLength <= length + Width.frame;
    const own = (record: Buffer): Buffer => (isAlone(record) ? record : this.#copy(record));
    const options = { unhashed, unhashedElsewhere: unhashed, memory, recordMemory, readNow };
    for await (const outcome of vault.read(group, all, options)) {
      if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "reading was stopped");
      // What was read together is let go of when the next comes: collected late, it would make V8 collect the whole heap often.
      if (copied !== undefined && (!Buffer.isBuffer(outcome) || outcome.buffer !== copied.buffer)) {
        giveBack(copied);
        copied = undefined;
      }
      if (Buffer.isBuffer(outcome) && !isAlone(outcome)) copied = outcome;
      const owned = Buffer.isBuffer(outcome) ? own(outcome) : outcome;
      const index = order[next++] as number;
      take(index, this.#result(owned, writerOf(rows[index])));
    }
    if (copied !== undefined) giveBack(copied);
  }

  /** Records that lie together are read together: each of those gets memory of its own. */
  #copy(bytes: Buffer): Buffer {
    const copy = this.#memory(bytes.length);
    bytes.copy(copy);
    return copy;
  }

  /** The next read of this record compares its hash. */
  discard(vaultId: string, group: number, id: Uint8Array): boolean {
    this.#suspects.add(vaultId, group, id);
    return true;
  }

  #result(outcome: Buffer | HoldfastError | undefined, writer: number | undefined): RecordResult {
    if (outcome !== undefined && !(outcome instanceof HoldfastError)) {
      return { state: "record", record: outcome };
    }
    if (isOutage(outcome)) return { state: "unavailable" };
    const box = promisingBox(outcome);
    if (box !== undefined) return promisedBy(box);
    // A row without an answer stands for a record of which there is no copy.
    if (writer === undefined) return { state: "missing" };
    const device = this.#gateway.catalog.devices.byOrdinal(writer)?.id;
    return { state: "damaged", ...(device !== undefined && { writer: device }) };
  }
}

/** Nobody for what was promised: it has no bytes here that could be wrong. */
function writerOf(row: ChunkRow | undefined): number | undefined {
  return row === undefined || row.flags & rowFlags.promised ? undefined : row.writer;
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
