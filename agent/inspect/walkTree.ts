// Goes through a tree depth first, in order of names, without recursion: a hostile depth costs no stack.

import type { TreeEntry, TreeReader } from "../../fs/view/treeReader.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { limits } from "../../vault/limits.ts";

export type WalkedEntry = { readonly entry: TreeEntry; readonly path: Buffer };

type Level = { readonly path: Buffer; readonly rows: AsyncGenerator<TreeEntry, void, void> };

/**
 * Everything below a directory. `path` is the directory's own, with a leading slash; empty for the root.
 * @throws HoldfastError limit-exceeded for directories nested too deeply, and what reading pages fails with
 */
export async function* walkTree(
  tree: TreeReader,
  directory: Uint8Array,
  path: Buffer,
  signal?: AbortSignal,
): AsyncGenerator<WalkedEntry, void, void> {
  const levels: Level[] = [{ path, rows: tree.entries(directory, signal, true) }];
  for (let level = levels.at(-1); level !== undefined; level = levels.at(-1)) {
    signal?.throwIfAborted();
    const row = await level.rows.next();
    if (row.done === true) {
      levels.pop();
      continue;
    }
    const entry = row.value;
    const here = joined(level.path, entry.name);
    yield { entry, path: here };
    if (entry.child === undefined) continue;
    if (levels.length > limits.directoryDepthMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, "directories nested too deeply");
    }
    levels.push({ path: here, rows: tree.entries(Buffer.from(entry.child.id), signal, true) });
  }
}

/** A path with one more name. */
export function joined(path: Buffer, name: Uint8Array): Buffer {
  const whole = Buffer.allocUnsafe(path.length + 1 + name.length);
  whole.set(path);
  whole[path.length] = 0x2f;
  whole.set(name, path.length + 1);
  return whole;
}
