// One restore: walks the tree of the snapshot and puts everything at its place below the target.
//
// Invariants: a directory gets its metadata when everything in it is finished, children before parents; a name is counted done once;
// after a failure that ends the run nothing new is started, and what is under way is waited for.

import { ContentReader } from "../../fs/view/contentReader.ts";
import { isDamage } from "../../fs/view/damage.ts";
import { createCaches, RecordOpener } from "../../fs/view/recordOpener.ts";
import { type TreeEntry, TreeReader } from "../../fs/view/treeReader.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { pathToText, textToPath } from "../../vault/pathText.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import { selectEngines } from "../platform/engines.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { applyMetadata, processRights } from "./applyMetadata.ts";
import { CoveredPaths } from "./coveredPaths.ts";
import { FileWork } from "./fileWork.ts";
import { FolderRows } from "./folderRows.ts";
import { MetadataMaker } from "./metadataMaker.ts";
import { NeedList } from "./needList.ts";
import { noteProblem } from "./noteProblem.ts";
import { PagesAhead } from "./pagesAhead.ts";
import { PlaceEntry } from "./placeEntry.ts";
import { RecordFetcher } from "./recordFetcher.ts";
import { RestoreFolder } from "./restoreFolder.ts";
import { RestorePool } from "./restorePool.ts";
import type { RestoreOptions, RestoreResult } from "./restoreTypes.ts";
import { RunCounts } from "./runCounts.ts";
import { type StrangerParts, Strangers } from "./strangers.ts";
import { childPath, TargetDirectories } from "./targetDirectories.ts";
import { whyTwin } from "./twinNames.ts";

const KiB = 1024;
const pageCacheBytes = 16 * KiB * KiB;
const empty = Buffer.alloc(0);

export class RestoreRun {
  readonly #options: RestoreOptions;
  readonly #platform: Platform;
  readonly #tree: TreeReader;
  readonly #ahead: PagesAhead;
  readonly #directories: TargetDirectories;
  readonly #target: Handle;
  readonly #made: boolean;
  readonly #counts: RunCounts;
  readonly #pool: RestorePool;
  readonly #fetcher: RecordFetcher;
  readonly #work: FileWork;
  readonly #place: PlaceEntry;
  readonly #metadata: MetadataMaker;
  readonly #stop = new AbortController();
  readonly #engines = selectEngines();
  readonly #rights = processRights();
  readonly #covered: CoveredPaths;
  readonly #strangers: Strangers;
  readonly #snapshotPath: Buffer;
  readonly #needs: NeedList | undefined;

  constructor(options: RestoreOptions, platform: Platform, target: { handle: Handle; made: boolean }) {
    const { keys, source, snapshot } = options;
    const { group } = snapshot.header;
    const caches = createCaches(0, pageCacheBytes);
    const opener = new RecordOpener({ source, keys, group, caches, engines: this.#engines });
    this.#options = options;
    this.#platform = platform;
    this.#target = target.handle;
    this.#made = target.made;
    this.#tree = new TreeReader(opener);
    this.#ahead = new PagesAhead(this.#tree, this.#stop.signal);
    this.#directories = new TargetDirectories(platform, target.handle);
    this.#snapshotPath = options.path.reduce<Buffer>((path, name) => childPath(path, name), empty);
    this.#covered = new CoveredPaths(snapshot.body.paths.map(textToPath), this.#snapshotPath);
    this.#counts = new RunCounts(options, this.#snapshotPath);
    this.#metadata = new MetadataMaker(platform, this.#tree, options.ownerByName);
    this.#pool = new RestorePool({ keys, group, target: target.handle, threads: options.threads });
    this.#fetcher = new RecordFetcher(source, toHex(keys.vaultId), group, this.#stop.signal);
    this.#needs = options.needOut === undefined ? undefined : new NeedList(options.needOut, group);
    this.#work = new FileWork({
      needs: this.#needs && { list: this.#needs, targetIsNew: target.made },
      pool: this.#pool,
      fetcher: this.#fetcher,
      content: new ContentReader(opener),
      keys,
      group,
      signal: this.#stop.signal,
      onBytes: (bytes) => this.#counts.addBytes(bytes),
      onFailure: (error) => this.#stop.abort(error),
      onNote: (job, note) => {
        const path = childPath(job.directory, job.name);
        this.#counts.note(note.failed ? "error" : "warning", path, note.code, note.message);
        if (note.fatal) this.#stop.abort(this.#diskFull(path));
      },
    });
    const parts: StrangerParts = {
      platform,
      directories: this.#directories,
      counts: this.#counts,
      dryRun: options.dryRun,
      delete: options.delete,
    };
    this.#strangers = new Strangers(parts);
    this.#place = new PlaceEntry({
      ...parts,
      work: this.#work,
      metadata: this.#metadata,
      rights: this.#rights,
      overwrite: options.overwrite,
      lists: this.#needs !== undefined,
      release: (folder) => this.#release(folder),
      fail: (error) => this.#stop.abort(error),
    });
  }

  /** @throws HoldfastError disk-full, cancelled, not-found, gateway-unreachable, ... */
  async run(): Promise<RestoreResult> {
    const cancel = () => this.#stop.abort(new HoldfastError(ErrorCode.cancelled, "the restore was stopped"));
    const { signal } = this.#options;
    signal?.addEventListener("abort", cancel, { once: true });
    if (signal?.aborted === true) cancel();
    try {
      await this.#restore();
      this.#stop.signal.throwIfAborted();
      const result = this.#counts.result(this.#fetcher);
      if (this.#needs === undefined) return result;
      return { ...result, needed: { chunks: await this.#needs.write(), bytes: this.#needs.bytes } };
    } catch (error) {
      this.#stop.abort(error);
      throw this.#stop.signal.reason;
    } finally {
      signal?.removeEventListener("abort", cancel);
      await this.#work.end();
      await this.#pool.close();
      this.#needs?.close();
      this.#directories.close();
      this.#engines.close();
    }
  }

  async #restore(): Promise<void> {
    const { path, snapshot } = this.#options;
    const { header, body } = snapshot;
    if (path.length === 0) {
      this.#counts.setTotals(body.files + body.others, body.bytes);
      await this.#walk(Buffer.from(header.root), this.#rootFolder(undefined));
    } else {
      const entry = await this.#tree.walk(header.root, path, this.#stop.signal);
      this.#counts.setTotals(entry.child?.files ?? 1, entry.child?.bytes ?? entry.size ?? 0);
      if (entry.child !== undefined) {
        const metadata = this.#made ? await this.#metadata.of(entry, true) : undefined;
        await this.#walk(Buffer.from(entry.child.id), this.#rootFolder(metadata));
      } else {
        // One file: its folder is the target, which is not touched beyond it.
        const folder = this.#rootFolder(undefined, true);
        this.#counts.setSingle();
        await this.#place.entry(folder, entry, this.#stop.signal);
        this.#release(folder);
      }
    }
    do await this.#work.drained();
    while (await this.#place.caughtUp());
  }

  #rootFolder(metadata: RestoreFolder["metadata"], single = false): RestoreFolder {
    const listing = this.#made ? undefined : this.#platform.list(this.#target);
    return new RestoreFolder({
      path: empty,
      name: empty,
      parent: undefined,
      metadata,
      known: !single && this.#covered.has(empty) ? "all" : "some",
      device: undefined,
      inherits: this.#place.hasDefaultAcl(this.#target),
      listing,
    });
  }

  /** Walks depth first in the order of names, which is the order in which small files share chunks. */
  async #walk(page: Buffer, root: RestoreFolder): Promise<void> {
    const { signal } = this.#stop;
    const levels: FolderRows[] = [this.#rows(root, page)];
    for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
      signal.throwIfAborted();
      const { folder } = level;
      let entry: TreeEntry | undefined;
      try {
        entry = await level.next();
        if (entry === undefined) this.#strangers.remove(folder, undefined);
      } catch (error) {
        // A damaged page costs the rest of its directory and no more; nothing is deleted for it.
        this.#unreadable(folder, error);
      }
      if (entry === undefined) {
        levels.pop();
        this.#release(folder);
        continue;
      }
      this.#strangers.remove(folder, entry.name);
      await this.#work.room();
      if (this.#isTwin(folder, entry)) continue;
      if (entry.kind !== EntryKind.directory) await this.#place.entry(folder, entry, signal);
      else {
        const below = await this.#enter(folder, entry);
        if (below !== undefined) levels.push(below);
      }
    }
  }

  #rows(folder: RestoreFolder, page: Buffer): FolderRows {
    const leaves = this.#tree.leaves(page, 0, this.#stop.signal);
    return new FolderRows(folder, leaves, (id) => this.#ahead.passed(id));
  }

  async #enter(folder: RestoreFolder, entry: TreeEntry): Promise<FolderRows | undefined> {
    const path = childPath(folder.path, entry.name);
    const child = entry.child;
    if (child === undefined) throw new HoldfastError(ErrorCode.corrupt, "a directory without a page");
    if (folder.depth >= limits.directoryDepthMax) {
      this.#counts.note("error", path, ErrorCode.limitExceeded, "directories nested too deeply");
      return undefined;
    }
    const known = this.#strangers.known(folder, entry, this.#covered.has(path));
    const made = await this.#place.directory(folder, entry, path, known);
    if (made === undefined) {
      this.#passOver(entry);
      return undefined;
    }
    folder.open += 1;
    return this.#rows(made, Buffer.from(child.id));
  }

  /** Whether another name of the folder is the same at the target; a dry run does not know. */
  #isTwin(folder: RestoreFolder, entry: TreeEntry): boolean {
    if (this.#options.dryRun) return false;
    const why = whyTwin(this.#platform, this.#directories, folder, entry.name);
    if (why === undefined) return false;
    this.#counts.note("error", childPath(folder.path, entry.name), ErrorCode.exists, why);
    this.#passOver(entry);
    return true;
  }

  #passOver({ child, size = 0 }: TreeEntry): void {
    if (child !== undefined) this.#ahead.passed(child.id);
    this.#counts.addFiles(child?.files ?? 1, child?.bytes ?? size);
  }

  #unreadable(folder: RestoreFolder, error: unknown): void {
    if (!isDamage(error)) throw error;
    this.#counts.note("error", folder.path, error.code, `not all of this directory: ${error.message}`);
  }

  /** One thing in a folder is finished; the last one finishes the folder. */
  #release(folder: RestoreFolder): void {
    for (let at: RestoreFolder | undefined = folder; at !== undefined; at = at.parent) {
      at.open -= 1;
      if (at.open > 0) return;
      this.#finish(at);
    }
  }

  #finish(folder: RestoreFolder): void {
    if (folder.metadata === undefined || this.#options.dryRun || this.#stop.signal.aborted) return;
    const { parent } = folder;
    try {
      const handle = parent === undefined ? this.#target : this.#directories.at(parent.path);
      const name = parent === undefined ? SELF : folder.name;
      const target = { platform: this.#platform, rights: this.#rights, handle, name, symlink: false };
      const existing = folder.listing !== undefined;
      for (const problem of applyMetadata({ ...target, existing, likely: true }, folder.metadata)) {
        this.#counts.note("warning", folder.path, ErrorCode.ioError, problem);
      }
    } catch (error) {
      noteProblem(this.#counts, folder.path, error);
    }
  }

  #diskFull(path: Buffer): HoldfastError {
    const shown = pathToText(childPath(this.#target.path, path));
    return new HoldfastError(ErrorCode.diskFull, `no room left at the target, at ${shown}`, {
      next: "Make room and run the same command again: it goes on where this one stopped.",
      detail: { path: shown },
    });
  }
}
