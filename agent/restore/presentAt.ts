// What is at the target already under a name.

import type { Platform } from "../platform/port.ts";
import { type EntryKind, StatTable } from "../platform/statTable.ts";
import { isAbsent } from "./applyMetadata.ts";
import type { RestoreFolder } from "./restoreFolder.ts";
import type { TargetDirectories } from "./targetDirectories.ts";

/** What has a name at the target. */
export type Present = {
  readonly kind: EntryKind;
  readonly size: number;
  /** Room that it takes on the disk; less than its size where it has holes. */
  readonly allocatedBytes: number;
  readonly linkCount: number;
  readonly mtimeNs: bigint;
  readonly mode: number;
};

const table = new StatTable(1);

/** What has this name in a folder, or undefined. Costs nothing where the folder did not have it before. @throws SystemError */
export function presentAt(
  { platform, directories }: { readonly platform: Platform; readonly directories: TargetDirectories },
  folder: RestoreFolder,
  name: Uint8Array,
): Present | undefined {
  if (!folder.had(name)) return undefined;
  try {
    platform.stat(directories.at(folder.path), name, table, 0);
  } catch (error) {
    if (isAbsent(error)) return undefined;
    throw error;
  }
  return {
    kind: table.kind(0),
    size: table.size(0),
    allocatedBytes: table.allocatedBytes(0),
    linkCount: table.linkCount(0),
    mtimeNs: table.modifiedNs(0),
    mode: table.permissions(0),
  };
}
