// `agent check`: is everything that snapshots reach at the gateway, and is it what its ids say?
//
// Every page of the trees is read and proven with this machine's keys; of file content the gateway is asked whether it is
// there, and a random share is read and proven too. The gateway stays locked. Memory: 11 to 21 bytes per page and chunk.

import type { RecordSource } from "../../fs/view/ports.ts";
import { openResult } from "../../fs/view/recordOpener.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { pathToText } from "../../vault/pathText.ts";
import { IdSet } from "./idSet.ts";
import { pathBytes, type TreePath, walkPages } from "./pageWalk.ts";
import type { SnapshotTree } from "./snapshotTree.ts";

const readIdsMax = 32;
const readBytesMax = 16 * 1024 * 1024;
const hurtFilesMax = 10_000;

/** What a check asks of the gateway besides records. */
export interface CheckPort {
  /** Bit i of the answer: id i is there. At most 16,384 ids. */
  exists(vaultId: string, group: number, ids: readonly Uint8Array[], signal?: AbortSignal): Promise<Buffer>;
  /** These records are not what their ids say. At most 1,024 ids. */
  suspect(vaultId: string, group: number, ids: readonly Uint8Array[]): Promise<void>;
}

/** See ProvenChunks. */
export interface Proven {
  isDrawn(id: Uint8Array, share: number): boolean;
  has(id: Uint8Array): boolean;
  add(ids: readonly Uint8Array[]): void;
}

export type CheckProblem = {
  readonly kind: "page" | "data";
  /** Chunk id, hex. */
  readonly chunk: string;
  readonly code: ErrorCode;
  readonly message: string;
  /** Paths of files and directories that it hurts, with the snapshot in which each was found first. */
  readonly hurts: readonly { readonly snapshot: string; readonly path: string }[];
};

export type CheckResult = {
  readonly snapshots: number;
  readonly pages: number;
  readonly chunks: number;
  readonly readChunks: number;
  readonly readBytes: number;
  readonly problems: readonly CheckProblem[];
};

export type CheckProgress = {
  readonly phase: "trees" | "files hurt";
  readonly filesDone: number;
  readonly filesTotal: number;
  readonly bytesDone: number;
  readonly bytesTotal: number;
};

export type CheckOptions = {
  readonly source: RecordSource;
  readonly port: CheckPort;
  /** Opened snapshots with their ids (hex). */
  readonly snapshots: readonly { readonly id: string; readonly opened: SnapshotTree }[];
  /** Share of the data chunks to read, 0 to 1. */
  readonly readShare: number;
  /** Which chunks belong to that share, and which of them were proven before the check was stopped. */
  readonly proven: Proven;
  /** Counts pages as files, and bytes that were read and proven. */
  readonly onProgress?: (progress: CheckProgress) => void;
  readonly signal?: AbortSignal;
};

type Target = { readonly opened: SnapshotTree; readonly vaultId: string };
type Asked = { readonly id: Buffer; readonly bytes: number; readonly target: Target };
type Bad = {
  kind: "page" | "data";
  code: ErrorCode;
  message: string;
  target: Target;
  hurts: CheckProblem["hurts"][number][];
};

class Check {
  readonly #options: CheckOptions;
  // Ids of one group are never those of another: one set serves all.
  readonly #seenPages = new IdSet();
  readonly #seenData = new IdSet();
  readonly #bad = new Map<string, Bad>();
  #asked: Asked[] = [];
  #toRead: Asked[] = [];
  #toReadBytes = 0;
  #pages = 0;
  #readChunks = 0;
  #readBytes = 0;

  constructor(options: CheckOptions) {
    this.#options = options;
  }

  async run(): Promise<CheckResult> {
    const { snapshots } = this.#options;
    for (const { id, opened } of snapshots) await this.#walk(id, opened);
    await this.#flush();
    if ([...this.#bad.values()].some(({ kind }) => kind === "data")) await this.#findHurt();
    await this.#report();
    const problems = [...this.#bad].map(([chunk, { kind, code, message, hurts }]) => ({
      kind,
      chunk: Buffer.from(chunk, "latin1").toString("hex"),
      code,
      message,
      hurts,
    }));
    return {
      snapshots: snapshots.length,
      pages: this.#pages,
      chunks: this.#seenData.size,
      readChunks: this.#readChunks,
      readBytes: this.#readBytes,
      problems,
    };
  }

  async #walk(snapshot: string, opened: SnapshotTree): Promise<void> {
    const target = { opened, vaultId: toHex(opened.header.vaultId) };
    await walkPages(opened.header.root, {
      opener: opened.tree.opener,
      seen: this.#seenPages,
      signal: this.#options.signal,
      onData: async (id, bytes) => {
        if (!this.#seenData.add(id)) return;
        this.#asked.push({ id, bytes, target });
        if (this.#asked.length >= wireLimits.idsPerHave) await this.#flush();
      },
      onBadPage: (id, path, error) => {
        const hurts = [{ snapshot, path: pathToText(pathBytes(path)) }];
        const { code, message } = error;
        this.#bad.set(id.toString("latin1"), { kind: "page", code, message, target, hurts });
      },
      onPages: (count) => {
        this.#pages += count;
        this.#progress("trees");
      },
    });
    // The next snapshot may be of another vault or group.
    await this.#flush();
  }

  /** Asks whether the chunks are there, and reads the share of them that is to be proven. */
  async #flush(): Promise<void> {
    const { port, readShare, proven, signal } = this.#options;
    const asked = this.#asked;
    this.#asked = [];
    const first = asked[0];
    if (first !== undefined) {
      const { vaultId, opened } = first.target;
      const ids = asked.map(({ id }) => id);
      const there = await port.exists(vaultId, opened.header.group, ids, signal);
      for (const [index, chunk] of asked.entries()) {
        if (!bitAt(there, index)) {
          this.#addBad(chunk, ErrorCode.chunkMissing, "the gateway does not have it");
        } else if (readShare > 0 && proven.isDrawn(chunk.id, readShare) && !proven.has(chunk.id)) {
          this.#toRead.push(chunk);
          this.#toReadBytes += chunk.bytes;
          if (this.#toRead.length >= readIdsMax || this.#toReadBytes >= readBytesMax) await this.#read();
        }
      }
    }
    await this.#read();
  }

  async #read(): Promise<void> {
    const some = this.#toRead;
    const first = some[0];
    this.#toRead = [];
    this.#toReadBytes = 0;
    if (first === undefined) return;
    const { source, signal, proven } = this.#options;
    const { vaultId, opened } = first.target;
    const { keys, group } = opened.tree.opener;
    const ids = some.map(({ id }) => id);
    const results = await source.read(vaultId, group, ids, signal);
    const good: Buffer[] = [];
    for (const [index, chunk] of some.entries()) {
      try {
        const { plaintext } = openResult({
          result: results[index],
          keys,
          group,
          id: chunk.id,
          type: RecordType.data,
        });
        good.push(chunk.id);
        this.#readChunks += 1;
        this.#readBytes += plaintext.length;
      } catch (error) {
        if (!isHoldfastError(error)) throw error;
        if (error.code !== ErrorCode.chunkDamaged && error.code !== ErrorCode.chunkMissing) throw error;
        this.#addBad(chunk, error.code, error.message);
      }
    }
    proven.add(good);
    this.#progress("trees");
  }

  #addBad({ id, target }: Asked, code: ErrorCode, message: string): void {
    this.#bad.set(id.toString("latin1"), { kind: "data", code, message, target, hurts: [] });
  }

  /** Walks again for the names of files that bad chunks belong to: only when there are any, so that nothing is kept for all. */
  async #findHurt(): Promise<void> {
    const seen = new IdSet();
    let found = 0;
    for (const { id: snapshot, opened } of this.#options.snapshots) {
      await walkPages(opened.header.root, {
        opener: opened.tree.opener,
        seen,
        signal: this.#options.signal,
        onData: (id, _bytes, path) => {
          const bad = this.#bad.get(id.toString("latin1"));
          if (bad?.kind !== "data" || found >= hurtFilesMax || isLast(bad, snapshot, path)) return;
          bad.hurts.push({ snapshot, path: pathToText(pathBytes(path)) });
          found += 1;
        },
        onBadPage: () => undefined,
        onPages: () => this.#progress("files hurt"),
      });
    }
  }

  /** Tells the gateway which records it keeps are wrong, so that the next honest upload takes their place. */
  async #report(): Promise<void> {
    const groups = new Map<string, { vaultId: string; group: number; ids: Buffer[] }>();
    for (const [id, { code, target }] of this.#bad) {
      if (code !== ErrorCode.chunkDamaged) continue;
      const { group } = target.opened.header;
      const key = `${target.vaultId}/${group}`;
      const wrong = groups.get(key) ?? { vaultId: target.vaultId, group, ids: [] };
      wrong.ids.push(Buffer.from(id, "latin1"));
      groups.set(key, wrong);
    }
    for (const { vaultId, group, ids } of groups.values()) {
      for (let at = 0; at < ids.length; at += wireLimits.idsPerSuspect) {
        await this.#options.port.suspect(vaultId, group, ids.slice(at, at + wireLimits.idsPerSuspect));
      }
    }
  }

  #progress(phase: CheckProgress["phase"]): void {
    this.#options.onProgress?.({
      phase,
      filesDone: this.#pages,
      filesTotal: 0,
      bytesDone: this.#readBytes,
      bytesTotal: 0,
    });
  }
}

/** Extents of one file come one after the other: it is listed once. */
function isLast(bad: Bad, snapshot: string, path: TreePath): boolean {
  const last = bad.hurts.at(-1);
  return last?.snapshot === snapshot && last.path === pathToText(pathBytes(path));
}

/**
 * Checks snapshots. Damage is in the result; what is thrown is a failure to check.
 * @throws HoldfastError gateway-unreachable, key-wrong, cancelled
 */
export async function checkSnapshots(options: CheckOptions): Promise<CheckResult> {
  return new Check(options).run();
}

/**
 * The share of chunks to read for `--read-data`: a percentage ("5%"), or a size, taken as a share of `totalBytes`.
 * @throws HoldfastError usage
 */
export function readShareOf(text: string, totalBytes: number): number {
  const [, number, unit] = /^(\d+(?:\.\d+)?)\s*(%|(?:[KMGT]i?)?B?)$/i.exec(text.trim()) ?? [];
  const value = Number(number);
  if (number === undefined || unit === undefined || (unit === "%" && value > 100)) {
    throw new HoldfastError(
      ErrorCode.usage,
      `--read-data takes a percentage or a size, not ${JSON.stringify(text)}`,
      {
        next: "For example: --read-data 5%, --read-data 2GiB.",
      },
    );
  }
  if (unit === "%") return value / 100;
  const power =
    unit === "" || unit.toUpperCase() === "B" ? 0 : "KMGT".indexOf(unit.charAt(0).toUpperCase()) + 1;
  return totalBytes === 0 ? 1 : Math.min(1, (value * 1024 ** power) / totalBytes);
}
