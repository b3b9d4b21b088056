// SEEK_DATA and SEEK_HOLE over the extent map of a view.

import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { View, ViewNode } from "../../view/view.ts";
import { Whence } from "./abi.ts";

/**
 * The offset that lseek(2) answers, or undefined for ENXIO. Bytes that no extent covers are a hole,
 * and every file ends in one.
 * @throws HoldfastError cancelled when the signal fires; usage for another whence.
 */
export async function seek(
  view: View,
  node: ViewNode,
  asked: { readonly offset: bigint; readonly whence: number },
  signal: AbortSignal | undefined,
): Promise<bigint | undefined> {
  const { size } = node.attributes;
  if (asked.whence !== Whence.data && asked.whence !== Whence.hole) {
    throw new HoldfastError(ErrorCode.usage, `no such way to seek: ${asked.whence}`);
  }
  for (let at = asked.offset; at < size; ) {
    if (signal?.aborted) throw new HoldfastError(ErrorCode.cancelled, "the seek was interrupted");
    const extent = await view.extentAt(node, at);
    const inHole = extent === undefined || extent.hole || extent.offset > at;
    if (asked.whence === Whence.hole && inHole) return at;
    if (asked.whence === Whence.data && extent === undefined) return undefined;
    if (asked.whence === Whence.data && extent !== undefined && !extent.hole) {
      if (extent.offset > at) return extent.offset;
      return at;
    }
    // Here there is an extent of the kind that was not asked for. An empty one must not hold us up.
    const end = extent === undefined ? size : extent.offset + extent.length;
    at = end > at ? end : at + 1n;
  }
  return asked.whence === Whence.hole && asked.offset < size ? size : undefined;
}
