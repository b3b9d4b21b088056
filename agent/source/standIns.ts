// Folders that a walk reads elsewhere than where it finds them: the root of a source in its snapshot, and what is mounted below that where
// it really is, since a snapshot has an empty folder there. Paths, filters and the recorded names stay those of the source.
//
// Invariant: the root of a snapshot is opened only if it is one of its source still, by inode number and birth time: whoever may write in
// the source must not put another folder in its place.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { SELF } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { describeSystemError, displayPath } from "../platform/systemError.ts";

/** Where the shipped scripts keep snapshots of btrfs; never backed up by the way. */
const snapshotFolder = Buffer.from(".holdfast-snapshots");

export function isSnapshotFolder(name: Uint8Array): boolean {
  return snapshotFolder.equals(name);
}

/** A folder that was opened elsewhere, with its attributes in row 0. */
export type OpenedElsewhere = {
  readonly handle: Handle;
  readonly table: StatTable;
  /** It is read as it is, and not from a snapshot. */
  readonly live: boolean;
};

/** What tells a folder from others, also in a snapshot. */
export type Identity = { readonly inode: bigint; readonly bornNs: bigint };

export function identityOf(table: StatTable, row: number): Identity {
  const bornNs = BigInt(table.bornSeconds(row)) * 1_000_000_000n + BigInt(table.bornNanoseconds(row));
  return { inode: table.inode(row), bornNs };
}

/** Whether one is the other in a snapshot. A birth time of 0: the file system has none. */
export function isSame(one: Identity, other: Identity): boolean {
  const known = one.bornNs !== 0n && other.bornNs !== 0n;
  return one.inode === other.inode && (!known || one.bornNs === other.bornNs);
}

export type SourceSnapshot = {
  /** Absolute; of the root of a file system or subvolume. */
  readonly source: Buffer;
  readonly identity: Identity;
  /** Where its snapshot is. */
  readonly snapshot: Buffer;
};

/** Number of the empty folder that a snapshot of btrfs has in the place of another subvolume. */
const otherSubvolume = 2n;

export class StandIns {
  readonly #snapshots: ReadonlyMap<string, SourceSnapshot>;
  readonly #mountPoints: ReadonlySet<string>;
  /** Told of each folder that is read as it is, although it is below a source. */
  readonly live: (path: Buffer) => void;

  /** @param mountPoints all that is mounted, absolute */
  constructor(
    snapshots: readonly SourceSnapshot[],
    mountPoints: readonly Buffer[],
    live: (path: Buffer) => void,
  ) {
    const isBelow = (path: Buffer): boolean =>
      snapshots.some(
        ({ source }) =>
          path.length > source.length && path.toString("latin1").startsWith(`${withoutSlash(source)}/`),
      );
    this.#snapshots = new Map(snapshots.map((each) => [withoutSlash(each.source), each]));
    this.#mountPoints = new Set(mountPoints.filter(isBelow).map(withoutSlash));
    this.live = live;
  }

  /**
   * Opens a folder elsewhere where that is to be. `path` is that of the walk (empty for the root), `table` what the walk sees there.
   * @throws HoldfastError hook-failed for a snapshot that is none, or not there, any more; SystemError
   */
  open(platform: Platform, path: Buffer, table: StatTable, row: number): OpenedElsewhere | undefined {
    const name = path.toString("latin1");
    const snapshot = this.#snapshots.get(name);
    if (snapshot !== undefined) return openSnapshot(platform, snapshot);
    if (this.#mountPoints.has(name)) return openLive(platform, path);
    if (path.length === 0 || table.inode(row) !== otherSubvolume) return undefined;
    const opened = openLive(platform, path);
    if (platform.fileSystem(opened.handle).type === "btrfs") return opened;
    platform.close(opened.handle);
    return undefined;
  }
}

/** A path without a slash at its end, by its bytes. */
function withoutSlash(path: Buffer): string {
  return path.toString("latin1").replace(/\/$/, "");
}

/**
 * Opens the root of a snapshot. One that cannot be opened is no folder that a backup may leave out: nothing of its source would be there.
 * @throws HoldfastError hook-failed where it is no snapshot of the source, or cannot be opened
 */
export function openSnapshot(
  platform: Platform,
  { source, identity, snapshot }: SourceSnapshot,
): OpenedElsewhere {
  let opened: OpenedElsewhere;
  try {
    opened = openFolder(platform, snapshot, false);
  } catch (cause) {
    const why = `the snapshot of ${displayPath(source)} cannot be opened: ${describeSystemError(cause)}`;
    throw new HoldfastError(ErrorCode.hookFailed, why, { next: "See docs/hooks.md.", cause });
  }
  if (isSame(identityOf(opened.table, 0), identity)) return opened;
  platform.close(opened.handle);
  throw new HoldfastError(
    ErrorCode.hookFailed,
    `${displayPath(snapshot)} is no snapshot of ${displayPath(source)}: it is another folder, or was unmounted`,
    { next: "See docs/hooks.md for what a create script is to print, and when a snapshot runs out of room." },
  );
}

function openLive(platform: Platform, path: Buffer): OpenedElsewhere {
  return openFolder(platform, path, true);
}

function openFolder(platform: Platform, path: Buffer, live: boolean): OpenedElsewhere {
  const handle = platform.openDirectory(path);
  try {
    const table = new StatTable(1);
    platform.stat(handle, SELF, table, 0);
    return { handle, table, live };
  } catch (error) {
    platform.close(handle);
    throw error;
  }
}
