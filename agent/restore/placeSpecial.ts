// Makes symbolic links, FIFOs and device nodes.

import type { TreeEntry } from "../../fs/view/treeReader.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { StatTable, EntryKind as SystemKind } from "../platform/statTable.ts";
import { applyMetadata, type Rights } from "./applyMetadata.ts";
import { besideName } from "./besideName.ts";
import type { Metadata } from "./jobs.ts";
import { moveInPlace, removeQuietly } from "./writeSmall.ts";

const newMode = 0o600;
const none = Buffer.alloc(0);
const table = new StatTable(1);

export type SpecialToPlace = {
  readonly platform: Platform;
  readonly rights: Rights;
  readonly handle: Handle;
  readonly entry: TreeEntry;
  /** What has the name now; not a directory. */
  readonly present: { readonly kind: SystemKind; readonly linkCount: number } | undefined;
  readonly metadata: Metadata;
};

/** Makes the object, or keeps the one that is there and right; returns what could not be set. @throws SystemError */
export function placeSpecial(special: SpecialToPlace): string[] {
  const { platform, rights, handle, entry, present, metadata } = special;
  const name = Buffer.from(entry.name);
  const target = {
    platform,
    rights,
    handle,
    symlink: entry.kind === EntryKind.symlink,
    existing: false,
    likely: true,
  };
  if (present !== undefined && isRight(special, name)) {
    return applyMetadata({ ...target, name, existing: true }, metadata);
  }
  if (present === undefined) {
    make(platform, handle, name, entry);
    return applyMetadata({ ...target, name }, metadata);
  }
  const beside = besideName(name, entry.target ?? none);
  removeQuietly(platform, handle, beside);
  make(platform, handle, beside, entry);
  const problems = applyMetadata({ ...target, name: beside }, metadata);
  moveInPlace(platform, handle, beside, name);
  return problems;
}

function isRight({ platform, handle, entry, present }: SpecialToPlace, name: Buffer): boolean {
  if (present === undefined || (present.linkCount > 1 && entry.linkCount === 1)) return false;
  switch (entry.kind) {
    case EntryKind.symlink:
      return (
        present.kind === SystemKind.symlink && platform.readLink(handle, name).equals(entry.target ?? none)
      );
    case EntryKind.fifo:
      return present.kind === SystemKind.fifo;
    default: {
      const wanted =
        entry.kind === EntryKind.characterDevice ? SystemKind.characterDevice : SystemKind.blockDevice;
      platform.stat(handle, name, table, 0);
      return (
        table.kind(0) === wanted &&
        table.deviceMajor(0) === entry.major &&
        table.deviceMinor(0) === entry.minor
      );
    }
  }
}

function make(platform: Platform, handle: Handle, name: Buffer, entry: TreeEntry): void {
  switch (entry.kind) {
    case EntryKind.symlink:
      platform.makeSymlink(handle, name, entry.target ?? none);
      return;
    case EntryKind.fifo:
      platform.makeFifo(handle, name, newMode);
      return;
    case EntryKind.characterDevice:
    case EntryKind.blockDevice: {
      const kind = entry.kind === EntryKind.blockDevice ? "blockDevice" : "characterDevice";
      platform.makeDevice(handle, name, kind, newMode, entry.major ?? 0, entry.minor ?? 0);
      return;
    }
    default:
      throw new HoldfastError(ErrorCode.corrupt, `an entry of kind ${entry.kind} is no special file`);
  }
}
