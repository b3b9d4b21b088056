// Walks the folders of a backup in the order of names and puts the new tree together.
//
// One pass, one stat per file: what the previous snapshot has with the same size, times and inode is taken over
// without being opened. Everything else goes to the intake. The walk runs ahead of reading by what the workers' queues
// and the metadata buffer allow, so memory does not grow with the tree.

import { limits } from "../../vault/limits.ts";
import type { EmitPage } from "../../vault/tree/directoryWriter.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { type ChunkRef, type EntryDraft, EntryKind, type XattrsOf } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { encodeXattrs } from "../../vault/tree/xattrs.ts";
import { type Listing, ListingBuilder, nameAt } from "../platform/listing.ts";
import { type Handle, type Platform, SELF, type Xattr } from "../platform/port.ts";
import { STAT_ROW_BYTES, StatTable } from "../platform/statTable.ts";
import { describeSystemError, displayPath, SystemError } from "../platform/systemError.ts";
import { isTaggedCache } from "./cacheTag.ts";
import {
  type Backlog,
  DirectoryBuild,
  type DirectoryResult,
  type PreviousDirectory,
  type Slot,
} from "./directoryBuild.ts";
import { DeviceNumbers, draftOf, kindOf, sameContentMark, sameInode } from "./entryDraft.ts";
import { changeMark, type FileIntake, type FileRead } from "./fileIntake.ts";
import { type Filter, type FolderFilter, Verdict } from "./filter.ts";
import { HardLinks } from "./hardLinks.ts";
import { OpenDirectories, type OpenDirectory } from "./openDirectory.ts";
import { PreviousCursor, type PreviousRow, type PreviousTree } from "./previousTree.ts";
import type { TopNode } from "./topPaths.ts";

const rowsAtOnce = 128;
const rowsBetweenTurns = 2048;
const separator = Buffer.from("/");

export type WalkOptions = {
  readonly platform: Platform;
  readonly intake: FileIntake;
  readonly emitDirectory: EmitPage;
  /** Stores an xattrs record and returns its id. */
  readonly emitXattrs: (plaintext: Buffer) => Buffer;
  readonly splitTable: Uint32Array;
  readonly filter: Filter;
  /** The tree to compare with, and when the run that made it began (ms); undefined reads everything. */
  readonly previous:
    | {
        readonly tree: PreviousTree;
        readonly root: ChunkRef & { readonly id: Buffer };
        readonly timeMs: number;
      }
    | undefined;
  /** Bundles (ids as latin1) whose files move to new bundles although they did not change. */
  readonly move: ReadonlySet<string>;
  /** Reads every file, whatever its times say. */
  readonly rescan: boolean;
  readonly oneFileSystem: boolean;
  readonly excludeCaches: boolean;
  readonly warn: (path: Uint8Array, what: string) => void;
  /** Resolves when the buffers behind the walk have room; rejects when the run failed. */
  readonly breathe: () => Promise<void>;
  readonly hasRoom: () => boolean;
  /** Never resolves; rejects when the run failed. */
  readonly failed: Promise<never>;
  readonly backlog: Backlog;
};

/** What was seen; grows during the walk. */
export type WalkCounts = {
  files: number;
  dirs: number;
  others: number;
  bytes: number;
  filesRead: number;
  bytesRead: number;
};

/** A change within this time of the previous run's start may have come after the file was read with the same stamp. */
const racyMs = 1000;

export class Walker {
  readonly counts: WalkCounts = { files: 0, dirs: 0, others: 0, bytes: 0, filesRead: 0, bytesRead: 0 };
  readonly #options: WalkOptions;
  readonly #devices = new DeviceNumbers();
  readonly #links = new HardLinks();
  readonly #tables: StatTable[] = [];
  readonly #open: OpenDirectories;
  readonly #old = emptyRowStat();
  #sinceTurn = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#open = new OpenDirectories(options.platform);
  }

  /** Closes what a walk that failed left open; the readers must have ended. */
  close(): void {
    this.#open.closeAll();
  }

  /** Walks the named paths from `/`. Resolves with the root when every file below it has its content named. */
  async walk(top: TopNode): Promise<DirectoryResult> {
    const { platform, previous, intake } = this.#options;
    const handle = platform.openDirectory(separator);
    const directory = this.#open.add(handle);
    const done = Promise.withResolvers<DirectoryResult>();
    await this.#directory(directory, Buffer.alloc(0), previous?.root, undefined, top, 0, 0, (result) =>
      done.resolve(result),
    );
    intake.flush();
    return Promise.race([done.promise, this.#options.failed]);
  }

  /** Walks one directory; `finished` is called when all of it is resolved, maybe long after this returns. */
  async #directory(
    directory: OpenDirectory,
    path: Buffer,
    previousRoot: (ChunkRef & { readonly id: Buffer }) | undefined,
    filter: FolderFilter | undefined,
    top: TopNode | undefined,
    mount: number,
    depth: number,
    finished: (result: DirectoryResult) => void,
  ): Promise<void> {
    const { splitTable, emitDirectory } = this.#options;
    const previous = await this.#previousDirectory(previousRoot);
    const build = new DirectoryBuild(
      previous,
      () => new DirectoryWriter(splitTable, emitDirectory),
      this.#options.backlog,
      finished,
    );
    const listing = this.#list(directory.handle, path, top);
    if (listing !== undefined)
      await this.#rows({ directory, path, build, previous, filter, top, mount, depth }, listing);
    directory.release();
    build.end();
    if (!this.#options.hasRoom()) await this.#options.breathe();
  }

  #list(handle: Handle, path: Buffer, top: TopNode | undefined): Listing | undefined {
    try {
      if (top === undefined || top.target) return this.#options.platform.list(handle);
    } catch (error) {
      this.#options.warn(path, `folder cannot be listed: ${describeSystemError(error)}`);
      return undefined;
    }
    const builder = new ListingBuilder();
    for (const child of top.children.keys()) {
      const name = Buffer.from(child, "latin1");
      builder.add(name, 0, name.length, 0);
    }
    return builder.finish();
  }

  async #previousDirectory(
    root: (ChunkRef & { readonly id: Buffer }) | undefined,
  ): Promise<PreviousDirectory | undefined> {
    const { previous } = this.#options;
    if (root === undefined || previous === undefined) return undefined;
    const leaves = await previous.tree.leaves(root.id);
    return { tree: previous.tree, id: root.id, plainLength: root.plainLength, leaves };
  }

  async #rows(at: Folder, listing: Listing): Promise<void> {
    const { platform } = this.#options;
    const cursor =
      at.previous === undefined ? undefined : new PreviousCursor(at.previous.tree, at.previous.leaves.ids);
    const table = this.#tables.pop() ?? new StatTable(rowsAtOnce);
    for (let first = 0; first < listing.count; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, listing.count - first);
      platform.statListed(at.directory.handle, listing, first, count, table);
      for (let row = 0; row < count; row++) {
        const name = nameAt(listing, first + row);
        const sought = cursor?.seek(name);
        const old = sought instanceof Promise ? await sought : sought;
        const walking = this.#entry(at, name, table, row, old);
        if (walking !== undefined) await walking;
        if (++this.#sinceTurn >= rowsBetweenTurns) await this.#turn();
      }
    }
    this.#tables.push(table);
  }

  /** Lets network and workers have their turn. */
  async #turn(): Promise<void> {
    this.#sinceTurn = 0;
    const { intake, backlog } = this.#options;
    intake.age();
    await new Promise((resolve) => setImmediate(resolve));
    if (!backlog.hasRoom) {
      intake.flush();
      await Promise.race([backlog.room(), this.#options.failed]);
    }
    if (!this.#options.hasRoom()) await this.#options.breathe();
  }

  /** One row of a listing. A promise only for a directory, or where the walk must wait. */
  #entry(
    at: Folder,
    name: Buffer,
    table: StatTable,
    row: number,
    old: PreviousRow | undefined,
  ): Promise<void> | undefined {
    const errno = table.errno(row);
    if (errno !== 0) {
      this.#options.warn(join(at.path, name), describeSystemError(new SystemError(errno, "stat", name)));
      return undefined;
    }
    const kind = kindOf(table, row);
    if (kind === undefined) {
      this.#options.warn(join(at.path, name), "of an unknown kind; left out");
      return undefined;
    }
    const top = at.top?.children.get(name.toString("latin1"));
    const verdict =
      at.filter === undefined ? Verdict.keep : at.filter.test(name, kind === EntryKind.directory);
    if (verdict === Verdict.skip) return undefined;
    if (name.length > limits.nameBytesMax) {
      this.#options.warn(join(at.path, name), "name over 1,024 bytes; left out");
      return undefined;
    }
    if (kind === EntryKind.directory) return this.#subdirectory(at, name, table, row, old, top, verdict);
    if (kind === EntryKind.file) {
      this.#file(at, name, table, row, old);
      return this.#options.intake.hasRoom ? undefined : this.#waitForReaders();
    }
    this.#other(at, name, table, row, old, kind);
    return undefined;
  }

  async #waitForReaders(): Promise<void> {
    await Promise.race([this.#options.intake.room(), this.#options.failed]);
  }

  async #subdirectory(
    at: Folder,
    nameView: Buffer,
    table: StatTable,
    row: number,
    old: PreviousRow | undefined,
    top: TopNode | undefined,
    verdict: Verdict,
  ): Promise<void> {
    const { platform, warn } = this.#options;
    const name = Buffer.from(nameView);
    const path = join(at.path, name);
    if (at.depth + 1 >= limits.directoryDepthMax) return warn(path, "deeper than 4,096 folders; left out");
    const mount = table.mountId(row) || table.device(row);
    let handle: Handle | undefined;
    let listed = true;
    try {
      handle = platform.openDirectoryAt(at.directory.handle, name);
      listed = this.#entersMount(at, handle, mount, top);
      if (listed && this.#options.excludeCaches && isTaggedCache(platform, handle)) listed = false;
    } catch (error) {
      warn(path, `folder cannot be opened: ${describeSystemError(error)}`);
    }
    const oldEntry = old === undefined ? undefined : old.page.entry(old.row);
    const oldChild = oldEntry?.child === undefined ? undefined : old?.page.ref(oldEntry.child.ordinal);
    const same =
      old !== undefined &&
      oldChild !== undefined &&
      sameInode(table, row, old.page.statAt(old.row, this.#old));
    const draft = same
      ? undefined
      : this.#draft(at, handle, SELF, name, path, table, row, EntryKind.directory);
    const slot = at.build.announce();
    const finished = (result: DirectoryResult): void => {
      if (verdict === Verdict.pass && result.files + result.directories === 0)
        return at.build.resolve(slot, "dropped");
      this.counts.dirs += 1;
      if (same && old !== undefined && oldChild !== undefined && oldChild.id.equals(result.id)) {
        return at.build.resolve(slot, old);
      }
      const { id, plainLength, files, directories, bytes } = result;
      const base = draft ?? (old as PreviousRow).page.draft((old as PreviousRow).row);
      at.build.resolve(slot, { ...base, child: { id, plainLength, files, directories, bytes } });
    };
    if (handle === undefined || !listed) {
      if (handle !== undefined) platform.close(handle);
      return this.#emptyDirectory(finished);
    }
    const inside = top === undefined || top.target ? this.#filterInside(at, name, path, top) : undefined;
    await this.#directory(this.#open.add(handle), path, oldChild, inside, top, mount, at.depth + 1, finished);
  }

  #emptyDirectory(finished: (result: DirectoryResult) => void): void {
    const { splitTable, emitDirectory, backlog } = this.#options;
    new DirectoryBuild(
      undefined,
      () => new DirectoryWriter(splitTable, emitDirectory),
      backlog,
      finished,
    ).end();
  }

  /** The filter below a folder: a named folder starts its own. */
  #filterInside(at: Folder, name: Buffer, path: Buffer, top: TopNode | undefined): FolderFilter {
    if (at.filter === undefined || top !== undefined) return this.#options.filter.top(path);
    return at.filter.folder(name);
  }

  /** Whether the walk goes into a directory that may be the root of another mounted file system. */
  #entersMount(at: Folder, handle: Handle, mount: number, top: TopNode | undefined): boolean {
    if (top !== undefined && !top.target) return true; // only on the way to what was named
    if (mount === at.mount && at.depth > 0) return true;
    if (this.#options.platform.fileSystem(handle).pseudo) return false;
    return !this.#options.oneFileSystem || top !== undefined;
  }

  #file(at: Folder, nameView: Buffer, table: StatTable, row: number, old: PreviousRow | undefined): void {
    const stat = old?.page.statAt(old.row, this.#old);
    const wasFile = stat !== undefined && stat.kind === EntryKind.file;
    if (old !== undefined && wasFile && this.#unchanged(table, row) && !this.#moves(old)) {
      this.#count(table.size(row));
      at.build.add(old);
      return;
    }
    const size = table.size(row);
    if (size > limits.fileBytesMax)
      return this.#options.warn(join(at.path, nameView), "file over 8 PiB; left out");
    const name = Buffer.from(nameView);
    const slot = at.build.announce();
    const device = table.device(row);
    const base = draftOf(this.#options.platform, table, row, name, EntryKind.file, this.#devices.of(device), {
      form: "none",
    });
    const finish = (read: FileRead, first: boolean): void => this.#finishFile(at, slot, base, read, first);
    const linked = table.linkCount(row) > 1 ? `${device}:${base.inode}` : undefined;
    if (linked !== undefined && this.#links.join(linked, (read) => finish(read, false))) return;
    if (linked !== undefined) this.#links.start(linked, table.linkCount(row));
    const before = old !== undefined && wasFile && !this.#moves(old) ? old.page.draft(old.row) : undefined;
    this.#options.intake.take(
      {
        directory: at.directory,
        path: at.path,
        name,
        uid: base.uid,
        size,
        allocatedBytes: table.allocatedBytes(row),
        mark: changeMark(table, row),
        previous:
          before?.fileHash === undefined || before.content === undefined
            ? undefined
            : { hash: before.fileHash, content: before.content },
      },
      (read) => {
        finish(read, true);
        if (linked !== undefined) this.#links.settle(linked, read);
      },
    );
  }

  /** Whether the file is to leave a bundle that is hardly used any more. */
  #moves(old: PreviousRow): boolean {
    const { move } = this.#options;
    if (move.size === 0) return false;
    const { content } = old.page.entry(old.row);
    if (content?.form !== "inline") return false;
    return content.extents.some(
      (extent) => !extent.hole && move.has(old.page.ref(extent.ordinal).id.toString("latin1")),
    );
  }

  #unchanged(table: StatTable, row: number): boolean {
    const { rescan, previous } = this.#options;
    if (rescan || previous === undefined || !sameContentMark(table, row, this.#old)) return false;
    return table.changedSeconds(row) * 1000 + table.changedNanoseconds(row) / 1e6 < previous.timeMs - racyMs;
  }

  #count(size: number): void {
    this.counts.files += 1;
    this.counts.bytes += size;
  }

  #finishFile(at: Folder, slot: Slot, base: EntryDraft, read: FileRead, first: boolean): void {
    const { outcome, content } = read;
    const path = (): Buffer => join(at.path, base.name);
    if (outcome.failed !== undefined) {
      this.#options.warn(path(), outcome.failed);
      return at.build.resolve(slot, "dropped");
    }
    if (outcome.changed !== undefined && first) this.#options.warn(path(), outcome.changed);
    if (first) {
      this.counts.filesRead += 1;
      this.counts.bytesRead += outcome.size;
    }
    this.#count(outcome.size);
    const current = outcome.row === undefined ? base : this.#redraft(base, outcome.row);
    const draft: EntryDraft = {
      ...current,
      xattrs: this.#xattrs(outcome.xattrs.map(owned), path),
      size: outcome.size,
      ...(outcome.size > 0 && outcome.fileHash !== undefined && content !== undefined
        ? { fileHash: Buffer.from(outcome.fileHash), content }
        : {}),
    };
    at.build.resolve(slot, draft);
  }

  /** The entry by the attributes that the file had when it was opened. */
  #redraft(base: EntryDraft, bytes: Uint8Array): EntryDraft {
    const table = this.#tables.pop() ?? new StatTable(rowsAtOnce);
    table.rows.set(bytes.subarray(0, STAT_ROW_BYTES), 0);
    const draft = draftOf(this.#options.platform, table, 0, base.name, EntryKind.file, base.device, {
      form: "none",
    });
    this.#tables.push(table);
    return draft;
  }

  #other(
    at: Folder,
    nameView: Buffer,
    table: StatTable,
    row: number,
    old: PreviousRow | undefined,
    kind: EntryKind,
  ): void {
    this.counts.others += 1;
    const { platform, warn, rescan } = this.#options;
    if (old !== undefined && !rescan) {
      const stat = old.page.statAt(old.row, this.#old);
      if (stat.kind === kind && sameInode(table, row, stat)) return at.build.add(old);
    }
    const name = Buffer.from(nameView);
    const path = join(at.path, name);
    const base = this.#draft(at, at.directory.handle, name, name, path, table, row, kind);
    try {
      if (kind === EntryKind.symlink)
        at.build.add({ ...base, target: platform.readLink(at.directory.handle, name) });
      else if (kind === EntryKind.characterDevice || kind === EntryKind.blockDevice) {
        at.build.add({ ...base, major: table.deviceMajor(row), minor: table.deviceMinor(row) });
      } else at.build.add(base);
    } catch (error) {
      this.counts.others -= 1;
      warn(path, describeSystemError(error));
    }
  }

  /** An entry without what only its kind has; `handle` and `handleName` name the object for its attributes. */
  #draft(
    at: Folder,
    handle: Handle | undefined,
    handleName: Uint8Array,
    name: Buffer,
    path: Buffer,
    table: StatTable,
    row: number,
    kind: EntryKind,
  ): EntryDraft {
    const { platform, warn } = this.#options;
    let list: readonly Xattr[] = [];
    try {
      list = platform.xattrs(handle ?? at.directory.handle, handle === undefined ? name : handleName);
    } catch (error) {
      warn(path, `extended attributes cannot be read: ${describeSystemError(error)}`);
    }
    const device = this.#devices.of(table.device(row));
    return draftOf(
      platform,
      table,
      row,
      name,
      kind,
      device,
      this.#xattrs(list, () => path),
    );
  }

  #xattrs(list: readonly Xattr[], path: () => Buffer): XattrsOf<ChunkRef> {
    if (list.length === 0) return { form: "none" };
    try {
      const encoded = encodeXattrs(list);
      if (encoded.length <= limits.inlineXattrBytesMax) return { form: "inline", list };
      return { form: "record", id: this.#options.emitXattrs(encoded), plainLength: encoded.length };
    } catch (error) {
      this.#options.warn(path(), `extended attributes left out: ${describeSystemError(error)}`);
      return { form: "none" };
    }
  }
}

/** The folder that is being walked. */
type Folder = {
  readonly directory: OpenDirectory;
  readonly path: Buffer;
  readonly build: DirectoryBuild;
  readonly previous: PreviousDirectory | undefined;
  /** Undefined on the way to what was named. */
  readonly filter: FolderFilter | undefined;
  readonly top: TopNode | undefined;
  readonly mount: number;
  readonly depth: number;
};

function join(path: Buffer, name: Uint8Array): Buffer {
  return Buffer.concat([path, separator, name]);
}

/** Attributes that came in a message are plain Uint8Arrays. */
function owned(xattr: Xattr): Xattr {
  return { name: Buffer.from(xattr.name), value: Buffer.from(xattr.value) };
}

/** A path for a message to people. */
export function pathForPeople(path: Uint8Array): string {
  return path.length === 0 ? "/" : displayPath(path);
}
