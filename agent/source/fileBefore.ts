// What the previous snapshot has of a file, for the figures of a backup.

import { equalBytes } from "../../vault/bytes.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import type { PreviousRow } from "./previousTree.ts";

/** The file of this name; undefined where there was none. Empty files have no hash. */
export type FileBefore = { readonly hash: Uint8Array | undefined } | undefined;

export function isFile({ page, row }: PreviousRow): boolean {
  return page.entry(row).kind === EntryKind.file;
}

export function fileBefore(old: PreviousRow | undefined): FileBefore {
  return old !== undefined && isFile(old) ? { hash: old.page.draft(old.row).fileHash } : undefined;
}

/** Whether a file was there with other content. */
export function hasChanged(before: FileBefore, hash: Uint8Array | undefined): boolean {
  if (before === undefined) return false;
  return before.hash === undefined || hash === undefined
    ? before.hash !== hash
    : !equalBytes(before.hash, hash);
}
