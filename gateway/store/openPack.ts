// A pack that is still written to.
//
// Invariants
// - Bytes 0..durableBytes of the file are on disk, and `rows` and the running hash cover exactly them.
// - Planned records are invisible until `accept`; `rollBack` forgets them and cuts the file to durableBytes.
// - One group commit at a time plans, writes and accepts (the PackStore sees to it).

import { createHash, type Hash, hash } from "node:crypto";
import { constants } from "node:fs";
import { type PackKind, Width } from "../../vault/magic.ts";
import { encodeFrame } from "../../vault/pack/frame.ts";
import { encodePackHeader } from "../../vault/pack/packHeader.ts";
import type { TrailerRow } from "../../vault/pack/trailer.ts";
import { fdatasync, ftruncate, openDescriptor, writeFully } from "./files.ts";
import { PackRows } from "./packRows.ts";
import type { RecordToStore } from "./recordToStore.ts";

export class OpenPack {
  readonly ordinal: number;
  readonly kind: PackKind;
  readonly nonce: Buffer;
  readonly path: string;
  readonly fd: number;
  /** Rows of durable records, in pack order. */
  readonly rows = new PackRows();
  durableBytes: number;
  /** SHA-256 state over bytes 0..durableBytes. */
  #hash: Hash;
  #plannedRows: TrailerRow[] = [];
  #plannedBuffers: Buffer[] = [];
  #plannedBytes: number;
  #hashOfPlanned: Hash | undefined;

  constructor(state: {
    ordinal: number;
    kind: PackKind;
    nonce: Buffer;
    path: string;
    fd: number;
    rows: Iterable<TrailerRow>;
    durableBytes: number;
    hash: Hash;
  }) {
    this.ordinal = state.ordinal;
    this.kind = state.kind;
    this.nonce = state.nonce;
    this.path = state.path;
    this.fd = state.fd;
    for (const row of state.rows) this.rows.push(row);
    this.durableBytes = state.durableBytes;
    this.#hash = state.hash;
    this.#plannedBytes = state.durableBytes;
  }

  /** Creates the file; its header is planned, so it becomes durable with the first records. */
  static async create(path: string, ordinal: number, kind: PackKind, nonce: Buffer): Promise<OpenPack> {
    const fd = await openDescriptor(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    const pack = new OpenPack({
      ordinal,
      kind,
      nonce,
      path,
      fd,
      rows: [],
      durableBytes: 0,
      hash: createHash("sha256"),
    });
    const header = encodePackHeader({ kind, nonce });
    pack.#plannedBuffers.push(header);
    pack.#plannedBytes = header.length;
    return pack;
  }

  /** Bytes of the file once what is planned is written. */
  get plannedBytes(): number {
    return this.#plannedBytes;
  }

  /** Rows once what is planned is written. */
  get plannedRows(): number {
    return this.rows.length + this.#plannedRows.length;
  }

  /** Plans a record behind the planned ones and returns its offset. The bytes must stay until accept or rollBack. */
  plan(item: RecordToStore): number {
    const { record } = item;
    const hash16 = hash("sha256", record, "buffer").subarray(0, Width.recordHash);
    const offset = this.#plannedBytes + Width.frame;
    this.#plannedBuffers.push(
      encodeFrame({
        nonce: this.nonce,
        recordLength: record.length,
        group: item.group,
        writer: item.writer,
        recordHash: hash16,
      }),
      record,
    );
    this.#plannedRows.push({
      id: Buffer.from(item.id),
      offset,
      length: record.length,
      group: item.group,
      writer: item.writer,
      type: item.type,
      hash16,
    });
    this.#plannedBytes = offset + record.length;
    return offset;
  }

  /** Writes what is planned; not yet durable. Throws the system's error. */
  async write(): Promise<void> {
    await writeFully(this.fd, this.#plannedBuffers, this.durableBytes);
  }

  /** Makes what was written durable; hashes it meanwhile. Throws the system's error. */
  async sync(): Promise<void> {
    const synced = fdatasync(this.fd);
    // Hashing may not throw away a rejection that comes meanwhile.
    synced.catch(() => {});
    const copy = this.#hash.copy();
    for (const bytes of this.#plannedBuffers) copy.update(bytes);
    this.#hashOfPlanned = copy;
    await synced;
  }

  /** What was planned, written and synced counts from now on. */
  accept(): void {
    if (this.#hashOfPlanned === undefined) throw new Error("OpenPack.accept before sync");
    this.#hash = this.#hashOfPlanned;
    this.durableBytes = this.#plannedBytes;
    for (const row of this.#plannedRows) this.rows.push(row);
    this.#forgetPlan();
  }

  /** Forgets what was planned and cuts what was written of it. */
  async rollBack(): Promise<void> {
    const started = this.durableBytes > 0;
    this.#forgetPlan();
    await ftruncate(this.fd, this.durableBytes);
    if (started) return;
    const header = encodePackHeader({ kind: this.kind, nonce: this.nonce });
    this.#plannedBuffers.push(header);
    this.#plannedBytes = header.length;
  }

  #forgetPlan(): void {
    this.#plannedRows = [];
    this.#plannedBuffers = [];
    this.#plannedBytes = this.durableBytes;
    this.#hashOfPlanned = undefined;
  }

  /** SHA-256 of the durable bytes followed by `tail`. */
  hashWith(tail: Uint8Array): Buffer {
    return this.#hash.copy().update(tail).digest();
  }
}
