// A gateway in memory that keeps the rules of the real one: references must be there, heads move by one, only what it said
// is stored counts. It can be told to misbehave in the ways a test needs.

import type { BackupSession } from "../../../agent/backup/request.ts";
import type { RecordSource } from "../../../fs/view/ports.ts";
import { createBitmap, setBit } from "../../../ingest/wire/bitmap.ts";
import type { SnapshotRow } from "../../../ingest/wire/messages.ts";
import { RecordStatus, type RecordsAnswer } from "../../../ingest/wire/recordStatus.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { VaultKeys } from "../../../vault/keys/vaultKeys.ts";
import { parseRecordHeader } from "../../../vault/record.ts";
import { parseSnapshotHeader, type SnapshotHeader, snapshotId } from "../../../vault/snapshot.ts";

export const testKeys = new VaultKeys({
  vaultId: Buffer.alloc(16, 1),
  s: Buffer.alloc(32, 2),
  epochs: new Map([[1, Buffer.alloc(32, 3)]]),
  currentEpoch: 1,
});

export const testDevice = { id: "dd".repeat(16), name: "tester" };

/** A record with the same header that does not open. */
export function spoilt(record: Buffer): Buffer {
  const wrong = Buffer.from(record);
  wrong[wrong.length - 20]! ^= 1;
  return wrong;
}

export class MemoryGateway {
  readonly records: Map<string, Buffer>;
  readonly snapshots: Map<string, Buffer>;
  /** The newest snapshot of each item, the latest first. */
  readonly newest: SnapshotRow[];
  readonly #itemId: string;
  readonly suspects: string[] = [];
  id: string | undefined = "aa".repeat(16);
  head: string | null = null;
  sequence = 0;
  cacheToken = "first";
  /** Ids of which it was asked whether all below them is here. */
  asked = 0;
  /** Ids of which it was asked whether they are here. */
  askedHave = 0;
  receivedRecords = 0;
  receivedBytes = 0;
  /** Ids sent although they were already stored. */
  sentTwice = 0;
  /** Called before a records request is taken in; may throw, as a broken connection would. */
  beforeRecords: (count: number) => void | Promise<void> = () => undefined;

  /** @param shared whose vault this is another item's side of */
  constructor(shared?: MemoryGateway) {
    this.records = shared?.records ?? new Map();
    this.snapshots = shared?.snapshots ?? new Map();
    this.newest = shared?.newest ?? [];
    this.#itemId = (0xee - this.newest.length).toString(16).repeat(16);
  }

  /** What a drive or a restore reads from; each record in memory of its own. */
  readonly source: RecordSource = {
    readEach: async (_vault, _group, ids, take) => {
      for (const [index, id] of ids.entries()) {
        const record = this.records.get(toHex(id));
        const own = record && Buffer.from(new Uint8Array(record).buffer);
        take(index, own === undefined ? { state: "missing" } : { state: "record", record: own });
      }
    },
  };

  /** A session as an agent sees it. */
  session(group = 0): BackupSession {
    return {
      group,
      itemId: this.#itemId,
      head: this.head,
      sequence: this.sequence,
      cacheToken: this.cacheToken,
      empty: this.records.size === 0,
      whole: async (ids) => {
        this.asked += ids.length;
        return ids.map((id) => this.#isWhole(toHex(id)));
      },
      have: async (ids) => {
        this.askedHave += ids.length;
        const bitmap = createBitmap(ids.length);
        for (const [index, id] of ids.entries()) if (this.records.has(toHex(id))) setBit(bitmap, index);
        return bitmap;
      },
      records: (records) => this.#store(records),
      read: async (ids) =>
        ids.map((id) => {
          const record = this.records.get(toHex(id));
          return record === undefined ? undefined : Buffer.from(record);
        }),
      suspect: async (ids) => {
        for (const id of ids) {
          this.suspects.push(toHex(id));
          this.records.delete(toHex(id));
        }
        return ids.map(() => "desktop");
      },
      gatewayId: async () => this.id,
      snapshotObject: async (id) => {
        const object = this.snapshots.get(id);
        if (object === undefined) throw new HoldfastError(ErrorCode.notFound, "no such snapshot");
        return object;
      },
      newestSnapshots: async () => this.newest,
      remember: () => undefined,
      commit: async (object) => {
        const header = parseSnapshotHeader(object);
        if (header.sequence !== this.sequence + 1)
          throw new HoldfastError(ErrorCode.sequenceConflict, "sequence");
        if (!this.records.has(toHex(header.root)))
          throw new HoldfastError(ErrorCode.missingChunks, "no root");
        const id = toHex(snapshotId(object));
        this.snapshots.set(id, object);
        this.head = id;
        this.sequence += 1;
        this.#list(id, header);
        return { snapshot: id, received: "2026-01-01T00:00:00Z" };
      },
    };
  }

  #list(id: string, header: SnapshotHeader): void {
    const itemId = toHex(header.itemId);
    const known = this.newest.findIndex((row) => row.itemId === itemId);
    if (known >= 0) this.newest.splice(known, 1);
    this.newest.unshift({
      id,
      vault: toHex(header.vaultId),
      deviceId: toHex(header.deviceId),
      device: `device ${itemId.slice(0, 2)}`,
      itemId,
      item: "files",
      group: header.group,
      sequence: header.sequence,
      received: "2026-01-01T00:00:00Z",
      incomplete: header.flags.incomplete,
    });
  }

  #isWhole(id: string): boolean {
    const record = this.records.get(id);
    return (
      record !== undefined && refsOf(parseRecordHeader(record).refs).every((ref) => this.#isWhole(toHex(ref)))
    );
  }

  async #store(records: readonly Uint8Array[]): Promise<RecordsAnswer> {
    await this.beforeRecords(records.length);
    const statuses = new Uint8Array(records.length);
    const missing: Buffer[] = [];
    for (const [index, record] of records.entries()) {
      const header = parseRecordHeader(record);
      const absent = refsOf(header.refs).filter((ref) => !this.records.has(toHex(ref)));
      if (absent.length > 0) {
        statuses[index] = RecordStatus.waits;
        missing.push(...absent);
        continue;
      }
      const isHere = this.records.has(toHex(header.id));
      if (isHere) this.sentTwice += 1;
      else this.records.set(toHex(header.id), Buffer.from(record));
      this.receivedRecords += 1;
      this.receivedBytes += record.length;
      statuses[index] = isHere ? RecordStatus.present : RecordStatus.stored;
    }
    return { statuses, missing };
  }
}

function refsOf(refs: Buffer): Buffer[] {
  return Array.from({ length: refs.length / 32 }, (_, index) => refs.subarray(index * 32, index * 32 + 32));
}
