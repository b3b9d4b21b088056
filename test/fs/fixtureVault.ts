// A vault in memory for tests of readers: a description of a tree goes in, sealed records and a snapshot come out.

import { randomBytes } from "node:crypto";
import type { CatalogSnapshot, RecordResult, RecordSource, SnapshotCatalog } from "../../fs/view/ports.ts";
import { toHex } from "../../vault/bytes.ts";
import { chunkId } from "../../vault/chunkId.ts";
import { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType } from "../../vault/magic.ts";
import { sealRecord } from "../../vault/record.ts";
import { encodeSnapshot } from "../../vault/snapshot.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type EntryDraft, EntryKind, type Timestamp } from "../../vault/tree/entry.ts";
import { ExtentsWriter } from "../../vault/tree/extentsWriter.ts";
import { encodeXattrs, type Xattr } from "../../vault/tree/xattrs.ts";
import { type FileSpec, measured, type NodeSpec, type SnapshotOptions } from "./treeSpec.ts";

const pieceBytesMax = 1024 * 1024;
const bundleBytes = pieceBytesMax;
const defaultTime: Timestamp = { seconds: 1_700_000_000, nanoseconds: 123_456_789 };
const noRefs = Buffer.alloc(0);

type Written = { readonly files: number; readonly directories: number; readonly bytes: number };

/** Everything a reader needs. Records may be damaged or taken away by tests. */
export class FixtureVault implements RecordSource, SnapshotCatalog {
  readonly keys = new VaultKeys({
    vaultId: randomBytes(16),
    s: randomBytes(32),
    epochs: new Map([[1, randomBytes(32)]]),
    currentEpoch: 1,
  });
  readonly group = 7;
  readonly records = new Map<string, Buffer>();
  /** The box that a record (id in hex) comes with. */
  readonly promised = new Map<string, number>();
  readonly snapshotRows: CatalogSnapshot[] = [];
  readonly objects = new Map<string, Buffer>();
  readonly #listeners = new Set<() => void>();
  /** Ids that were read, in order. */
  readonly reads: string[] = [];
  /** Runs before every read and may wait or throw. */
  beforeRead: (ids: readonly Uint8Array[]) => Promise<void> | void = () => {};
  #inode = 1000n;
  #bundle: { parts: Buffer[]; bytes: number; waiting: ((id: Buffer, plainLength: number) => void)[] } = {
    parts: [],
    bytes: 0,
    waiting: [],
  };

  get vaultId(): string {
    return toHex(this.keys.vaultId);
  }

  async readEach(
    ...[vaultId, group, ids, take, signal]: Parameters<RecordSource["readEach"]>
  ): Promise<void> {
    const known = vaultId === this.vaultId && group === this.group;
    if (known) await this.beforeRead(ids);
    signal?.throwIfAborted();
    for (const [index, id] of ids.entries()) take(index, known ? this.#result(id) : { state: "missing" });
  }

  #result(id: Uint8Array): RecordResult {
    this.reads.push(toHex(id));
    const record = this.records.get(toHex(id));
    const box = this.promised.get(toHex(id));
    if (box !== undefined) return { state: "promised", box };
    if (record === undefined) return { state: "missing" };
    if (record.length === 0) return { state: "damaged", writer: "aa".repeat(16) };
    return { state: "record", record: Buffer.from(new Uint8Array(record).buffer) };
  }

  accounts = async (): Promise<string[]> => [...new Set(this.snapshotRows.map((row) => row.account))];

  async devices(account: string) {
    const devices = new Map<string, Set<string>>();
    for (const row of this.snapshotRows) {
      if (row.account !== account) continue;
      devices.set(row.device, (devices.get(row.device) ?? new Set()).add(row.item));
    }
    return [...devices].map(([device, items]) => ({ account, device, items: [...items] }));
  }

  async snapshots(account: string, device: string, item: string): Promise<CatalogSnapshot[]> {
    return this.snapshotRows
      .filter((row) => row.account === account && row.device === device && row.item === item)
      .toSorted((a, b) => b.sequence - a.sequence);
  }

  async object(row: CatalogSnapshot): Promise<Uint8Array> {
    return this.objects.get(row.id) as Buffer;
  }

  onChanged(listener: () => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** Seals a record and returns its id. */
  put(type: RecordType, plaintext: Uint8Array, refs: Uint8Array = noRefs): Buffer {
    const id = chunkId(this.keys.idKey(this.group), type, refs, plaintext);
    if (!this.records.has(toHex(id))) {
      const record = sealRecord({ keys: this.keys, group: this.group, type, plaintext, refs, id });
      this.records.set(toHex(id), record);
    }
    return id;
  }

  /** Writes a tree and a snapshot of it; the row is in the catalog too. */
  snapshot(root: NodeSpec, options: SnapshotOptions = {}): CatalogSnapshot {
    const { id, counts } = this.#writeDirectory(root);
    return this.commit(id, counts, options);
  }

  /** A snapshot of a root page that is there already. */
  commit(
    root: Buffer,
    counts: Written,
    {
      time = "2026-11-22T05:45:12.000Z",
      item = "files",
      device = "laptop",
      account = "anna",
      incomplete = false,
      paths = ["/"],
    }: SnapshotOptions = {},
  ): CatalogSnapshot {
    const sequence = (this.snapshotRows.at(-1)?.sequence ?? 0) + 1;
    const { id, bytes } = encodeSnapshot({
      keys: this.keys,
      header: {
        flags: { incomplete },
        group: this.group,
        deviceId: Buffer.alloc(16, 1),
        itemId: Buffer.alloc(16, 2),
        sequence,
        previous: Buffer.alloc(32),
        root,
      },
      body: {
        time,
        device,
        item,
        host: device,
        paths,
        files: counts.files,
        dirs: counts.directories,
        others: 0,
        bytes: counts.bytes,
        warnings: 0,
        agent: "test",
        chunker: "fastcdc-1",
        features: { read: [] },
      },
    });
    const received = new Date(Date.parse(time) + 1500).toISOString();
    const row = {
      id: toHex(id),
      vault: this.vaultId,
      account,
      device,
      item,
      group: this.group,
      sequence,
      received,
      incomplete,
    };
    this.snapshotRows.push(row);
    this.objects.set(row.id, bytes);
    for (const listener of this.#listeners) listener();
    return row;
  }

  /** Takes a snapshot out of the catalog; its records stay. */
  drop(id: string): void {
    const at = this.snapshotRows.findIndex((row) => row.id === id);
    this.snapshotRows.splice(at, 1);
    this.objects.delete(id);
    for (const listener of this.#listeners) listener();
  }

  #writeDirectory(spec: NodeSpec): { id: Buffer; plainLength: number; counts: Written } {
    if (spec.kind !== "directory") throw new Error("not a directory");
    const writer = new DirectoryWriter(this.keys.splitTable(this.group), (plaintext, refs) =>
      this.put(RecordType.directory, plaintext, refs),
    );
    const counts = { files: 0, directories: 0, bytes: 0 };
    const rows = [...spec.rows].map(([name, child]) => [Buffer.from(name as string), child] as const);
    rows.sort(([a], [b]) => Buffer.compare(a, b));
    const makers = rows.map(([name, child]) => this.#prepare(name, child));
    this.#endBundle();
    for (const make of makers) {
      const draft = make();
      if (draft.child === undefined) {
        counts.files += 1;
        counts.bytes += draft.size ?? 0;
      } else {
        counts.files += draft.child.files;
        counts.directories += draft.child.directories + 1;
        counts.bytes += draft.child.bytes;
      }
      writer.add(draft);
    }
    return { ...writer.finish(), counts };
  }

  #prepare(name: Buffer, spec: NodeSpec): () => EntryDraft {
    const common = {
      name,
      mode: spec.mode ?? (spec.kind === "directory" ? 0o755 : 0o644),
      uid: spec.uid ?? process.getuid?.() ?? 0,
      gid: spec.gid ?? process.getgid?.() ?? 0,
      userName: spec.userName ?? "",
      groupName: spec.groupName ?? "",
      mtime: spec.mtime ?? defaultTime,
      ctime: defaultTime,
      btime: { seconds: 0, nanoseconds: 0 },
      device: 1n,
      inode: spec.inode ?? this.#inode++,
      linkCount: spec.linkCount ?? 1,
      xattrs: this.#xattrs(spec.xattrs ?? []),
    };
    switch (spec.kind) {
      case "file":
        return this.#prepareFile(common, spec);
      case "directory": {
        // Bundles end at directories, so that equal directories have equal pages.
        this.#endBundle();
        const { id, plainLength, counts } = this.#writeDirectory(spec);
        return () => ({ ...common, kind: EntryKind.directory, child: { id, plainLength, ...counts } });
      }
      case "symlink":
        return () => ({ ...common, kind: EntryKind.symlink, target: Buffer.from(spec.target as string) });
      case "characterDevice":
      case "blockDevice":
        return () => ({ ...common, kind: EntryKind[spec.kind], major: spec.major, minor: spec.minor });
      case "fifo":
      case "socket":
        return () => ({ ...common, kind: EntryKind[spec.kind] });
    }
  }

  #prepareFile(common: Omit<EntryDraft, "kind">, spec: FileSpec): () => EntryDraft {
    const { size, hash } = measured(spec.pieces, this.keys.fileHashKey);
    if (hash === undefined) return () => ({ ...common, kind: EntryKind.file, size });
    const fileHash = spec.hash ?? hash;
    const [only] = spec.pieces;
    if (spec.pieces.length === 1 && only instanceof Uint8Array && only.length <= 256 * 1024) {
      if (this.#bundle.bytes + only.length > bundleBytes) this.#endBundle();
      const offset = this.#bundle.bytes;
      let ref: { id: Buffer; plainLength: number } | undefined;
      this.#bundle.parts.push(Buffer.from(only));
      this.#bundle.bytes += only.length;
      this.#bundle.waiting.push((id, plainLength) => {
        ref = { id, plainLength };
      });
      return () => ({
        ...common,
        kind: EntryKind.file,
        size,
        fileHash,
        content: {
          form: "inline",
          extents: [{ length: size, hole: false, offset, ...(ref as { id: Buffer; plainLength: number }) }],
        },
      });
    }
    const extents = new ExtentsWriter((plaintext, refs) => this.put(RecordType.extents, plaintext, refs));
    for (const piece of spec.pieces) {
      if (typeof piece === "number") extents.add({ length: piece, hole: true });
      else {
        for (let at = 0; at < piece.length; at += pieceBytesMax) {
          const chunk = piece.subarray(at, at + pieceBytesMax);
          const id = this.put(RecordType.data, chunk);
          extents.add({ length: chunk.length, hole: false, id, plainLength: chunk.length, offset: 0 });
        }
      }
    }
    const { length: _, ...content } = extents.finish();
    return () => ({ ...common, kind: EntryKind.file, size, fileHash, content });
  }

  #endBundle(): void {
    const { parts, bytes, waiting } = this.#bundle;
    this.#bundle = { parts: [], bytes: 0, waiting: [] };
    if (bytes === 0) return;
    const id = this.put(RecordType.data, Buffer.concat(parts));
    for (const tell of waiting) tell(id, bytes);
  }

  #xattrs(list: readonly Xattr[]): EntryDraft["xattrs"] {
    if (list.length === 0) return { form: "none" };
    const encoded = encodeXattrs(list);
    if (encoded.length <= 1024) return { form: "inline", list };
    return { form: "record", id: this.put(RecordType.xattrs, encoded), plainLength: encoded.length };
  }
}
