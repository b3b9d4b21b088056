// Where the walk crosses from one mounted file system into another.

import { driveType } from "../platform/fileSystems.ts";
import type { Handle, Platform } from "../platform/port.ts";
import type { StatTable } from "../platform/statTable.ts";
import type { TopNode } from "./topPaths.ts";

/** What tells one mounted file system from another. */
export function mountOf(table: StatTable, row: number): number {
  return table.mountId(row) || table.device(row);
}

/**
 * Whether the walk goes into a directory of `mount` from a folder of `from`. Not into a drive of ours, unless it is named: each snapshot would hold
 * all before it, once more.
 */
export function entersMount(
  { platform, oneFileSystem }: { readonly platform: Platform; readonly oneFileSystem: boolean },
  from: number,
  handle: Handle,
  mount: number,
  top: TopNode | undefined,
): boolean {
  if (top === undefined && mount === from) return true;
  if (top !== undefined && !top.target) return true; // only on the way to what was named
  const { type, pseudo } = platform.fileSystem(handle);
  if (pseudo) return false;
  return top !== undefined || (!oneFileSystem && type !== driveType);
}
