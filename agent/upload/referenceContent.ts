// Finds the content of small files in bundles that another device or item of the group made, where a reference snapshot says it is.
//
// Invariant: nothing of the reference is believed. A place in a bundle is handed out only after the gateway said that it has the bundle
// (which pins it to the session), the bundle was fetched and its id recomputed, and the bytes at that place were hashed and found equal to the
// file that was read here. So a hostile or damaged reference costs time, never content, and needs no second attempt.
//
// A few bundles are fetched at a time and the last ones are kept, since neighbours in the walk share them: that bounds memory.

import { equalBytes, giveBack } from "../../vault/bytes.ts";
import { hashSmallFile } from "../../vault/fileHash.ts";
import { limits } from "../../vault/limits.ts";
import type { ChunkRef, ContentOf } from "../../vault/tree/entry.ts";
import type { FileOutcome } from "../backup/messages.ts";
import type { FileToRead, KnownContent } from "../source/fileIntake.ts";
import { ByteBudget } from "./byteBudget.ts";
import type { UploadPort } from "./port.ts";

const MiB = 1024 * 1024;
/** Of bundles that are kept: those of small edits are small, and many of them may be wanted all along the walk. */
const keptBytesMax = 16 * MiB;
const bundlesAtOnce = 4;
const underWayBytesMax = 4 * MiB;
/** Fetching ends when it has cost so much more than the bytes of files that it spared. */
const lossBytesMax = 64 * MiB;

export type ReferenceContentOptions = {
  readonly port: UploadPort;
  /** Whether the gateway has a chunk; pins it. */
  readonly ask: (id: Buffer) => Promise<boolean>;
  /** The plaintext of a data record; undefined where it is not what its id says. */
  readonly open: (id: Buffer, record: Buffer) => Buffer | undefined;
  /** Called for a record that is not what its id names and was reported; `writer` is the name of the device, where known. */
  readonly onWrong: (id: Buffer, writer: string | undefined) => void;
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

/** Its content (undefined: not there, or not right), and how long the reference says that it is. */
type Bundle = { readonly content: Promise<Buffer | undefined>; readonly bytes: number };

type Found = (ContentOf<ChunkRef> | undefined)[];

export class ReferenceContent implements KnownContent {
  files = 0;
  bytes = 0;
  /** Bytes of sealed bundles that were fetched. */
  readBytes = 0;
  readonly #options: ReferenceContentOptions;
  /** By id as latin1, least recently used first. */
  readonly #bundles = new Map<string, Bundle>();
  #keptBytes = 0;
  readonly #underWay = new ByteBudget(underWayBytesMax);
  #over = false;

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
    if (candidates.length === 0) return found;
    const groups = [...Map.groupBy(candidates, ({ bundle }) => bundle.toString("latin1")).values()];
    // All in one round trip, although the second answer is not needed where the first is yes.
    const asked = groups.map(([first]) => this.#options.ask((first as Candidate).bundle));
    const [whole, ...there] = await Promise.all([this.#options.ask(bundle), ...asked]);
    if (whole === true) return found;
    const present = groups.filter((_, index) => there[index]);
    for (let at = 0; at < present.length && !this.#over; at += bundlesAtOnce)
      await this.#findSome(present.slice(at, at + bundlesAtOnce), found);
    return found;
  }

  async #findSome(groups: readonly (readonly Candidate[])[], found: Found): Promise<void> {
    // What the reference says of lengths is not believed here either: a small claim counts as a whole bundle.
    const lengths = groups.map(([first]) =>
      Math.max((first as Candidate).plainLength, limits.bundleBytesMax),
    );
    const bytes = lengths.reduce((sum, length) => sum + length, 0);
    await this.#underWay.take(bytes);
    try {
      const contents = await this.#contents(groups.map(([first]) => first as Candidate));
      for (const [index, candidates] of groups.entries()) {
        const plaintext = contents[index];
        if (plaintext !== undefined)
          for (const candidate of candidates) this.#take(candidate, plaintext, found);
      }
    } finally {
      this.#underWay.give(bytes);
    }
    if (this.readBytes > this.bytes + lossBytesMax) this.#end();
  }

  /** The contents of bundles, from those that are kept or in one request for the rest. */
  #contents(wanted: readonly Candidate[]): Promise<(Buffer | undefined)[]> {
    const known = wanted.map(({ bundle }) => this.#bundles.get(bundle.toString("latin1")));
    const absent = wanted.filter((_, index) => known[index] === undefined);
    const fetching = this.#fetch(absent.map(({ bundle }) => bundle));
    const contents = wanted.map((candidate, index) => {
      const place = absent.indexOf(candidate);
      const content = known[index]?.content ?? fetching.then((fetched) => fetched[place]);
      this.#keep(candidate.bundle.toString("latin1"), { content, bytes: candidate.plainLength });
      return content;
    });
    return Promise.all(contents);
  }

  async #fetch(ids: readonly Buffer[]): Promise<(Buffer | undefined)[]> {
    if (ids.length === 0) return [];
    const { port, open, onWrong } = this.#options;
    const contents: (Buffer | undefined)[] = [];
    const wrong: Buffer[] = [];
    for (const [index, record] of (await port.read(ids)).entries()) {
      const id = ids[index] as Buffer;
      this.readBytes += record?.length ?? 0;
      const plaintext = record === undefined ? undefined : open(id, record);
      if (record !== undefined && plaintext === undefined) wrong.push(id);
      if (record !== undefined) giveBack(record);
      contents.push(plaintext);
    }
    const writers = wrong.length > 0 ? await port.suspect(wrong) : [];
    for (const [index, id] of wrong.entries()) onWrong(id, writers[index]);
    return contents;
  }

  /** Puts a bundle in the last place, and lets go of the first ones when they are too many. */
  #keep(key: string, bundle: Bundle): void {
    bundle.content.catch(() => undefined); // who waits for it hears of it
    if (this.#over) return;
    this.#forget(key);
    this.#bundles.set(key, bundle);
    this.#keptBytes += bundle.bytes;
    for (const oldest of this.#bundles.keys()) {
      if (this.#keptBytes <= keptBytesMax) break;
      this.#forget(oldest);
    }
  }

  #forget(key: string): void {
    this.#keptBytes -= this.#bundles.get(key)?.bytes ?? 0;
    this.#bundles.delete(key);
  }

  /** Nothing more is taken from the reference. */
  #end(): void {
    this.#over = true;
    this.#bundles.clear();
    this.#keptBytes = 0;
  }

  #take(candidate: Candidate, plaintext: Buffer, found: Found): void {
    const { index, file, fileHash, plainLength, offset, size, content } = candidate;
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
      this.#end();
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
