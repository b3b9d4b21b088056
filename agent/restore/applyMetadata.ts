// Sets owner, mode, attributes and times of a restored object, in the order in which nothing undoes what came before.

import { parseXattrs, type Xattr } from "../../vault/tree/xattrs.ts";
import type { Handle, Platform } from "../platform/port.ts";
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
};

/** Sets everything and returns what could not be set, one line each. Throws only where the disk is full. */
export function applyMetadata(target: MetadataTarget, metadata: Metadata): string[] {
  const { platform, rights, handle, name, symlink } = target;
  const problems: string[] = [];
  const attempt = (what: string, act: () => void): void => {
    try {
      act();
    } catch (error) {
      if (!(error instanceof SystemError) || isDiskFull(error)) throw error;
      problems.push(`${what} not set: ${describeSystemError(error)}`);
    }
  };
  if (rights.root) attempt("owner", () => platform.setOwner(handle, name, metadata.uid, metadata.gid));
  if (!symlink) attempt("mode", () => platform.setMode(handle, name, allowedMode(rights, metadata)));
  if (platform.capabilities.xattrs) {
    const wanted = metadata.xattrs.length === 0 ? [] : parseXattrs(metadata.xattrs);
    if (metadata.cleanXattrs) attempt("attributes", () => removeOthers(target, wanted));
    for (const xattr of wanted) {
      attempt(`attribute ${xattr.name.toString("latin1")}`, () => platform.setXattr(handle, name, xattr));
    }
  } else if (metadata.xattrs.length > 0) problems.push("attributes not set: this platform cannot");
  attempt("times", () => platform.setTimes(handle, name, undefined, metadata.mtimeNs));
  return problems;
}

/** Without its owner a set-id bit would lend the wrong person's rights. */
function allowedMode(rights: Rights, metadata: Metadata): number {
  if (rights.root || (metadata.mode & setIdBits) === 0) return metadata.mode;
  const own = metadata.uid === rights.uid && metadata.gid === rights.gid;
  return own ? metadata.mode : metadata.mode & permissionBits;
}

function removeOthers({ platform, handle, name }: MetadataTarget, wanted: readonly Xattr[]): void {
  for (const { name: present } of platform.xattrs(handle, name)) {
    if (wanted.some((xattr) => xattr.name.equals(present))) continue;
    try {
      platform.removeXattr(handle, name, present);
    } catch (error) {
      // A label that the system keeps itself (security.selinux) cannot be taken off.
      if (!(error instanceof SystemError) || !present.toString("latin1").startsWith("security.")) throw error;
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
