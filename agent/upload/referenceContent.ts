// Finds the content of small files in bundles that another device or item of the group made, where a reference snapshot says it is.
//
// Invariant: nothing of the reference is believed. A place in a bundle is handed out only after the gateway said that it has the bundle
// (which pins it to the session), the bundle was fetched and its id recomputed, and the bytes at that place were hashed and found equal to the
// file that was read here. So a hostile or damaged reference costs time, never content, and needs no second attempt.
//
// Bundles are looked at one request at a time and the last few are kept, since neighbours in the walk share them: that bounds memory.

import { equalBytes } from "../../vault/bytes.ts";
import { hashSmallFile } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import type { ChunkRef, ContentOf } from "../../vault/tree/entry.ts";
import type { FileOutcome } from "../backup/messages.ts";
import type { FileToRead, KnownContent } from "../source/fileIntake.ts";
import type { UploadPort } from "./port.ts";

const MiB = 1024 * 1024;
/** Opened bundles that are kept, of 1 MiB at most. */
const keptMax = 16;
const fetchedAtOnce = 4;
/** Fetching ends when it has cost so much more than the bytes of files that it spared. */
const lossBytesMax = 64 * MiB;

export type ReferenceContentOptions = {
  readonly port: UploadPort;
  /** Whether the gateway has a chunk; pins it. */
  readonly ask: (id: Buffer) => Promise<boolean>;
  /** The plaintext of a data record; undefined where it is not what its id says. */
  readonly open: (id: Buffer, record: Buffer) => Buffer | undefined;
  readonly fileHashKey: Buffer;
  /** Called once, when the reference names a place that does not hold the file it says: nothing more is taken from it. */
  readonly lied: (file: FileToRead) => void;
};

type Candidate = {
  readonly index: number;
  readonly file: FileToRead;
  readonly fileHash: Uint8Array;
  readonly bundle: Buffer;
  readonly plainLength: number;
  readonly offset: number;
  readonly size: number;
  readonly content: ContentOf<ChunkRef>;
};

type Found = (ContentOf<ChunkRef> | undefined)[];

export class ReferenceContent implements KnownContent {
  files = 0;
  bytes = 0;
  /** Bytes of sealed bundles that were fetched. */
  readBytes = 0;
  readonly #options: ReferenceContentOptions;
  /** By id as latin1, least recently used first; undefined: not there, or not right. */
  readonly #bundles = new Map<string, Buffer | undefined>();
  #over = false;
  #turn: Promise<unknown> = Promise.resolve();

  constructor(options: ReferenceContentOptions) {
    this.#options = options;
  }

  async find(
    bundle: Buffer,
    files: readonly { readonly file: FileToRead; readonly outcome: FileOutcome }[],
  ): Promise<Found> {
    const found: Found = new Array<undefined>(files.length).fill(undefined);
    if (this.#over) return found;
    const candidates = files.flatMap(({ file, outcome }, index) => candidateOf(index, file, outcome) ?? []);
    if (candidates.length === 0 || (await this.#options.ask(bundle))) return found;
    const turn = this.#turn.then(() => this.#findAll(candidates, found));
    this.#turn = turn.catch(() => undefined); // who asked hears of it
    await turn;
    return found;
  }

  async #findAll(candidates: readonly Candidate[], found: Found): Promise<void> {
    const byBundle = Map.groupBy(candidates, ({ bundle }) => bundle.toString("latin1"));
    const groups = [...byBundle.values()];
    for (let at = 0; at < groups.length && !this.#over; at += fetchedAtOnce) {
      const some = groups.slice(at, at + fetchedAtOnce);
      await this.#fetch(some.map(([first]) => (first as Candidate).bundle));
      for (const candidate of some.flat()) this.#take(candidate, found);
    }
  }

  /** Sees to it that these bundles, as far as they are there and right, are in `#bundles`. */
  async #fetch(ids: readonly Buffer[]): Promise<void> {
    const { port, ask, open } = this.#options;
    const wanted: Buffer[] = [];
    for (const id of ids) {
      const key = id.toString("latin1");
      if (!this.#bundles.has(key)) wanted.push(id);
      else this.#keep(key, this.#bundles.get(key));
    }
    const there = await Promise.all(wanted.map((id) => ask(id)));
    const present = wanted.filter((_, index) => there[index]);
    const records = present.length === 0 ? [] : await port.read(present);
    for (const id of wanted) this.#keep(id.toString("latin1"), undefined);
    for (const [index, id] of present.entries()) {
      const record = records[index];
      if (record === undefined) continue;
      this.readBytes += record.length;
      const plaintext = open(id, record);
      if (plaintext === undefined) await port.suspect([id]);
      else this.#keep(id.toString("latin1"), plaintext);
    }
    if (this.readBytes > this.bytes + lossBytesMax) this.#over = true;
  }

  #keep(key: string, plaintext: Buffer | undefined): void {
    this.#bundles.delete(key);
    this.#bundles.set(key, plaintext);
    const oldest = this.#bundles.keys().next().value;
    if (this.#bundles.size > keptMax && oldest !== undefined) this.#bundles.delete(oldest);
  }

  #take(candidate: Candidate, found: Found): void {
    const { index, file, fileHash, bundle, plainLength, offset, size, content } = candidate;
    const plaintext = this.#bundles.get(bundle.toString("latin1"));
    if (plaintext === undefined) return;
    const bytes = plaintext.subarray(offset, offset + size);
    const holds =
      plaintext.length === plainLength &&
      bytes.length === size &&
      equalBytes(hashSmallFile(this.#options.fileHashKey, bytes), fileHash);
    if (holds) {
      found[index] = content;
      this.files += 1;
      this.bytes += size;
    } else if (!this.#over) {
      this.#over = true;
      this.#options.lied(file);
    }
  }
}

/** A file with the content that the reference says, by its hash, and which is in one bundle. */
function candidateOf(index: number, file: FileToRead, outcome: FileOutcome): Candidate | undefined {
  const { fileHash, size, offset } = outcome;
  const { previous } = file;
  if (offset < 0 || fileHash === undefined || previous === undefined) return undefined;
  if (previous.content.form !== "inline" || !equalBytes(previous.hash, fileHash)) return undefined;
  const [extent] = previous.content.extents;
  if (extent === undefined || extent.hole || extent.length !== size) return undefined;
  if (previous.content.extents.length > 1 || extent.plainLength > limits.bundleBytesMax) return undefined;
  return {
    index,
    file,
    fileHash,
    bundle: Buffer.from(extent.id),
    plainLength: extent.plainLength,
    offset: extent.offset,
    size,
    content: previous.content,
  };
}
