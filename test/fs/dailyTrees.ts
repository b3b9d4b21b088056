// Snapshots a day apart, of trees whose pages are equal where they are.

import type { FixtureVault } from "./fixtureVault.ts";
import { directoryOf, fileOf, type NodeSpec } from "./treeSpec.ts";

export const dayMs = 86_400_000;
export const start = Date.parse("2026-01-01T00:00:00.000Z");
export const item = { account: "anna", device: "laptop", item: "files" };

// One inode for all, so that equal trees are equal pages, as they are where nothing changed.
export const file = (text: string, more: object = {}): NodeSpec => fileOf(text, { inode: 1n, ...more });
export const dir = (rows: Parameters<typeof directoryOf>[0], more: object = {}): NodeSpec =>
  directoryOf(rows, { inode: 1n, ...more });

/** Commits trees a day apart. */
export function daily(
  vault: FixtureVault,
  trees: readonly NodeSpec[],
  more: { incomplete?: boolean }[] = [],
): string[] {
  return trees.map((tree, day) => {
    const time = new Date(start + day * dayMs).toISOString();
    return vault.snapshot(tree, { time, ...more[day] }).id;
  });
}

/** The folder of a day's snapshot. */
export const folderOf = (day: number): string =>
  `${new Date(start + day * dayMs).toISOString().slice(0, 10)}T000000Z`;
