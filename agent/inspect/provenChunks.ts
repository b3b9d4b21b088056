// What a check of content has read and proven so far, so that a check that was stopped goes on instead of beginning anew.
//
// The file: one line of JSON, padded with spaces to 512 bytes, then 8 bytes for each proven chunk: the beginning of its id.
// Invariants
// - A chunk is noted only after it was read and proven. What was found wrong is never noted: the next run finds it again.
// - It is there only between a check that was stopped and the one that finishes it. It counts for a day and for the same share;
//   which chunks belong to the share is decided by its seed, so that every part of a check draws from the same lot.
// - It is a help: where it cannot be read or written, or another check has it, a check works without.

import { createHash, randomBytes } from "node:crypto";
import { closeSync, fstatSync, ftruncateSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { isHoldfastError } from "../../vault/errors.ts";
import { asInteger, asObject, asText, parseJson } from "../../vault/jsonFields.ts";
import { canLockFiles, lockFile } from "../platform/fileLock.ts";
import { IdSet } from "./idSet.ts";

const headBytes = 512;
const tagBytes = 8;
/** 64 MiB of file; chunks beyond are proven again after a stop. */
const chunksMax = 8 * 1024 * 1024;
const ageMsMax = 24 * 3600 * 1000;

type Head = {
  /** Whose chunks they are, see open(). */
  readonly origin: string;
  /** What `--read-data` said. */
  readonly share: string;
  /** Decides which chunks belong to the share, 32 hex digits. */
  readonly seed: string;
  readonly startedMs: number;
};

export class ProvenChunks {
  readonly #path: string;
  readonly #head: Head;
  readonly #ids = new IdSet();
  #fd: number | undefined;

  private constructor(path: string, fd: number | undefined, head: Head, tags: Buffer) {
    this.#path = path;
    this.#fd = fd;
    this.#head = head;
    for (let at = 0; at + tagBytes <= tags.length; at += tagBytes) {
      this.#ids.add(tags.subarray(at, at + tagBytes));
    }
    this.resumed = this.#ids.size;
  }

  /** Chunks that an earlier part of this check has proven. */
  readonly resumed: number;

  /**
   * Goes on with the check that was stopped in this state directory, if it was of the same share and origin and today's; else
   * begins one. `origin` tells one vault on one gateway from all others: what another one's disk held proves nothing.
   */
  static open(state: string, origin: string, share: string, nowMs: number): ProvenChunks {
    const path = join(state, "check.partial");
    const fresh = freshHead(origin, share, nowMs);
    const none = Buffer.alloc(0);
    let fd: number | undefined;
    try {
      fd = openSync(path, "a+", 0o600);
      // Without a link it is that of a check that has just ended.
      if (!canLockFiles() || !lockFile(fd) || fstatSync(fd).nlink === 0) {
        closeSync(fd);
        return new ProvenChunks(path, undefined, fresh, none);
      }
      const bytes = readFileSync(fd);
      const head = parseHead(bytes);
      const age = head === undefined ? -1 : nowMs - head.startedMs;
      if (head?.origin === origin && head.share === share && age >= 0 && age < ageMsMax) {
        // Bytes of a tag that was cut off would shift all that follow.
        ftruncateSync(fd, bytes.length - ((bytes.length - headBytes) % tagBytes));
        return new ProvenChunks(path, fd, head, bytes.subarray(headBytes));
      }
      ftruncateSync(fd, 0);
      writeSync(fd, JSON.stringify(fresh).padEnd(headBytes));
      return new ProvenChunks(path, fd, fresh, none);
    } catch {
      if (fd !== undefined) closeSync(fd);
      return new ProvenChunks(path, undefined, fresh, none);
    }
  }

  /** For a check that is not to be continued. */
  static unkept(nowMs: number): ProvenChunks {
    return new ProvenChunks("", undefined, freshHead("", "", nowMs), Buffer.alloc(0));
  }

  /** When the first part of this check began, ms since 1970. */
  get startedMs(): number {
    return this.#head.startedMs;
  }

  /** Whether a chunk belongs to the share (0 to 1) that is to be read. */
  isDrawn(id: Uint8Array, share: number): boolean {
    const hash = createHash("sha256").update(this.#head.seed).update(id).digest();
    return hash.readUIntBE(0, 6) / 2 ** 48 < share;
  }

  has(id: Uint8Array): boolean {
    return this.#ids.has(id);
  }

  /** Notes chunks that were read and proven. */
  add(ids: readonly Uint8Array[]): void {
    const fresh = ids.filter((id) => this.#ids.size < chunksMax && this.#ids.add(id));
    if (this.#fd === undefined || fresh.length === 0) return;
    try {
      writeSync(this.#fd, Buffer.concat(fresh.map((id) => id.subarray(0, tagBytes))));
    } catch {
      this.close();
    }
  }

  /** The check is done: the next one begins anew. */
  finish(): void {
    if (this.#fd !== undefined) rmSync(this.#path, { force: true });
    this.close();
  }

  close(): void {
    if (this.#fd !== undefined) closeSync(this.#fd);
    this.#fd = undefined;
  }
}

function freshHead(origin: string, share: string, startedMs: number): Head {
  return { origin, share, seed: randomBytes(16).toString("hex"), startedMs };
}

function parseHead(bytes: Buffer): Head | undefined {
  if (bytes.length < headBytes) return undefined;
  try {
    const json = asObject(parseJson(bytes.toString("utf8", 0, headBytes), "check"), "check");
    return {
      origin: asText(json.origin, "origin"),
      share: asText(json.share, "share"),
      seed: asText(json.seed, "seed"),
      startedMs: asInteger(json.startedMs, "startedMs", 0),
    };
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}
