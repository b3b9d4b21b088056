// Archived owners, modes and POSIX ACLs, enforced for one user as Linux would (acl(5), "access check algorithm").

import type { View, ViewNode } from "../view/view.ts";

/** Who asks; undefined may do everything. */
export type AsUser = { readonly uid: number; readonly gids: readonly number[] } | undefined;

/** Bits of a permission. */
export const Permission = { read: 4, enter: 1, list: 5 } as const;

const aclName = "system.posix_acl_access";
const aclVersion = 2;
const Tag = { userOwner: 1, user: 2, groupOwner: 4, group: 8, mask: 16, other: 32 } as const;

type AclEntry = { readonly tag: number; readonly permissions: number; readonly id: number };

/** The entries of an ACL as the kernel stores it; undefined for bytes that are none. */
function parseAcl(bytes: Uint8Array): AclEntry[] | undefined {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  if (bytes.length < 4 || (bytes.length - 4) % 8 !== 0 || view.getUint32(0, true) !== aclVersion)
    return undefined;
  const entries: AclEntry[] = [];
  for (let at = 4; at < bytes.length; at += 8) {
    entries.push({
      tag: view.getUint16(at, true),
      permissions: view.getUint16(at + 2, true),
      id: view.getUint32(at + 4, true),
    });
  }
  return entries;
}

/** Whether this user may do that with a node inside a snapshot. Root may do everything. */
export async function mayDo(view: View, node: ViewNode, asUser: AsUser, wanted: number): Promise<boolean> {
  if (asUser === undefined || asUser.uid === 0) return true;
  const { mode, uid, gid } = node.attributes;
  if (asUser.uid === uid) return grants(mode >> 6, wanted);
  // The group bits of a mode are only the mask where there is an ACL, so the ACL must be asked; but not where they are all
  // clear: Linux then goes by the mode alone, which acl(5) does not say.
  const acl = (mode & 0o070) === 0 ? undefined : (await view.xattrs(node)).get(aclName);
  if (acl !== undefined) return byAcl(parseAcl(acl) ?? [], asUser, gid, wanted);
  return grants(asUser.gids.includes(gid) ? mode >> 3 : mode, wanted);
}

function byAcl(
  acl: readonly AclEntry[],
  asUser: NonNullable<AsUser>,
  groupOwner: number,
  wanted: number,
): boolean {
  const mask = acl.find(({ tag }) => tag === Tag.mask)?.permissions ?? 7;
  const named = acl.find(({ tag, id }) => tag === Tag.user && id === asUser.uid);
  if (named !== undefined) return grants(named.permissions & mask, wanted);
  const groups = acl.filter(
    ({ tag, id }) =>
      (tag === Tag.groupOwner && asUser.gids.includes(groupOwner)) ||
      (tag === Tag.group && asUser.gids.includes(id)),
  );
  if (groups.length > 0) return groups.some(({ permissions }) => grants(permissions & mask, wanted));
  return grants(acl.find(({ tag }) => tag === Tag.other)?.permissions ?? 0, wanted);
}

function grants(permissions: number, wanted: number): boolean {
  return (permissions & wanted) === wanted;
}
