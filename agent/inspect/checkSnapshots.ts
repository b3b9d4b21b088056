// `agent check`: is everything that snapshots reach at the gateway, and is it what its ids say?
//
// Every page of the trees is read and proven with this machine's keys; of file content the gateway is asked whether it is
// there, and a random share is read and proven too. The gateway stays locked. Memory: 11 to 21 bytes per page and chunk.

import { openResult } from "../../fs/view/openResult.ts";
import type { RecordResult } from "../../fs/view/ports.ts";
import { readTogether } from "../../fs/view/readTogether.ts";
import { bitAt } from "../../ingest/wire/bitmap.ts";
import { wireLimits } from "../../ingest/wire/protocol.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, type HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { RecordType } from "../../vault/magic.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { CheckOptions, CheckProblem, CheckProgress, CheckResult } from "./checkTypes.ts";
import { IdSet } from "./idSet.ts";
import { pathBytes, type TreePath, walkPages } from "./pageWalk.ts";
import type { SnapshotTree } from "./snapshotTree.ts";

const readIdsMax = 32;
const readBytesMax = 16 * 1024 * 1024;
const hurtFilesMax = 10_000;

type Target = { readonly opened: SnapshotTree; readonly vaultId: string };
type Asked = { readonly id: Buffer; readonly bytes: number; readonly target: Target };
type Bad = {
  kind: "page" | "data";
  code: ErrorCode;
  message: string;
  target: Target;
  writer: string | undefined;
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
    const untold = await this.#report();
    const problems = [...this.#bad].map(([chunk, { kind, code, message, target, writer, hurts }]) => ({
      kind,
      chunk: Buffer.from(chunk, "latin1").toString("hex"),
      code,
      message,
      group: target.opened.header.group,
      writer,
      hurts,
    }));
    return {
      snapshots: snapshots.length,
      pages: this.#pages,
      chunks: this.#seenData.size,
      readChunks: this.#readChunks,
      readBytes: this.#readBytes,
      problems,
      untold,
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
        this.#bad.set(id.toString("latin1"), {
          kind: "page",
          code,
          message,
          target,
          writer: undefined,
          hurts,
        });
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
      await this.#absent(asked.filter((_, index) => !bitAt(there, index)));
      for (const [index, chunk] of asked.entries()) {
        if (!bitAt(there, index)) continue;
        if (readShare > 0 && proven.isDrawn(chunk.id, readShare) && !proven.has(chunk.id)) {
          this.#toRead.push(chunk);
          this.#toReadBytes += chunk.bytes;
          if (this.#toRead.length >= readIdsMax || this.#toReadBytes >= readBytesMax) await this.#read();
        }
      }
    }
    await this.#read();
  }

  /** Notes chunks that are not at the gateway, each with the reason: reading them says which are on their way. */
  async #absent(chunks: readonly Asked[]): Promise<void> {
    const { source, signal } = this.#options;
    for (let at = 0; at < chunks.length; at += wireLimits.idsPerRead) {
      const some = chunks.slice(at, at + wireLimits.idsPerRead);
      const { vaultId, opened } = (some[0] as Asked).target;
      const ids = some.map(({ id }) => id);
      const results = await readTogether(source, vaultId, opened.header.group, ids, signal);
      for (const [index, chunk] of some.entries()) {
        const result = results[index];
        if (result?.state === "promised") {
          this.#addBad(chunk, ErrorCode.promised, `it is on box ${result.box}, which is on its way`);
        } else if (result?.state === "leftOut") {
          this.#addBad(chunk, ErrorCode.leftOut, "it was left out of this box");
        } else if (result?.state === "record") {
          // It was reported as wrong, by whomever: the bytes say whether it is.
          this.#prove(chunk, result);
        } else {
          this.#addBad(chunk, ErrorCode.chunkMissing, "the gateway does not have it");
        }
      }
    }
  }

  async #read(): Promise<void> {
    const some = this.#toRead;
    const first = some[0];
    this.#toRead = [];
    this.#toReadBytes = 0;
    if (first === undefined) return;
    const { source, signal, proven } = this.#options;
    const { vaultId, opened } = first.target;
    const ids = some.map(({ id }) => id);
    const results = await readTogether(source, vaultId, opened.header.group, ids, signal);
    proven.add(some.filter((chunk, index) => this.#prove(chunk, results[index])).map(({ id }) => id));
    this.#progress("trees");
  }

  /** Whether what was read is the chunk; notes it as bad where it is not. */
  #prove(chunk: Asked, result: RecordResult | undefined): boolean {
    const { keys, group } = chunk.target.opened.tree.opener;
    try {
      const { plaintext } = openResult({ result, keys, group, id: chunk.id, type: RecordType.data });
      this.#readChunks += 1;
      this.#readBytes += plaintext.length;
      return true;
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      const codes: readonly ErrorCode[] = [
        ErrorCode.chunkDamaged,
        ErrorCode.chunkMissing,
        ErrorCode.promised,
        ErrorCode.leftOut,
      ];
      if (!codes.includes(error.code)) throw error;
      this.#addBad(chunk, error.code, error.message);
      return false;
    }
  }

  #addBad({ id, target }: Asked, code: ErrorCode, message: string): void {
    this.#bad.set(id.toString("latin1"), {
      kind: "data",
      code,
      message,
      target,
      writer: undefined,
      hurts: [],
    });
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

  /**
   * Tells the gateway which records of the own group are wrong, so that the next honest upload takes their place. What was found
   * counts more than that this works: a failure is the answer.
   */
  async #report(): Promise<HoldfastError | undefined> {
    const { port, ownGroup } = this.#options;
    const wrong = [...this.#bad].filter(
      ([, { code, target }]) => code === ErrorCode.chunkDamaged && target.opened.header.group === ownGroup,
    );
    const vaults = Map.groupBy(wrong, ([, { target }]) => target.vaultId);
    try {
      for (const [vaultId, rows] of vaults) {
        const ids = rows.map(([id]) => Buffer.from(id, "latin1"));
        const writers = await port.suspect(vaultId, ownGroup, ids);
        for (const [index, [, bad]] of rows.entries()) bad.writer = writers[index];
      }
    } catch (error) {
      if (!isHoldfastError(error)) throw error;
      return error;
    }
    return undefined;
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
