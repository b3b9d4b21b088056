// Objects that arrive: in one body, or in parts that are put one behind the other, over interruptions and restarts.
//
// Invariants
// - What an upload's row counts as arrived is on disk. Bytes of its file behind that are cut off by the next part.
// - One part of an upload at a time: one that comes ends the one that is arriving, whose connection is most likely dead and does not know it. When the last byte is there the object is hashed and placed, and the upload is gone, whatever came of it.
// - A peer has a bounded number of uploads: a new one takes the place of the one that rested longest; one that rested for a day goes.

import { randomBytes } from "node:crypto";
import { rm, stat, truncate } from "node:fs/promises";
import type { Readable } from "node:stream";
import { peerLimits, type UploadAnswer, type UploadRequest } from "../../ingest/wire/peer.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { PeerRow, PeerUpload } from "../catalog/peers.ts";
import { rootKey } from "../replica/keys.ts";
import { errnoOf, fileError } from "../store/files.ts";
import { hashFile, takeBody } from "./incoming.ts";
import { type KeyForm, readKey } from "./keyForm.ts";
import type { PeerFolder } from "./peerFolder.ts";
import type { PeerRoom } from "./room.ts";

/** An object as a request declares it. */
export type DeclaredObject = {
  readonly key: string;
  readonly bytes: number;
  /** Hex. */
  readonly sha256: string;
  readonly heal: boolean;
};

export class PeerUploads {
  readonly #folder: PeerFolder;
  readonly #room: PeerRoom;
  /** Uploads whose part is arriving, or whose object is being placed. `over` resolves when that has ended. */
  readonly #running = new Map<string, { readonly body: Readable; readonly over: Promise<void> }>();

  constructor(folder: PeerFolder, room: PeerRoom) {
    this.#folder = folder;
    this.#room = room;
  }

  /**
   * Takes an object in one body.
   * @throws HoldfastError usage, exists, replica-full, truncated, corrupt when its bytes are not those of its hash, disk-full, io-error
   */
  async put(peer: PeerRow, object: DeclaredObject, body: Readable): Promise<void> {
    await this.#checkNew(object);
    await this.#room.during(peer, this.#folder.path, object.bytes, async () => {
      const path = this.#folder.incomingPath();
      try {
        const { failure } = await takeBody(path, body, { offset: 0, bytesMax: object.bytes });
        if (failure !== undefined) throw cutShort(failure);
        await this.#finish(path, object);
      } finally {
        await rm(path, { force: true });
      }
    });
  }

  /**
   * Begins an upload, or finds the one of the same object that is under way.
   * @throws HoldfastError usage, exists, replica-full, io-error
   */
  async start(peer: PeerRow, request: UploadRequest): Promise<UploadAnswer> {
    const object: DeclaredObject = { ...request, heal: request.heal === true };
    await this.#checkNew(object);
    const { rows, id } = this.#folder;
    await this.#expire();
    for (const [upload, row] of rows.uploads(id)) {
      const { key, bytes, sha256, heal } = object;
      if (row.key === key && row.bytes === bytes && row.sha256 === sha256 && row.heal === heal) {
        return { upload, offset: row.offset, done: false };
      }
    }
    await this.#makePlace();
    await this.#room.checkDisk(this.#folder.path, object.bytes);
    // Nothing is awaited between this and the row that counts.
    this.#room.checkQuota(peer, object.bytes);
    const upload = toHex(randomBytes(16));
    const { key, bytes, sha256, heal } = object;
    rows.putUpload(id, upload, { key, bytes, sha256, heal, offset: 0, touchedMs: this.#nowMs() });
    return { upload, offset: 0, done: false };
  }

  /** How far an upload is. @throws HoldfastError not-found */
  state(upload: string): UploadAnswer {
    return { upload, offset: this.#row(upload).offset, done: false };
  }

  /**
   * Takes the next part, which begins at `offset`; with the last one the object is placed.
   * @throws HoldfastError not-found, sequence-conflict with the right offset, limit-exceeded, truncated, corrupt, exists, disk-full, io-error
   */
  async part(upload: string, offset: number, length: number, body: Readable): Promise<UploadAnswer> {
    await this.#endRunning(upload);
    const row = this.#row(upload);
    if (offset !== row.offset) {
      throw new HoldfastError(ErrorCode.sequenceConflict, `the upload goes on at ${row.offset}`, {
        detail: { offset: row.offset },
      });
    }
    if (offset + length > row.bytes) {
      throw new HoldfastError(ErrorCode.limitExceeded, "the part goes beyond the declared size");
    }
    const { promise: over, resolve } = Promise.withResolvers<void>();
    this.#running.set(upload, { body, over });
    try {
      return await this.#takePart(upload, row, body);
    } finally {
      this.#running.delete(upload);
      resolve();
    }
  }

  /** Ends what is arriving for an upload; what came of it counts. One whose bytes are all there is waited for. */
  async #endRunning(upload: string): Promise<void> {
    for (;;) {
      const running = this.#running.get(upload);
      if (running === undefined) return;
      running.body.destroy();
      await running.over;
    }
  }

  async #takePart(upload: string, row: PeerUpload, body: Readable): Promise<UploadAnswer> {
    const { rows, id } = this.#folder;
    const path = this.#folder.incomingPath(upload);
    if (!(await cutTo(path, row.offset))) {
      await this.#drop(upload);
      throw new HoldfastError(ErrorCode.notFound, "what had arrived of this upload is gone");
    }
    const place = { offset: row.offset, bytesMax: row.bytes - row.offset };
    const { bytes, failure } = await takeBody(path, body, place).catch(async (error: unknown) => {
      // What a full disk took of the part goes, so that others may finish.
      await cutTo(path, row.offset).catch(() => false);
      throw error;
    });
    const offset = row.offset + bytes;
    if (offset < row.bytes || failure !== undefined) {
      rows.putUpload(id, upload, { ...row, offset, touchedMs: this.#nowMs() });
      if (failure !== undefined) throw cutShort(failure);
      return { upload, offset, done: false };
    }
    try {
      await this.#finish(path, row);
    } finally {
      rows.removeUpload(id, upload);
    }
    return { upload, offset, done: true };
  }

  /** Forgets an upload. @throws HoldfastError not-found */
  async abort(upload: string): Promise<void> {
    await this.#endRunning(upload);
    this.#row(upload);
    await this.#drop(upload);
  }

  /** @throws HoldfastError usage, exists, limit-exceeded, corrupt, forbidden, sequence-conflict */
  async #checkNew({ key, bytes, sha256, heal }: DeclaredObject): Promise<void> {
    const form = readKey(key);
    if (bytes > peerLimits.objectBytesMax) {
      throw new HoldfastError(
        ErrorCode.limitExceeded,
        `objects have at most ${peerLimits.objectBytesMax} bytes`,
      );
    }
    if (form.sha256 === undefined && heal) {
      throw new HoldfastError(ErrorCode.forbidden, "only what is named by its hash can be healed");
    }
    if ((form.sha256 ?? sha256) !== sha256) {
      throw new HoldfastError(ErrorCode.corrupt, "the key names other bytes than are declared");
    }
    if (!heal && (await this.#folder.find(key)) !== undefined) throw isThere();
    await this.#checkOrder(form);
  }

  /**
   * Roots come one after the other: one behind a gap is none that its owner would find, and could go unnoticed until the hold time is over.
   */
  async #checkOrder({ folder, generation = 1 }: KeyForm): Promise<void> {
    if (folder === undefined || generation === 1) return;
    if ((await this.#folder.find(rootKey(folder, generation - 1))) !== undefined) return;
    throw new HoldfastError(ErrorCode.sequenceConflict, "the root before this one is not here");
  }

  /** Hashes what arrived and gives it its name. */
  async #finish(path: string, object: DeclaredObject): Promise<void> {
    const { key, bytes, sha256, heal } = object;
    const found = await hashFile(path);
    if (found.bytes !== bytes || found.sha256 !== sha256) {
      await rm(path, { force: true });
      throw new HoldfastError(ErrorCode.corrupt, "what arrived is not what was declared: another hash");
    }
    if ((await this.#folder.place(path, key, { bytes, sha256, heal })) === "exists" && !heal) throw isThere();
  }

  #row(upload: string): PeerUpload {
    const row = this.#folder.rows.upload(this.#folder.id, upload);
    if (row === undefined) throw new HoldfastError(ErrorCode.notFound, "there is no such upload");
    return row;
  }

  async #expire(): Promise<void> {
    const before = this.#nowMs() - peerLimits.uploadKeptMs;
    for (const [upload, { touchedMs }] of this.#folder.rows.uploads(this.#folder.id)) {
      if (touchedMs < before && !this.#running.has(upload)) await this.#drop(upload);
    }
  }

  async #makePlace(): Promise<void> {
    const uploads = [...this.#folder.rows.uploads(this.#folder.id)];
    if (uploads.length < peerLimits.uploadsPerPeer) return;
    const resting = uploads.filter(([upload]) => !this.#running.has(upload));
    const [oldest] = resting.sort(([, a], [, b]) => a.touchedMs - b.touchedMs);
    if (oldest === undefined) throw new HoldfastError(ErrorCode.busy, "enough uploads at a time");
    await this.#drop(oldest[0]);
  }

  async #drop(upload: string): Promise<void> {
    this.#folder.rows.removeUpload(this.#folder.id, upload);
    await rm(this.#folder.incomingPath(upload), { force: true });
  }

  #nowMs(): number {
    return this.#folder.now().getTime();
  }
}

function isThere(): HoldfastError {
  return new HoldfastError(ErrorCode.exists, "there is an object with this key");
}

function cutShort(cause: unknown): HoldfastError {
  return new HoldfastError(ErrorCode.truncated, "the connection broke within the body", { cause });
}

/** Makes a file as long as its upload's row says; false where bytes that were on disk are gone. */
async function cutTo(path: string, bytes: number): Promise<boolean> {
  try {
    if ((await stat(path)).size < bytes) return false;
    await truncate(path, bytes);
    return true;
  } catch (error) {
    if (errnoOf(error) === "ENOENT") return bytes === 0;
    throw fileError(error, path);
  }
}
