// Decides what to do with one entry of the snapshot, given what is at its place already, and does it.

import { isLinked, type TreeEntry } from "../../fs/view/treeReader.ts";
import { ErrorCode } from "../../vault/errors.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { EntryKind as SystemKind } from "../platform/statTable.ts";
import { describeSystemError, SystemError } from "../platform/systemError.ts";
import { treeKind } from "../source/entryDraft.ts";
import type { Rights } from "./applyMetadata.ts";
import type { FileWork } from "./fileWork.ts";
import { HardLinks, type LinkName } from "./hardLinks.ts";
import { isLinkRefused, linkTo } from "./linkTo.ts";
import type { MetadataMaker } from "./metadataMaker.ts";
import { noteProblem } from "./noteProblem.ts";
import { placeFile } from "./placeFile.ts";
import { placeSpecial } from "./placeSpecial.ts";
import { type Present, presentAt } from "./presentAt.ts";
import { removeEmptyDirectory, removeTree } from "./removeTree.ts";
import { type Known, RestoreFolder } from "./restoreFolder.ts";
import type { Overwrite } from "./restoreTypes.ts";
import type { RunCounts } from "./runCounts.ts";
import { childPath, type TargetDirectories } from "./targetDirectories.ts";

const ownerRights = 0o700;
const defaultAcl = "system.posix_acl_default";

export type PlaceParts = {
  readonly platform: Platform;
  readonly directories: TargetDirectories;
  readonly work: FileWork;
  readonly counts: RunCounts;
  readonly metadata: MetadataMaker;
  readonly rights: Rights;
  readonly overwrite: Overwrite;
  readonly dryRun: boolean;
  /** In a dry run: files are handed to the workers all the same, who only look. */
  readonly lists: boolean;
  readonly delete: boolean;
  readonly release: (folder: RestoreFolder) => void;
  /** Ends the whole restore. */
  readonly fail: (error: unknown) => void;
};

export class PlaceEntry {
  readonly #parts: PlaceParts;
  readonly #links = new HardLinks();
  /** First names of linked files that are being looked at. */
  readonly #starts = new Set<Promise<void>>();

  constructor(parts: PlaceParts) {
    this.#parts = parts;
  }

  /** Whether what is made in this directory gets attributes by itself. */
  hasDefaultAcl(directory: Handle): boolean {
    const { platform } = this.#parts;
    return platform.xattrs(directory, SELF).some(({ name }) => name.toString("latin1") === defaultAcl);
  }

  /** Makes or takes over a directory; undefined where that failed or is not wanted, and everything below is passed over. */
  async directory(
    folder: RestoreFolder,
    entry: TreeEntry,
    path: Buffer,
    known: Known,
  ): Promise<RestoreFolder | undefined> {
    const { platform, directories, counts, dryRun, lists, overwrite } = this.#parts;
    const name = Buffer.from(entry.name);
    try {
      let present = presentAt(this.#parts, folder, name);
      if (present !== undefined && present.kind !== SystemKind.directory) {
        if (!this.#mayReplace(entry, present)) {
          counts.kept += entry.child?.files ?? 0;
          counts.action("keep", path);
          return undefined;
        }
        counts.action("replace", path);
        if (!dryRun) platform.removeFile(directories.at(folder.path), name);
        present = undefined;
      }
      counts.directories += 1;
      const fresh = present === undefined;
      let inherits = folder.inherits;
      if (present === undefined) {
        counts.action("create", path);
        if (!dryRun) platform.makeDirectory(directories.at(folder.path), name, ownerRights);
      } else if (!dryRun && (present.mode & ownerRights) !== ownerRights && !this.#parts.rights.root) {
        // Else nothing could be put in; the archived mode is set at the end.
        platform.setMode(directories.at(folder.path), name, present.mode | ownerRights);
      }
      if (!fresh) inherits = this.hasDefaultAcl(directories.at(path));
      const keep = !fresh && overwrite !== "always" && !this.#mayReplace(entry, present as Present);
      const metadata = keep ? undefined : await this.#parts.metadata.of(entry, !fresh || inherits);
      const listing = fresh ? undefined : platform.list(directories.at(path));
      return new RestoreFolder({
        path,
        name,
        parent: folder,
        metadata,
        known,
        device: entry.device,
        inherits,
        listing,
      });
    } catch (error) {
      if (lists && error instanceof SystemError) {
        // A restore gives itself the rights first; without them nothing here is known to be right.
        const metadata = undefined;
        return new RestoreFolder({
          ...{ path, name, parent: folder, metadata, known, device: entry.device },
          ...{ inherits: false, listing: undefined },
        });
      }
      this.#problem(path, error);
      return undefined;
    }
  }

  /** Restores anything but a directory, or starts to. */
  async entry(folder: RestoreFolder, entry: TreeEntry, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    folder.open += 1;
    const path = childPath(folder.path, entry.name);
    try {
      if (entry.kind === EntryKind.socket) {
        this.#parts.counts.note("info", path, ErrorCode.unsupported, "a socket is not restored");
        this.#done(folder, 0);
        return;
      }
      if (!isLinked(entry)) {
        await this.#start(folder, entry, path, () => undefined);
        return;
      }
      this.#addLink(folder, entry, path);
    } catch (error) {
      this.#problem(path, error);
      this.#done(folder, entry.size ?? 0);
    }
  }

  /** Waits for what the end of other files brought up; false when there was nothing. */
  async caughtUp(): Promise<boolean> {
    if (this.#starts.size === 0) return false;
    await Promise.all(this.#starts);
    return true;
  }

  #addLink(folder: RestoreFolder, entry: TreeEntry, path: Buffer): void {
    const settle = (restored: boolean): void => {
      const place = { directory: folder.path, name: Buffer.from(entry.name) };
      this.#links.settled(entry, restored ? place : undefined);
    };
    const lead = (): void => {
      const start = this.#start(folder, entry, path, settle)
        .catch((error: unknown) => {
          this.#problem(path, error);
          this.#done(folder, entry.size ?? 0);
          settle(false);
        })
        .catch((error: unknown) => this.#parts.fail(error))
        .finally(() => this.#starts.delete(start));
      this.#starts.add(start);
    };
    const link = (first: LinkName): void => {
      try {
        this.#link(folder, entry, path, first);
      } catch (error) {
        if (isLinkRefused(error)) {
          const why = `${describeSystemError(error)}; it is restored as a file of its own`;
          this.#parts.counts.note("warning", path, ErrorCode.ioError, why);
          // Names that are yet to come are linked to this one.
          lead();
          return;
        }
        this.#problem(path, error);
      }
      this.#done(folder, entry.size ?? 0);
    };
    this.#links.add(entry, { lead, link });
  }

  #link(folder: RestoreFolder, entry: TreeEntry, path: Buffer, first: LinkName): void {
    const { platform, directories, counts, dryRun } = this.#parts;
    const present = presentAt(this.#parts, folder, entry.name);
    if (present !== undefined && !this.#clear(folder, entry, path, present)) return;
    const place = { directory: folder.path, name: Buffer.from(entry.name) };
    if (!dryRun) linkTo(platform, directories, first, place);
    counts.action("link", path);
    this.#count(entry);
  }

  /** `settled` is told whether the name now has what the snapshot says. */
  async #start(
    folder: RestoreFolder,
    entry: TreeEntry,
    path: Buffer,
    settled: (restored: boolean) => void,
  ): Promise<void> {
    const { counts, dryRun, lists } = this.#parts;
    const present = presentAt(this.#parts, folder, entry.name);
    if (present !== undefined && !this.#clear(folder, entry, path, present)) {
      this.#done(folder, entry.size ?? 0);
      settled(false);
      return;
    }
    const there = present?.kind === SystemKind.directory ? undefined : present;
    if (dryRun && !(lists && entry.kind === EntryKind.file)) {
      this.#pretend(entry, path, there);
      this.#done(folder, entry.size ?? 0);
      settled(true);
      return;
    }
    const metadata = await this.#parts.metadata.of(entry, there !== undefined || folder.inherits);
    if (entry.kind === EntryKind.file) {
      const finished = (restored: boolean, reused: boolean): void => {
        if (restored) this.#count(entry);
        if (reused) counts.reused += 1;
        this.#done(folder, 0);
        settled(restored);
      };
      const file = { entry, directory: folder.path, path, there, metadata, finished };
      placeFile(this.#parts.work, counts, file);
      return;
    }
    const { platform, directories, rights } = this.#parts;
    const problems = placeSpecial({
      platform,
      rights,
      handle: directories.at(folder.path),
      entry,
      present: there,
      metadata,
    });
    for (const problem of problems) counts.note("warning", path, ErrorCode.ioError, problem);
    counts.action(there === undefined ? "create" : "replace", path);
    this.#count(entry);
    this.#done(folder, 0);
    settled(true);
  }

  #pretend(entry: TreeEntry, path: Buffer, there: Present | undefined): void {
    const { counts } = this.#parts;
    const same =
      there !== undefined &&
      treeKind(there.kind) === entry.kind &&
      there.size === (entry.size ?? there.size) &&
      there.mtimeNs === mtimeOf(entry);
    if (same) counts.reused += 1;
    else counts.action(there === undefined ? "create" : "replace", path);
    this.#count(entry);
  }

  /** Whether the entry may go where something is; a directory in its way is removed when it is empty or `--delete` was given. */
  #clear(folder: RestoreFolder, entry: TreeEntry, path: Buffer, present: Present): boolean {
    const { platform, directories, counts, dryRun } = this.#parts;
    if (!this.#mayReplace(entry, present)) {
      counts.kept += 1;
      counts.action("keep", path);
      return false;
    }
    if (present.kind !== SystemKind.directory || dryRun) return true;
    const handle = directories.at(folder.path);
    if (this.#parts.delete && folder.known === "all") {
      counts.deleted += removeTree(platform, handle, entry.name);
      return true;
    }
    if (removeEmptyDirectory(platform, handle, entry.name)) return true;
    counts.note("error", path, ErrorCode.exists, "a directory that is not empty is in its place");
    return false;
  }

  #mayReplace(entry: TreeEntry, present: Present): boolean {
    const { overwrite } = this.#parts;
    return overwrite === "always" || (overwrite === "newer" && mtimeOf(entry) > present.mtimeNs);
  }

  #count(entry: TreeEntry): void {
    if (entry.kind === EntryKind.file) this.#parts.counts.files += 1;
    else this.#parts.counts.others += 1;
  }

  #done(folder: RestoreFolder, bytes: number): void {
    this.#parts.counts.addFiles(1, bytes);
    this.#parts.release(folder);
  }

  #problem(path: Buffer, error: unknown): void {
    noteProblem(this.#parts.counts, path, error);
  }
}

function mtimeOf(entry: TreeEntry): bigint {
  return BigInt(entry.mtime.seconds) * 1_000_000_000n + BigInt(entry.mtime.nanoseconds);
}
