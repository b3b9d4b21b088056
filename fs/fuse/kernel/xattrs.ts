// GETXATTR and LISTXATTR: the bytes as the view has them, ACLs included.

import { constants } from "node:os";
import type { View, ViewNode } from "../../view/view.ts";
import { ENOATTR, errnoFailure } from "../errno.ts";
import { sizeReply } from "./reply.ts";

/** The reply to GETXATTR; throws errnoFailure when there is none of that name, or no room for it. */
export async function xattrValue(
  view: View,
  node: ViewNode,
  name: string,
  room: number,
): Promise<Uint8Array> {
  const value = (await view.xattrs(node)).get(name);
  if (value === undefined) throw errnoFailure(ENOATTR);
  return sized(value, room);
}

/** The reply to LISTXATTR: every name with a NUL behind it. */
export async function xattrNames(view: View, node: ViewNode, room: number): Promise<Uint8Array> {
  const names = [...(await view.xattrs(node)).keys()];
  return sized(Buffer.from(names.map((name) => `${name}\0`).join(""), "latin1"), room);
}

/** Without room the caller asks for the length only. */
function sized(value: Uint8Array, room: number): Uint8Array {
  if (room === 0) return sizeReply(value.length);
  if (value.length > room) throw errnoFailure(constants.errno.ERANGE);
  return value;
}
