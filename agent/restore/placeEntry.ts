// Decides what to do with one entry of the snapshot, given what is at its place already, and does it.

import { isLinked, type TreeEntry } from "../../fs/view/treeReader.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { StatTable, EntryKind as SystemKind } from "../platform/statTable.ts";
import { describeSystemError, Errno, SystemError } from "../platform/systemError.ts";
import { isDiskFull, type Rights } from "./applyMetadata.ts";
import type { FileWork } from "./fileWork.ts";
import { HardLinks } from "./hardLinks.ts";
import type { FileJob } from "./jobs.ts";
import { linkTo } from "./linkTo.ts";
import type { MetadataMaker } from "./metadataMaker.ts";
import { placeSpecial } from "./placeSpecial.ts";
import { removeEmptyDirectory, removeTree } from "./removeTree.ts";
import { RestoreFolder } from "./restoreFolder.ts";
import type { Overwrite } from "./restoreTypes.ts";
import type { RunCounts } from "./runCounts.ts";
import { childPath, type TargetDirectories } from "./targetDirectories.ts";

const MiB = 1024 * 1024;
/** From this size on a file that is there already is changed in place. */
const inPlaceBytesMin = 64 * MiB;
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
  readonly delete: boolean;
  readonly release: (folder: RestoreFolder) => void;
  /** Ends the whole restore. */
  readonly fail: (error: unknown) => void;
};

/** What is at the place of an entry. */
export type Present = {
  readonly kind: SystemKind;
  readonly size: number;
  readonly linkCount: number;
  readonly mtimeNs: bigint;
  readonly device: number;
  readonly inode: bigint;
  readonly mode: number;
};

const table = new StatTable(1);

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
    covered: boolean,
  ): Promise<RestoreFolder | undefined> {
    const { platform, directories, counts, dryRun, overwrite } = this.#parts;
    const name = Buffer.from(entry.name);
    try {
      let present = this.#present(folder, name);
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
      return new RestoreFolder({ path, name, parent: folder, metadata, covered, inherits, listing });
    } catch (error) {
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
    this.#links.add(entry, {
      lead: () => {
        const start = this.#start(folder, entry, path, settle)
          .catch((error: unknown) => {
            this.#problem(path, error);
            this.#done(folder, entry.size ?? 0);
            settle(false);
          })
          .catch((error: unknown) => this.#parts.fail(error))
          .finally(() => this.#starts.delete(start));
        this.#starts.add(start);
      },
      link: (first) => {
        const { platform, directories, counts, dryRun } = this.#parts;
        try {
          const present = this.#present(folder, entry.name);
          if (present !== undefined && !this.#clear(folder, entry, path, present)) return;
          counts.action("link", path);
          const place = { directory: folder.path, name: Buffer.from(entry.name) };
          if (!dryRun) linkTo(platform, directories, first, place);
          this.#count(entry);
        } catch (error) {
          this.#problem(path, error);
        } finally {
          this.#done(folder, entry.size ?? 0);
        }
      },
    });
  }

  /** `settled` is told whether the name now has what the snapshot says. */
  async #start(
    folder: RestoreFolder,
    entry: TreeEntry,
    path: Buffer,
    settled: (restored: boolean) => void,
  ): Promise<void> {
    const { counts, dryRun } = this.#parts;
    const present = this.#present(folder, entry.name);
    if (present !== undefined && !this.#clear(folder, entry, path, present)) {
      this.#done(folder, entry.size ?? 0);
      settled(false);
      return;
    }
    const there = present?.kind === SystemKind.directory ? undefined : present;
    if (dryRun) {
      this.#pretend(entry, path, there);
      this.#done(folder, entry.size ?? 0);
      settled(true);
      return;
    }
    const metadata = await this.#parts.metadata.of(entry, there !== undefined || folder.inherits);
    if (entry.kind === EntryKind.file) {
      this.#startFile(folder, entry, path, { there, metadata, settled });
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

  #startFile(
    folder: RestoreFolder,
    entry: TreeEntry,
    path: Buffer,
    start: {
      there: Present | undefined;
      metadata: FileJob["metadata"];
      settled: (restored: boolean) => void;
    },
  ): void {
    const { work, counts } = this.#parts;
    const { there, metadata, settled } = start;
    const size = entry.size ?? 0;
    const old = there?.kind === SystemKind.file ? there : undefined;
    // A name that shares its file with others at the target, but not in the snapshot, gets a file of its own.
    const shared = old !== undefined && old.linkCount > 1 && !isLinked(entry);
    const extent = onlyExtent(entry);
    const job: FileJob = {
      directory: folder.path,
      name: Buffer.from(entry.name),
      size,
      hash: entry.fileHash,
      offset: extent?.offset ?? 0,
      replace: there !== undefined,
      metadata,
    };
    const finished = (restored: boolean, reused: boolean): void => {
      if (restored) this.#count(entry);
      if (reused) counts.reused += 1;
      this.#done(folder, 0);
      settled(restored);
    };
    const action = there === undefined ? "create" : "replace";
    if (size > 0 && extent === undefined) {
      const inPlace = old !== undefined && !shared && size >= inPlaceBytesMin && old.size > 0;
      counts.action(inPlace ? "update" : action, path);
      const mode = { inPlace, base: old !== undefined && old.size > 0 };
      work.large(entry, job, mode, (restored) => finished(restored, false));
      return;
    }
    const write = (): void => {
      counts.action(action, path);
      work.small(job, extent, (restored) => finished(restored, false));
    };
    if (old === undefined || old.size !== size || shared) write();
    else {
      work.verify(job, (right) => {
        if (!right) {
          write();
          return;
        }
        counts.addBytes(size);
        finished(true, true);
      });
    }
  }

  #pretend(entry: TreeEntry, path: Buffer, there: Present | undefined): void {
    const { counts } = this.#parts;
    const same =
      there !== undefined && there.size === (entry.size ?? there.size) && there.mtimeNs === mtimeOf(entry);
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
    if (this.#parts.delete && folder.covered) {
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

  #present(folder: RestoreFolder, name: Uint8Array): Present | undefined {
    if (!folder.had(name)) return undefined;
    const { platform, directories } = this.#parts;
    try {
      platform.stat(directories.at(folder.path), name, table, 0);
    } catch (error) {
      if (error instanceof SystemError && error.errno === Errno.ENOENT) return undefined;
      throw error;
    }
    return {
      kind: table.kind(0),
      size: table.size(0),
      linkCount: table.linkCount(0),
      mtimeNs: table.modifiedNs(0),
      device: table.device(0),
      inode: table.inode(0),
      mode: table.permissions(0),
    };
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
    const { counts } = this.#parts;
    if (
      isHoldfastError(error) &&
      error.code !== ErrorCode.gatewayUnreachable &&
      error.code !== ErrorCode.cancelled
    ) {
      counts.note("error", path, error.code, error.message);
      return;
    }
    if (!(error instanceof SystemError)) throw error;
    if (isDiskFull(error)) {
      throw new HoldfastError(
        ErrorCode.diskFull,
        `no room left at the target: ${describeSystemError(error)}`,
        {
          next: "Make room and run the same command again: it goes on where this one stopped.",
          detail: { path: error.path.toString() },
        },
      );
    }
    counts.note("error", path, ErrorCode.ioError, describeSystemError(error));
  }
}

function mtimeOf(entry: TreeEntry): bigint {
  return BigInt(entry.mtime.seconds) * 1_000_000_000n + BigInt(entry.mtime.nanoseconds);
}

/** The chunk of a file that lies in one, whole or in part. */
function onlyExtent(
  entry: TreeEntry,
): { readonly id: Uint8Array; readonly plainLength: number; readonly offset: number } | undefined {
  if (entry.content?.form !== "inline" || entry.content.extents.length !== 1) return undefined;
  const [extent] = entry.content.extents;
  if (extent === undefined || extent.hole || extent.length > limits.plainBytesMax) return undefined;
  return extent;
}
