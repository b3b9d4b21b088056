// Finds bundles of which the current snapshot uses less than half: files of them changed or went, and the rest keeps a
// whole chunk alive. The next run reads those rests and puts them into new bundles, within a budget of bytes.
//
// The list is a hint in the agent's cache folder: lost or wrong, it costs a little space or a little reading.

import { readFileSync, writeFileSync } from "node:fs";
import { fromHex, toHex } from "../../vault/bytes.ts";
import { limits } from "../../vault/limits.ts";
import { Width } from "../../vault/magic.ts";
import { EntryKind } from "../../vault/tree/entry.ts";
import { BranchPage, type LeafPage } from "../../vault/tree/page.ts";
import type { PreviousTree } from "./previousTree.ts";

const MiB = 1024 * 1024;
/** Bytes of live content that one run moves at most. */
const moveBytesMax = 256 * MiB;
const idsMax = 4096;
/** Bundles are looked through when this share of the tree was read since the last time. */
const sweepShare = 0.05;

type Use = { liveBytes: number; readonly plainLength: number };

/** Adds up what a tree uses of each bundle. Pages come from the local cache right after a run. */
async function bundleUse(tree: PreviousTree, root: Buffer): Promise<Map<string, Use>> {
  const use = new Map<string, Use>();
  const pending: Buffer[] = [root];
  for (let id = pending.pop(); id !== undefined; id = pending.pop()) {
    const page = await tree.load(id);
    for (let row = 0; row < page.rowCount; row++) {
      if (page instanceof BranchPage) pending.push(page.ref(page.child(row).ordinal).id);
      else addRow(page, row, use, pending);
    }
  }
  return use;
}

function addRow(page: LeafPage, row: number, use: Map<string, Use>, pending: Buffer[]): void {
  const entry = page.entry(row);
  if (entry.kind === EntryKind.directory && entry.child !== undefined)
    pending.push(page.ref(entry.child.ordinal).id);
  if (entry.content?.form !== "inline") return;
  for (const extent of entry.content.extents) {
    if (extent.hole) continue;
    const { id, plainLength } = page.ref(extent.ordinal);
    if (plainLength > limits.bundleBytesMax) continue;
    const key = id.toString("latin1");
    const known = use.get(key);
    // Names of one hard-linked file count twice, which only keeps a bundle longer.
    if (known === undefined) use.set(key, { liveBytes: extent.length, plainLength });
    else known.liveBytes += extent.length;
  }
}

/** Ids of bundles that are less than half used, emptiest first, within the budget. */
export async function sparseBundles(tree: PreviousTree, root: Buffer): Promise<Buffer[]> {
  const sparse = [...(await bundleUse(tree, root))]
    .filter(([, { liveBytes, plainLength }]) => liveBytes * 2 < plainLength)
    .sort(([, a], [, b]) => a.liveBytes / a.plainLength - b.liveBytes / b.plainLength);
  const chosen: Buffer[] = [];
  let bytes = 0;
  for (const [key, { liveBytes }] of sparse) {
    if (chosen.length >= idsMax || bytes + liveBytes > moveBytesMax) break;
    chosen.push(Buffer.from(key, "latin1"));
    bytes += liveBytes;
  }
  return chosen;
}

/**
 * Bundles (ids as latin1) that a tree uses and the gateway does not have any more: their files must not keep their extents, although
 * they are the same. `ask`: whether the gateway has a chunk.
 */
export async function lostBundles(
  tree: PreviousTree,
  root: Buffer,
  ask: (id: Buffer) => Promise<boolean>,
): Promise<string[]> {
  const keys = [...(await bundleUse(tree, root)).keys()];
  const there = await Promise.all(keys.map((key) => ask(Buffer.from(key, "latin1"))));
  return keys.filter((_, index) => !there[index]);
}

/** What one run leaves for the next. */
export type SweepState = {
  /** Bytes of small files that were read since the last look at the bundles. */
  readonly bytesSinceSweep: number;
  /** Bundles to move, by id as latin1. */
  readonly move: ReadonlySet<string>;
  /** What the gateway's cache token was when it had all of the snapshot. */
  readonly cacheToken: string | undefined;
};

/** Reads the state; anything unreadable is an empty state. */
export function readSweepState(path: string): SweepState {
  try {
    const { bytesSinceSweep, move, cacheToken } = JSON.parse(readFileSync(path, "utf8")) as {
      bytesSinceSweep: unknown;
      move: unknown;
      cacheToken?: unknown;
    };
    if (typeof bytesSinceSweep !== "number" || !Array.isArray(move)) return emptySweepState;
    const ids = move.slice(0, idsMax).map((id) => fromHex(String(id), Width.id).toString("latin1"));
    return {
      bytesSinceSweep,
      move: new Set(ids),
      cacheToken: typeof cacheToken === "string" ? cacheToken : undefined,
    };
  } catch {
    return emptySweepState;
  }
}

export const emptySweepState: SweepState = {
  bytesSinceSweep: 0,
  move: new Set(),
  cacheToken: undefined,
};

/**
 * After a run: once a share of the tree was read anew since the last time, finds the bundles that the next run should empty.
 * `state` is what the run began with; the new state is written to `path`.
 */
export async function sweepBundles(run: {
  readonly path: string;
  readonly state: SweepState;
  readonly tree: PreviousTree;
  readonly root: Buffer;
  readonly treeBytes: number;
  readonly bytesRead: number;
  /** The gateway's when the run began. */
  readonly cacheToken: string;
}): Promise<void> {
  const { state, cacheToken } = run;
  const since = state.bytesSinceSweep + run.bytesRead;
  const due = since > run.treeBytes * sweepShare;
  const isSame = state.move.size === 0 && run.bytesRead === 0 && state.cacheToken === cacheToken;
  if (!due && isSame) return;
  const move = due ? await sparseBundles(run.tree, run.root) : [];
  const bytesSinceSweep = due ? 0 : since;
  writeFileSync(run.path, JSON.stringify({ bytesSinceSweep, move: move.map(toHex), cacheToken }), {
    mode: 0o600,
  });
}
