// Sets owner, mode, attributes and times of a restored object, in the order in which nothing undoes what came before.

import { parseXattrs, type Xattr } from "../../vault/tree/xattrs.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { StatTable } from "../platform/statTable.ts";
import { describeSystemError, Errno, SystemError } from "../platform/systemError.ts";
import type { Metadata } from "./jobs.ts";

const setIdBits = 0o6000;
const permissionBits = 0o1777;

/** Who restores: only root can give files away. */
export type Rights = { readonly root: boolean; readonly uid: number; readonly gid: number };

/** The rights of this process. */
export function processRights(): Rights {
  const uid = process.geteuid?.() ?? 0;
  return { root: uid === 0, uid, gid: process.getegid?.() ?? 0 };
}

export type MetadataTarget = {
  readonly platform: Platform;
  readonly rights: Rights;
  readonly handle: Handle;
  /** SELF for what is behind the handle. */
  readonly name: Uint8Array;
  readonly symlink: boolean;
  /** The object was there before: only what differs is set, so that the change time of what is right stays. */
  readonly existing: boolean;
  /** The object may have the right owner and mode already: it is asked, which is cheaper than to set them. */
  readonly likely?: boolean;
};

const table = new StatTable(1);

/** Gives the object this metadata and returns what could not be set, one line each. Throws only where the disk is full. */
export function applyMetadata(target: MetadataTarget, metadata: Metadata): string[] {
  const { platform, rights, handle, name, symlink, existing } = target;
  const { uid, gid, mtimeNs } = metadata;
  const problems: string[] = [];
  const attempt = (what: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof SystemError) || isDiskFull(error)) throw error;
      problems.push(`${what} not set: ${describeSystemError(error)}`);
    }
  };
  const found = existing || target.likely === true ? foundAt(target) : undefined;
  const owner = rights.root && !(found?.uid === uid && found.gid === gid);
  if (owner) attempt("owner", () => platform.setOwner(handle, name, uid, gid));
  const mode = allowedMode(rights, metadata);
  // A new owner may have cost the file its set-id bits.
  if (!symlink && (owner || found?.mode !== mode))
    attempt("mode", () => platform.setMode(handle, name, mode));
  if (platform.capabilities.xattrs) {
    const wanted = metadata.xattrs.length === 0 ? [] : parseXattrs(metadata.xattrs);
    let present: readonly Xattr[] = [];
    // Only now: an owner that is set takes capabilities away, and a mode changes ACLs.
    if (existing || metadata.cleanXattrs) {
      attempt("attributes", () => {
        present = platform.xattrs(handle, name);
      });
    }
    if (metadata.cleanXattrs) attempt("attributes", () => removeOthers(target, present, wanted));
    for (const xattr of wanted) {
      if (present.some((other) => other.name.equals(xattr.name) && other.value.equals(xattr.value))) continue;
      attempt(`attribute ${xattr.name.toString("latin1")}`, () => platform.setXattr(handle, name, xattr));
    }
  } else if (metadata.xattrs.length > 0) problems.push("attributes not set: this platform cannot");
  if (!existing || found?.mtimeNs !== mtimeNs) {
    attempt("times", () => platform.setTimes(handle, name, undefined, mtimeNs));
  }
  return problems;
}

type Found = {
  readonly uid: number;
  readonly gid: number;
  readonly mode: number;
  readonly mtimeNs: bigint | undefined;
};

/** What the object has now; undefined where it cannot be looked at, and everything is to be set. */
function foundAt({ platform, handle, name, existing }: MetadataTarget): Found | undefined {
  try {
    platform.stat(handle, name, table, 0);
  } catch (error) {
    if (error instanceof SystemError) return undefined;
    throw error;
  }
  return {
    uid: table.uid(0),
    gid: table.gid(0),
    mode: table.permissions(0),
    mtimeNs: existing ? table.modifiedNs(0) : undefined,
  };
}

/**
 * The mode to make a new file with: its own where it will belong to whoever makes it and its group may do what all may, so that nothing
 * is left to set; else one that lets in nobody before it has its owner. Rights to write for others come last in any case.
 */
export function newFileMode({ uid, gid }: Rights, { uid: owner, gid: group, mode }: Metadata): number {
  const open = uid === owner && gid === group && ((mode >> 3) & 0o5) === (mode & 0o5);
  return open ? (mode & 0o755) | 0o600 : 0o600;
}

/** Without its owner a set-id bit would lend the wrong person's rights. */
function allowedMode(rights: Rights, metadata: Metadata): number {
  if (rights.root || (metadata.mode & setIdBits) === 0) return metadata.mode;
  const own = metadata.uid === rights.uid && metadata.gid === rights.gid;
  return own ? metadata.mode : metadata.mode & permissionBits;
}

function removeOthers(
  { platform, handle, name }: MetadataTarget,
  present: readonly Xattr[],
  wanted: readonly Xattr[],
): void {
  for (const { name: other } of present) {
    if (wanted.some((xattr) => xattr.name.equals(other))) continue;
    try {
      platform.removeXattr(handle, name, other);
    } catch (error) {
      // A label that the system keeps itself (security.selinux) cannot be taken off.
      if (!(error instanceof SystemError) || !other.toString("latin1").startsWith("security.")) throw error;
    }
  }
}

/** No room on the disk, or none left in the quota. */
export function isDiskFull(error: unknown): boolean {
  return error instanceof SystemError && (error.code === "ENOSPC" || error.code === "EDQUOT");
}

/** Whether nothing has this name. */
export function isAbsent(error: unknown): boolean {
  return error instanceof SystemError && error.errno === Errno.ENOENT;
}
