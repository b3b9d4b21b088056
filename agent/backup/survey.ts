// Counts what a first backup will hold, so that a person sees how long it takes: there is no former snapshot to estimate by.
// It looks a little ahead of the walk, one piece of a folder at a time, and only what it found in the end counts: half a total
// would be a lie. Whatever it cannot look at is left to the backup to report.

import { setImmediate as breathe } from "node:timers/promises";
import { EntryKind } from "../../vault/tree/entry.ts";
import { driveType } from "../platform/fileSystems.ts";
import { nameAt } from "../platform/listing.ts";
import { type Platform, SELF } from "../platform/port.ts";
import { selectPlatform } from "../platform/select.ts";
import { StatTable } from "../platform/statTable.ts";
import { kindOf } from "../source/entryDraft.ts";
import { Filter, type FolderFilter, Verdict } from "../source/filter.ts";
import { isSnapshotFolder } from "../source/standIns.ts";
import { joinPath } from "../source/walk.ts";
import type { BackupRequest } from "./request.ts";

export type Totals = { readonly files: number; readonly bytes: number };

type Folder = {
  readonly path: Buffer;
  readonly filter: FolderFilter;
  /** In another mounted file system than the folder that it is in; not of what was named. */
  readonly crossed: boolean;
};

const rowsAtOnce = 256;

/** Totals of a request, or undefined when `signal` ended it first. */
export async function survey(request: BackupRequest, signal: AbortSignal): Promise<Totals | undefined> {
  const { complete, ...totals } = await surveyUntil(request, () => signal.aborted);
  return complete ? totals : undefined;
}

/** What was found until `isOver` said so, which is asked after each piece of a folder. `complete`: that is all there is. */
export async function surveyUntil(
  request: BackupRequest,
  isOver: (found: Totals) => boolean,
): Promise<Totals & { readonly complete: boolean }> {
  const platform = selectPlatform();
  const filter = new Filter(request.rules);
  const table = new StatTable(rowsAtOnce);
  const totals = { files: 0, bytes: 0 };
  const pending: Folder[] = request.paths.map(({ path }) => ({
    path,
    filter: filter.top(path),
    crossed: false,
  }));
  for (let folder = pending.pop(); folder !== undefined; folder = pending.pop()) {
    for (const piece of pieces(platform, folder, table, request.oneFileSystem)) {
      totals.files += piece.files;
      totals.bytes += piece.bytes;
      pending.push(...piece.folders);
      await breathe();
      if (isOver(totals)) return { ...totals, complete: false };
    }
  }
  return { ...totals, complete: true };
}

/** What is in a folder, some rows at a time. A folder that cannot be looked at holds nothing. */
function* pieces(
  platform: Platform,
  { path, filter, crossed }: Folder,
  table: StatTable,
  oneFileSystem: boolean,
): Generator<Totals & { readonly folders: readonly Folder[] }> {
  let handle: ReturnType<Platform["openDirectory"]> | undefined;
  try {
    handle = platform.openDirectory(path);
    const { type, pseudo } = platform.fileSystem(handle);
    if (pseudo || (crossed && type === driveType)) return;
    platform.stat(handle, SELF, table, 0);
    const device = table.device(0);
    const listing = platform.list(handle);
    for (let first = 0; first < listing.count; first += rowsAtOnce) {
      const count = Math.min(rowsAtOnce, listing.count - first);
      platform.statListed(handle, listing, first, count, table);
      const folders: Folder[] = [];
      let [files, bytes] = [0, 0];
      for (let row = 0; row < count; row++) {
        const kind = table.errno(row) === 0 ? kindOf(table, row) : undefined;
        if (kind !== EntryKind.file && kind !== EntryKind.directory) continue;
        const name = nameAt(listing, first + row);
        const isFolder = kind === EntryKind.directory;
        if (filter.test(name, isFolder) === Verdict.skip || (isFolder && isSnapshotFolder(name))) continue;
        if (!isFolder) {
          files += 1;
          bytes += table.size(row);
          continue;
        }
        const crossed = table.device(row) !== device;
        if (crossed && oneFileSystem) continue;
        folders.push({ path: joinPath(path, Buffer.from(name)), filter: filter.folder(name), crossed });
      }
      yield { files, bytes, folders };
    }
  } catch {
    // Left to the backup to report.
  } finally {
    if (handle !== undefined) platform.close(handle);
  }
}
