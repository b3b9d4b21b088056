// Chooses a reference snapshot: what an item without a snapshot of its own compares with, so that it keeps content where the group
// already has it (docs/decisions/0006). It only says where to look: see agent/upload/referenceContent.ts.

import type { SnapshotRow } from "../../ingest/wire/messages.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, isHoldfastError } from "../../vault/errors.ts";
import type { VaultKeys } from "../../vault/keys/vaultKeys.ts";
import { pathToText } from "../../vault/pathText.ts";
import { openSnapshot, type SnapshotBody, type SnapshotHeader } from "../../vault/snapshot.ts";
import type { PreviousTree } from "../source/previousTree.ts";
import { PreviousCursor } from "../source/previousTree.ts";
import type { BackupSession } from "./request.ts";

/** Snapshot objects (about 1 KB each) that are opened to choose from. */
const openedMax = 64;
const openedAtOnce = 8;

export type ReferenceSnapshot = {
  readonly id: string;
  readonly root: Buffer;
  readonly group: number;
  readonly body: SnapshotBody;
  /** Names of its device and item at the gateway. */
  readonly device: string;
  readonly item: string;
};

/** What the run that chooses is about. */
export type ReferenceWish = {
  readonly session: Pick<BackupSession, "itemId" | "group" | "newestSnapshots" | "snapshotObject">;
  readonly keys: VaultKeys;
  readonly item: string;
  readonly paths: readonly Uint8Array[];
  readonly host: string;
};

/** What makes a snapshot of no use as a reference, and not worth a word: it may be of a newer format, or damaged. */
const unusable: readonly string[] = [
  ErrorCode.notFound,
  ErrorCode.unsupported,
  ErrorCode.keyWrong,
  ErrorCode.corrupt,
  ErrorCode.truncated,
  ErrorCode.limitExceeded,
  ErrorCode.sealInvalid,
  ErrorCode.idMismatch,
  ErrorCode.chunkMissing,
  ErrorCode.chunkDamaged,
];

/**
 * The newest complete snapshot of another item (of any device) in the group that has most in common with what is backed up: the same
 * paths, then the same host, then the same item name. Undefined where none has a path in common.
 * @throws HoldfastError what the session fails with
 */
export async function chooseReference(wish: ReferenceWish): Promise<ReferenceSnapshot | undefined> {
  const { session, item } = wish;
  const rows = (await session.newestSnapshots()).filter(
    ({ group, incomplete, itemId }) => group === session.group && !incomplete && itemId !== session.itemId,
  );
  // Stable: the newest of each kind stays in front.
  rows.sort((a, b) => Number(b.item === item) - Number(a.item === item));
  const paths = wish.paths.map((path) => pathToText(path));
  let best: { readonly score: number; readonly reference: ReferenceSnapshot } | undefined;
  for (let at = 0; at < Math.min(rows.length, openedMax); at += openedAtOnce) {
    const some = rows.slice(at, Math.min(at + openedAtOnce, openedMax));
    const opened = await Promise.all(some.map((row) => open(wish, row)));
    for (const [index, row] of some.entries()) {
      const snapshot = opened[index];
      if (snapshot === undefined) continue;
      const { header, body } = snapshot;
      const score =
        commonPaths(paths, body.paths) * 4 + Number(body.host === wish.host) * 2 + Number(row.item === item);
      if (score < 4 || (best !== undefined && score <= best.score)) continue;
      const { id, device, item: name, group } = row;
      best = {
        score,
        reference: { id, root: Buffer.from(header.root), group, body, device, item: name },
      };
    }
  }
  return best?.reference;
}

/** The warning about a file for which a reference names a place where something else is. */
export function lieOf({ id, device }: ReferenceSnapshot): string {
  return (
    `snapshot ${id.slice(0, 16)} of device ${device} names content for this file that is not what it says; ` +
    `nothing more is taken from it. Find out what is wrong with device ${device}`
  );
}

async function open(
  { session, keys }: ReferenceWish,
  row: SnapshotRow,
): Promise<{ readonly header: SnapshotHeader; readonly body: SnapshotBody } | undefined> {
  try {
    const { id, header, body } = openSnapshot(keys, await session.snapshotObject(row.id));
    const same =
      toHex(id) === row.id && header.group === row.group && toHex(header.deviceId) === row.deviceId;
    return same && !header.flags.incomplete ? { header, body } : undefined;
  } catch (error) {
    if (isHoldfastError(error) && unusable.includes(error.code)) return undefined;
    throw error;
  }
}

/** Two for each path that lies in a snapshot of `theirs`, one for each that only contains some of it. */
function commonPaths(ours: readonly string[], theirs: readonly string[]): number {
  let common = 0;
  for (const path of ours) {
    if (theirs.some((their) => holds(their, path))) common += 2;
    else if (theirs.some((their) => holds(path, their))) common += 1;
  }
  return common;
}

function holds(folder: string, path: string): boolean {
  return folder === path || path.startsWith(folder.endsWith("/") ? folder : `${folder}/`);
}

/** Fetches what the page cache lacks of the reference's tree at and below these paths, in large requests. */
export async function prefetchPaths(
  tree: PreviousTree,
  root: Buffer,
  paths: readonly Uint8Array[],
): Promise<void> {
  for (const path of paths) {
    let at: Buffer | undefined = root;
    for (const name of Buffer.from(path).toString("latin1").split("/")) {
      if (name !== "" && at !== undefined) at = await childOf(tree, at, Buffer.from(name, "latin1"));
    }
    if (at !== undefined) await tree.prefetch(at);
  }
}

async function childOf(tree: PreviousTree, directory: Buffer, name: Buffer): Promise<Buffer | undefined> {
  const { ids } = await tree.leaves(directory);
  const row = await new PreviousCursor(tree, ids).seek(name);
  const child = row?.page.entry(row.row).child;
  return row === undefined || child === undefined ? undefined : Buffer.from(row.page.ref(child.ordinal).id);
}
