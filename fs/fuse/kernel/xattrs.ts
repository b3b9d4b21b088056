// GETXATTR and LISTXATTR: the bytes as the view has them, ACLs included. With one owner for everything, ACLs lose the rows for
// users and groups by number: those are people of another machine.

import { constants } from "node:os";
import type { View, ViewNode } from "../../view/view.ts";
import { ENOATTR, errnoFailure } from "../errno.ts";
import { sizeReply } from "./reply.ts";

/** The reply to GETXATTR; throws errnoFailure when there is none of that name, or no room for it. */
export async function xattrValue(
  view: View,
  node: ViewNode,
  { name, size: room }: { readonly name: string; readonly size: number },
  oneOwner: boolean,
): Promise<Uint8Array> {
  const value = (await view.xattrs(node)).get(name);
  if (value === undefined) throw errnoFailure(ENOATTR);
  return sized(oneOwner && name.startsWith(ACL_PREFIX) ? withoutNumbers(value) : value, room);
}

/** The reply to LISTXATTR: every name with a NUL behind it; those that the kernel lets only root read, for root alone. */
export async function xattrNames(
  view: View,
  node: ViewNode,
  { size: room, uid }: { readonly size: number; readonly uid: number },
): Promise<Uint8Array> {
  const known = [...(await view.xattrs(node)).keys()];
  const names = uid === 0 ? known : known.filter((name) => !name.startsWith("trusted."));
  return sized(Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1"), room);
}

/** Without room the caller asks for the length only. */
function sized(value: Uint8Array, room: number): Uint8Array {
  if (room === 0) return sizeReply(value.length);
  if (value.length > room) throw errnoFailure(constants.errno.ERANGE);
  return value;
}

const ACL_PREFIX = "system.posix_acl_";
const ACL_HEADER_BYTES = 4;
const ACL_ROW_BYTES = 8;
/** Rows for one user, for the owning group and for another group. */
const [ACL_USER, ACL_GROUP_OBJ, ACL_GROUP] = [0x02, 0x04, 0x08];

/** An ACL (posix_acl_xattr_header and rows) without rows for users and groups by number; its mask stays and still limits the group. */
function withoutNumbers(acl: Uint8Array): Uint8Array {
  const bytes = Buffer.from(acl);
  const kept = [bytes.subarray(0, ACL_HEADER_BYTES)];
  for (let at = ACL_HEADER_BYTES; at + ACL_ROW_BYTES <= bytes.length; at += ACL_ROW_BYTES) {
    const tag = bytes.readUInt16LE(at);
    if (tag !== ACL_USER && tag !== ACL_GROUP) kept.push(bytes.subarray(at, at + ACL_ROW_BYTES));
  }
  return Buffer.concat(kept);
}

/** What an ACL gives the owning group, before its mask: 0 to 7; 0 where it cannot be read. */
export function groupRights(acl: Uint8Array): number {
  const bytes = Buffer.from(acl);
  for (let at = ACL_HEADER_BYTES; at + ACL_ROW_BYTES <= bytes.length; at += ACL_ROW_BYTES)
    if (bytes.readUInt16LE(at) === ACL_GROUP_OBJ) return bytes.readUInt16LE(at + 2) & 7;
  return 0;
}
