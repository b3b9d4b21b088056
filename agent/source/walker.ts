// Walks the folders of a backup in the order of names and puts the new tree together.
//
// One pass, one stat per file: what the previous snapshot has with the same size, times and inode is taken over
// without being opened. Everything else goes to the intake. The walk runs ahead of reading by what the workers' queues
// and the metadata buffer allow, so memory does not grow with the tree.

import { isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { DirectoryWriter } from "../../vault/tree/directoryWriter.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import { emptyRowStat } from "../../vault/tree/entryReader.ts";
import { type Listing, nameAt } from "../platform/listing.ts";
import { openFilesMax } from "../platform/openFiles.ts";
import { type Handle, SELF } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { describeSystemError, SystemError } from "../platform/systemError.ts";
import { isTaggedCache } from "./cacheTag.ts";
import { DirectoryBuild, type DirectoryResult, type PreviousDirectory } from "./directoryBuild.ts";
import { kindOf } from "./entryDraft.ts";
import { EntryMaker } from "./entryMaker.ts";
import { type FolderFilter, Verdict } from "./filter.ts";
import { listFolder } from "./listFolder.ts";
import { entersMount, mountOf } from "./mounts.ts";
import { childOf, cursorOf, leavesOf, type OldRoots } from "./oldDirectory.ts";
import { OpenDirectories, type OpenDirectory } from "./openDirectory.ts";
import type { PreviousRow } from "./previousTree.ts";
import { isSnapshotFolder } from "./standIns.ts";
import { filterInside, testTop } from "./topFilter.ts";
import type { TopNode } from "./topPaths.ts";
import { type Folder, joinPath, type WalkCounts, type WalkOptions } from "./walk.ts";

const rowsAtOnce = 128;
const rowsBetweenTurns = 2048;
const separator = Buffer.from("/");

export class Walker {
  readonly counts: WalkCounts = {
    ...{ files: 0, dirs: 0, others: 0, bytes: 0, filesRead: 0, bytesRead: 0 },
    ...{ changed: 0, added: 0, renamed: 0, renumbered: 0 },
  };
  readonly #options: WalkOptions;
  readonly #entries: EntryMaker;
  readonly #tables: StatTable[] = [];
  readonly #open: OpenDirectories;
  readonly #old = emptyRowStat();
  #sinceTurn = 0;

  constructor(options: WalkOptions) {
    this.#options = options;
    this.#open = new OpenDirectories(options.platform, openFilesMax());
    this.#entries = new EntryMaker(options, this.counts);
  }

  /** Closes what a walk that failed left open; the readers must have ended. */
  close(): void {
    this.#open.closeAll();
  }

  /**
   * Walks the named paths from `/`. Resolves with the root when every file below it has its content named.
   * @throws SystemError where `/` cannot be opened, and what the run failed with
   */
  async walk(top: TopNode): Promise<DirectoryResult> {
    const { platform, previous, reference, intake, filter, failure, standIns } = this.#options;
    const here = platform.openDirectory(separator);
    const found = this.#open.add(here);
    const seen = new StatTable(1);
    platform.stat(here, SELF, seen, 0);
    const elsewhere = standIns?.open(platform, Buffer.alloc(0), seen, 0);
    const directory = elsewhere === undefined ? found.share() : this.#open.add(elsewhere.handle);
    found.release();
    const table = elsewhere?.table ?? seen;
    const inside = top.target ? filter.top(separator) : undefined;
    const done = Promise.withResolvers<DirectoryResult>();
    await this.#directory(
      directory,
      Buffer.alloc(0),
      { previous: previous?.root, reference: reference?.root },
      inside,
      top,
      mountOf(table, 0),
      0,
      (result) => done.resolve(result),
    );
    intake.flush();
    return failure.guard(done.promise);
  }

  /** Walks one directory; `finished` is called when all of it is resolved, maybe long after this returns. */
  async #directory(
    directory: OpenDirectory,
    path: Buffer,
    roots: OldRoots,
    filter: FolderFilter | undefined,
    top: TopNode | undefined,
    mount: number,
    depth: number,
    finished: (result: DirectoryResult) => void,
  ): Promise<void> {
    const previous = await leavesOf(this.#options.previous?.tree, roots.previous);
    const reference = await leavesOf(this.#options.reference?.tree, roots.reference);
    const { move } = this.#options;
    const anew = move.size > 0 && previous !== undefined && move.has(previous.id.toString("latin1"));
    const build = this.#build(anew ? undefined : previous, finished);
    const listed = listFolder(this.#options, directory.handle, path, top);
    const listing = listed instanceof Promise ? await listed : listed;
    const names = { fresh: 0, known: 0 };
    const at = { directory, path, build, previous, reference, filter, top, mount, depth, names };
    if (listing !== undefined) await this.#rows(at, listing);
    this.counts.renamed += Math.min(names.fresh, (previous?.leaves.rows ?? 0) - names.known);
    directory.release();
    build.end();
    if (!this.#options.hasRoom()) await this.#options.breathe();
  }

  async #rows(at: Folder, listing: Listing): Promise<void> {
    const { platform } = this.#options;
    const [cursor, hints] = [cursorOf(at.previous), cursorOf(at.reference)];
    const table = this.#tables.pop() ?? new StatTable(rowsAtOnce);
    // Then nothing has to be known of a file that did not change, but that.
    const plain = at.top === undefined && hints === undefined && at.filter?.keepsAll === true;
    for (let first = 0; first < listing.count; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, listing.count - first);
      platform.statListed(at.directory.handle, listing, first, count, table);
      for (let row = 0; row < count; row++) {
        const start = listing.offsets[first + row] as number;
        const sought = cursor?.seek(listing.names, start, start + (listing.lengths[first + row] as number));
        const old = sought instanceof Promise ? await sought : sought;
        if (old !== undefined) at.names.known += 1;
        if (!plain || old === undefined || !this.#entries.keeps(at, table, row, old)) {
          const name = nameAt(listing, first + row);
          const hinted = hints?.seek(name);
          const hint = hinted instanceof Promise ? await hinted : hinted;
          const walking = this.#entry(at, name, table, row, old, hint);
          if (walking !== undefined) await walking;
        }
        if (++this.#sinceTurn >= rowsBetweenTurns) await this.#turn();
      }
    }
    this.#tables.push(table);
  }

  /** Lets network and workers have their turn. */
  async #turn(): Promise<void> {
    this.#sinceTurn = 0;
    const { intake, backlog, failure } = this.#options;
    intake.age();
    await new Promise((resolve) => setImmediate(resolve));
    failure.check();
    if (!backlog.hasRoom) {
      intake.flush();
      await failure.guard(backlog.room());
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
    hint: PreviousRow | undefined,
  ): Promise<void> | undefined {
    const errno = table.errno(row);
    if (errno !== 0) {
      this.#options.warn(joinPath(at.path, name), describeSystemError(new SystemError(errno, "stat", name)));
      return undefined;
    }
    const kind = kindOf(table, row);
    if (kind === undefined) {
      this.#options.warn(joinPath(at.path, name), "of an unknown kind; left out");
      return undefined;
    }
    // A portion that is full goes no further than what it compares with.
    if (this.#options.portion.closed && kind !== EntryKind.file && old?.page.entry(old.row).kind !== kind)
      return undefined;
    const top = at.top?.children.get(name.toString("latin1"));
    const isDirectory = kind === EntryKind.directory;
    const verdict =
      at.filter === undefined
        ? testTop(this.#options.filter, at, name, isDirectory, top)
        : at.filter.test(name, isDirectory);
    if (verdict === Verdict.skip) return undefined;
    if (isDirectory && top === undefined && isSnapshotFolder(name)) return undefined;
    if (old === undefined && !isDirectory) at.names.fresh += 1;
    if (name.length > limits.nameBytesMax) {
      this.#options.warn(joinPath(at.path, name), "name over 1,024 bytes; left out");
      return undefined;
    }
    if (isDirectory) return this.#subdirectory(at, name, table, row, old, hint, top, verdict);
    if (kind === EntryKind.file) {
      if (top !== undefined && this.#options.platform.fileSystem(at.directory.handle).pseudo)
        this.#options.warn(
          joinPath(at.path, name),
          "is in a pseudo file system, which has nothing to back up; kept as an empty file",
        );
      if (this.#entries.file(at, name, table, row, old, hint) === "wait")
        return this.#later(() => this.#entries.file(at, name, table, row, old, hint));
      const { intake, failure } = this.#options;
      return intake.hasRoom ? undefined : failure.guard(intake.room());
    }
    this.#entries.other(at, name, table, row, old, kind);
    return undefined;
  }

  /** A file of which it is not known yet whether the portion has room for it. */
  async #later(file: () => "wait" | undefined): Promise<void> {
    const { intake, failure, portion } = this.#options;
    do await failure.guard(portion.settlement(() => intake.flush()));
    while (file() === "wait");
    if (!intake.hasRoom) await failure.guard(intake.room());
  }

  async #subdirectory(
    at: Folder,
    nameView: Buffer,
    seen: StatTable,
    seenRow: number,
    old: PreviousRow | undefined,
    hint: PreviousRow | undefined,
    top: TopNode | undefined,
    verdict: Verdict,
  ): Promise<void> {
    const { platform, warn, standIns } = this.#options;
    const name = Buffer.from(nameView);
    const path = joinPath(at.path, name);
    if (at.depth + 1 >= limits.directoryDepthMax) return warn(path, "deeper than 4,096 folders; left out");
    let [table, row] = [seen, seenRow];
    if (!this.#open.hasRoom(at.depth + 1))
      await this.#options.failure.guard(this.#open.room(at.depth + 1, this.#options.intake));
    let handle: Handle | undefined;
    let listed = true;
    try {
      const elsewhere = standIns?.open(platform, path, seen, seenRow);
      if (elsewhere !== undefined) [table, row] = [elsewhere.table, 0];
      handle = elsewhere?.handle ?? platform.openDirectoryAt(at.directory.handle, name);
      listed = entersMount(this.#options, at.mount, handle, mountOf(table, row), top);
      if (listed && this.#options.excludeCaches && isTaggedCache(platform, handle)) listed = false;
      if (listed && elsewhere?.live === true) standIns?.live(path);
    } catch (error) {
      if (isHoldfastError(error)) throw error;
      warn(path, `folder cannot be opened: ${describeSystemError(error)}`);
    }
    this.#entries.learnDevice(table, row, old);
    const mount = mountOf(table, row);
    const [oldChild, hintChild] = [childOf(old), childOf(hint)];
    const same =
      old !== undefined &&
      oldChild !== undefined &&
      !this.#entries.moved.lacksAttributes(old) &&
      this.#entries.same.folder(table, row, old.page.statAt(old.row, this.#old));
    const draft = same
      ? undefined
      : this.#entries.draft(at, handle, SELF, name, path, table, row, EntryKind.directory);
    const slot = at.build.announce();
    const finished = (result: DirectoryResult): void => {
      if (verdict === Verdict.pass && result.files + result.directories === 0) {
        at.build.resolve(slot, "dropped");
        return;
      }
      this.counts.dirs += 1;
      if (same && old !== undefined && oldChild?.id.equals(result.id) === true) {
        at.build.resolve(slot, old);
        return;
      }
      const { id, plainLength, files, directories, bytes } = result;
      const base = draft ?? (old as PreviousRow).page.draft((old as PreviousRow).row);
      at.build.resolve(slot, { ...base, child: { id, plainLength, files, directories, bytes } });
    };
    if (handle === undefined || !listed) {
      if (handle !== undefined) platform.close(handle);
      return this.#build(undefined, finished).end();
    }
    const inside =
      top === undefined || top.target ? filterInside(this.#options.filter, at, name, path) : undefined;
    const roots = { previous: oldChild, reference: hintChild };
    await this.#directory(this.#open.add(handle), path, roots, inside, top, mount, at.depth + 1, finished);
  }

  #build(
    previous: PreviousDirectory | undefined,
    finished: (result: DirectoryResult) => void,
  ): DirectoryBuild {
    const { splitTable, emitDirectory, backlog } = this.#options;
    const writer = (): DirectoryWriter => new DirectoryWriter(splitTable, emitDirectory);
    return new DirectoryBuild(previous, writer, backlog, finished);
  }
}
