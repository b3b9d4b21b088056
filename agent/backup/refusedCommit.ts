// What to do when the gateway refuses a commit since something below its root is missing there, although it said of every record that it has it.
//
// The gateway has no key. Whoever has the group's may store, under the id of a record that this run makes, another one that names what is not
// there (he reports it as wrong): then "have" says yes, nothing is sent, and every commit that reaches it is refused. So what is below the
// run's own root is looked through, only where the gateway does not have all of it: own pages say what must be there, what the gateway
// has in their place is read back and proven, and what is wrong is reported, and sent by this device.
//
// Invariants
// - Nothing is reported that was not read and found wrong.
// - Pages are sent children first. What cannot be sent from here (content, pages of extents) is left to another attempt, which asks for all anew.

import { bitAt } from "../../ingest/wire/bitmap.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { RecordType, Width } from "../../vault/magic.ts";
import { parseExtentPage } from "../../vault/tree/extentPage.ts";
import { parsePage } from "../../vault/tree/page.ts";
import { type NamedRecord, recordsOf } from "../source/lostRecords.ts";
import type { CachedPage } from "../source/pageCache.ts";
import type { UploadPort } from "../upload/port.ts";
import { opened } from "../upload/readBack.ts";
import type { BackupSession } from "./request.ts";

export type OwnPage = { readonly id: Buffer; readonly page: CachedPage };

export type RefusedCommitPort = {
  readonly keys: VaultKeys;
  readonly group: number;
  readonly upload: Pick<UploadPort, "have" | "read" | "suspect">;
  readonly session: Pick<BackupSession, "whole">;
  /** This device's own copies of pages of directories. */
  readonly cache: { get(id: Buffer): CachedPage | undefined };
  readonly pages: {
    /** Sends such pages, children first; false where the gateway lacks what one refers to. */
    resend(pages: readonly OwnPage[]): Promise<boolean>;
  };
  /** Told of each record that was not what its id names, and was reported. */
  readonly onWrong: (id: Buffer, writer: string | undefined) => void;
};

/** A device that goes on lying while we mend ends the backup after so many rounds, not never. */
const roundsMax = 3;
/** Own pages that are kept in memory to be sent: where there are more, another attempt sends them. */
const pagesMax = 2048;
/** Ids of one question. */
const idsAtOnce = 16_384;
/** Records that are read back together: as many as these may be long ones, of 4 MiB. */
const readAtOnce = 8;

export class TreeMending {
  /** Records that were found wrong and reported. */
  reported = 0;
  readonly #port: RefusedCommitPort;

  constructor(port: RefusedCommitPort) {
    this.#port = port;
  }

  /** Commits; where records are missing that could be sent, again. `root`: of this run's tree. @throws HoldfastError missing-chunks, and what `commit` throws */
  async commit<T>(root: Buffer, commit: () => Promise<T>): Promise<T> {
    for (let round = 1; ; round++) {
      try {
        return await commit();
      } catch (error) {
        const isLack = isHoldfastError(error, ErrorCode.missingChunks);
        if (!isLack || round > roundsMax || !(await this.#mend(root))) throw error;
      }
    }
  }

  /**
   * Reports what is wrong at the gateway below the root, and sends own pages in the place of what is wrong or missing. Answers whether that
   * was all that was lacking.
   */
  async #mend(root: Buffer): Promise<boolean> {
    const { session, cache } = this.#port;
    const pages = new Map<string, OwnPage>();
    const seen = new Set<string>();
    const wanted: NamedRecord[] = [{ id: root, type: RecordType.directory }];
    let isAll = true;
    while (wanted.length > 0) {
      const some = wanted.splice(-idsAtOnce);
      const there = await session.whole(some.map(({ id }) => id));
      if (there === undefined) return false;
      const hurt = some.filter((_, index) => !there[index]);
      const sound = await this.#soundCopies(hurt);
      for (const [index, { id, type }] of hurt.entries()) {
        // What is lacking is below a sound one.
        const page = sound[index] ?? (type === RecordType.directory ? cache.get(id) : undefined);
        if (page === undefined) isAll = false;
        else if (sound[index] === undefined) {
          if (pages.size < pagesMax) pages.set(keyOf(id), { id, page });
          else isAll = false;
        }
        for (const below of page === undefined ? [] : namedBy(type, page)) {
          if (seen.has(keyOf(below.id))) continue;
          seen.add(keyOf(below.id));
          wanted.push(below);
        }
      }
    }
    return isAll && pages.size > 0 && (await this.#port.pages.resend(childrenFirst(pages)));
  }

  /** What the gateway has of records of which it has not all; undefined where it has none, or a wrong one, which is reported. */
  async #soundCopies(hurt: readonly NamedRecord[]): Promise<(CachedPage | undefined)[]> {
    const { keys, group, upload } = this.#port;
    const copies = hurt.map((): CachedPage | undefined => undefined);
    if (hurt.length === 0) return copies;
    const present = await upload.have(hurt.map(({ id }) => id));
    const there = [...hurt.keys()].filter((index) => bitAt(present, index));
    for (let at = 0; at < there.length; at += readAtOnce) {
      const indexes = there.slice(at, at + readAtOnce);
      const records = await upload.read(indexes.map((index) => (hurt[index] as NamedRecord).id));
      const wrong: Buffer[] = [];
      for (const [i, index] of indexes.entries()) {
        const { id: expectedId, type: expectedType } = hurt[index] as NamedRecord;
        const record = records[i];
        if (record === undefined) continue;
        copies[index] = opened({ keys, group, record, expectedId, expectedType });
        if (copies[index] === undefined) wrong.push(expectedId);
      }
      await this.#report(wrong);
    }
    return copies;
  }

  async #report(wrong: readonly Buffer[]): Promise<void> {
    if (wrong.length === 0) return;
    const writers = await this.#port.upload.suspect(wrong);
    for (const [i, id] of wrong.entries()) this.#port.onWrong(id, writers[i]);
    this.reported += wrong.length;
  }
}

function namedBy(type: RecordType, { plaintext, refs }: CachedPage): NamedRecord[] {
  if (type === RecordType.directory) return recordsOf(parsePage(plaintext, refs));
  if (type !== RecordType.extents) return [];
  const below = parseExtentPage(plaintext, refs).level > 0 ? RecordType.extents : RecordType.data;
  return idsOf(refs).map((id) => ({ id: Buffer.from(id), type: below }));
}

function childrenFirst(pages: ReadonlyMap<string, OwnPage>): OwnPage[] {
  const ordered = new Set<OwnPage>();
  const entered = new Set<string>();
  const below = ({ page }: OwnPage): OwnPage[] =>
    idsOf(page.refs).flatMap((id) => {
      const key = keyOf(id);
      return entered.has(key) ? [] : (pages.get(key) ?? []);
    });
  for (const start of pages.values()) {
    const path = [start];
    // Each page twice: to enter what is below it, and to leave it.
    for (let at = path.at(-1); at !== undefined; at = path.at(-1)) {
      const isNew = !entered.has(keyOf(at.id));
      entered.add(keyOf(at.id));
      if (isNew) path.push(...below(at));
      else ordered.add(path.pop() as OwnPage);
    }
  }
  return [...ordered];
}

function idsOf(refs: Buffer): Buffer[] {
  return Array.from({ length: refs.length / Width.id }, (_, i) =>
    refs.subarray(i * Width.id, (i + 1) * Width.id),
  );
}

function keyOf(id: Buffer): string {
  return id.toString("latin1");
}
