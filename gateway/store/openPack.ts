// A pack that is still written to.
//
// Invariants
// - Bytes 0..durableBytes of the file are on disk, and `rows` and the running hash cover exactly them.
// - Planned records are invisible until `accept`; `rollBack` forgets them and cuts the file to durableBytes.
// - One group commit at a time plans, writes and accepts (the PackStore sees to it).

import { constants } from "node:fs";
import { asBuffer } from "../../vault/bytes.ts";
import { limits } from "../../vault/limits.ts";
import { type PackKind, Width } from "../../vault/magic.ts";
import { encodeFrame } from "../../vault/pack/frame.ts";
import { encodePackHeader } from "../../vault/pack/packHeader.ts";
import type { TrailerRow } from "../../vault/pack/trailer.ts";
import type { RunningSha256, Sha256Engine } from "../../vault/sha256.ts";
import { fdatasync, ftruncate, openDescriptor, writeFully } from "./files.ts";
import { PackRows } from "./packRows.ts";
import type { RecordToStore } from "./recordToStore.ts";

/** Shorter records are hashed alone, and again with the pack when it is synced: that costs less than to begin three pairs for each. */
const besideBytesMin = 16 * 2 ** 10;

export class OpenPack {
  readonly ordinal: number;
  readonly kind: PackKind;
  readonly nonce: Buffer;
  readonly path: string;
  readonly fd: number;
  /** Rows of durable records, in pack order. */
  readonly rows = new PackRows();
  durableBytes: number;
  readonly #sha256: Sha256Engine;
  /** SHA-256 state over bytes 0..durableBytes. */
  #hash: RunningSha256;
  #plannedRows: TrailerRow[] = [];
  #plannedBuffers: Buffer[] = [];
  #plannedBytes: number;
  /** The same of what is planned too, but for the pieces in `#unhashed`, which follow in their order. */
  #hashOfPlanned: RunningSha256 | undefined;
  #unhashed: Uint8Array[] = [];
  #synced = false;

  constructor(state: {
    ordinal: number;
    kind: PackKind;
    nonce: Buffer;
    path: string;
    fd: number;
    rows: Iterable<TrailerRow>;
    durableBytes: number;
    sha256: Sha256Engine;
    hash: RunningSha256;
  }) {
    this.ordinal = state.ordinal;
    this.kind = state.kind;
    this.nonce = state.nonce;
    this.path = state.path;
    this.fd = state.fd;
    for (const row of state.rows) this.rows.push(row);
    this.durableBytes = state.durableBytes;
    this.#sha256 = state.sha256;
    this.#hash = state.hash;
    this.#plannedBytes = state.durableBytes;
  }

  /** Creates the file; its header is planned, so it becomes durable with the first records. */
  static async create(
    path: string,
    {
      ordinal,
      kind,
      nonce,
      sha256,
    }: { ordinal: number; kind: PackKind; nonce: Buffer; sha256: Sha256Engine },
  ): Promise<OpenPack> {
    const fd = await openDescriptor(path, constants.O_RDWR | constants.O_CREAT | constants.O_EXCL, 0o600);
    const pack = new OpenPack({
      ordinal,
      kind,
      nonce,
      path,
      fd,
      rows: [],
      durableBytes: 0,
      sha256,
      hash: sha256.start(),
    });
    pack.#planHeader();
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

  /** Whether it gets no more records. */
  isFull(bytesTarget: number = limits.packBytesTarget): boolean {
    return this.#plannedBytes >= bytesTarget || this.plannedRows >= limits.packRecordsMax;
  }

  /** Plans a record behind the planned ones and returns its offset. The bytes must stay until accept or rollBack. */
  plan(item: RecordToStore): number {
    const { record } = item;
    const hash16 = item.hash16 ?? this.#hashOf(record).subarray(0, Width.recordHash);
    const offset = this.#plannedBytes + Width.frame;
    const frame = encodeFrame({
      nonce: this.nonce,
      recordLength: record.length,
      group: item.group,
      writer: item.writer,
      recordHash: hash16,
    });
    this.#plannedBuffers.push(frame, record);
    this.#unhashed.push(frame, record);
    this.#plannedRows.push({
      id: asBuffer(item.id),
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

  /**
   * SHA-256 of a record. Beside that of a large one, as many bytes of what was planned before go into the pack's hash: a frame holds its
   * record's hash and stands before it, so the pack's lags one record behind.
   */
  #hashOf(record: Buffer): Buffer {
    const own = this.#sha256.start();
    const running = this.#running();
    let at = 0;
    while (record.length >= besideBytesMin && at < record.length && this.#unhashed.length > 0) {
      const piece = this.#unhashed[0] as Uint8Array;
      const bytes = Math.min(piece.length, record.length - at);
      this.#sha256.both(own, record.subarray(at, at + bytes), running, piece.subarray(0, bytes));
      at += bytes;
      if (bytes === piece.length) this.#unhashed.shift();
      else this.#unhashed[0] = piece.subarray(bytes);
    }
    if (at < record.length) own.update(at === 0 ? record : record.subarray(at));
    return own.digest();
  }

  #running(): RunningSha256 {
    this.#hashOfPlanned ??= this.#hash.copy();
    return this.#hashOfPlanned;
  }

  /** Writes what is planned; not yet durable. Throws the system's error. */
  async write(): Promise<void> {
    await writeFully(this.fd, this.#plannedBuffers, this.durableBytes);
  }

  /** Makes what was written durable; hashes the rest of it meanwhile. Throws the system's error. */
  async sync(): Promise<void> {
    const synced = fdatasync(this.fd);
    // Hashing may not throw away a rejection that comes meanwhile.
    synced.catch(() => {});
    const running = this.#running();
    for (const piece of this.#unhashed.splice(0)) running.update(piece);
    await synced;
    this.#synced = true;
  }

  /** What was planned, written and synced counts from now on. */
  accept(): void {
    if (!this.#synced || this.#unhashed.length > 0) throw new Error("OpenPack.accept before sync");
    this.#hash = this.#running();
    this.durableBytes = this.#plannedBytes;
    for (const row of this.#plannedRows) this.rows.push(row);
    this.#forgetPlan();
  }

  /** Forgets what was planned and cuts what was written of it. */
  async rollBack(): Promise<void> {
    const started = this.durableBytes > 0;
    this.#forgetPlan();
    await ftruncate(this.fd, this.durableBytes);
    if (!started) this.#planHeader();
  }

  #planHeader(): void {
    const header = encodePackHeader({ kind: this.kind, nonce: this.nonce });
    this.#plannedBuffers.push(header);
    this.#unhashed.push(header);
    this.#plannedBytes = header.length;
  }

  #forgetPlan(): void {
    this.#plannedRows = [];
    this.#plannedBuffers = [];
    this.#plannedBytes = this.durableBytes;
    this.#hashOfPlanned = undefined;
    this.#unhashed = [];
    this.#synced = false;
  }

  /** SHA-256 of the durable bytes followed by `tail`. */
  hashWith(tail: Uint8Array): Buffer {
    const whole = this.#hash.copy();
    whole.update(tail);
    return whole.digest();
  }
}
