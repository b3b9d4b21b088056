// Restores a fixture vault's snapshot into a folder of the test's own.

import { execFileSync } from "node:child_process";
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { restore } from "../../../agent/restore/restore.ts";
import type {
  RestoreAction,
  RestoreNote,
  RestoreOptions,
  RestoreResult,
} from "../../../agent/restore/restoreTypes.ts";
import type { CatalogSnapshot } from "../../../fs/view/ports.ts";
import { openSnapshot } from "../../../vault/snapshot.ts";
import type { FixtureVault } from "../../fs/fixtureVault.ts";

/** A folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "holdfast-restore-"));
  onTestFinished(() => {
    execFileSync("rm", ["-rf", folder]);
  });
  return folder;
}

export type Restored = RestoreResult & {
  readonly notes: readonly RestoreNote[];
  readonly actions: readonly RestoreAction[];
};

/** Restores everything, always overwriting, unless `more` says otherwise; with one thread, since each takes a third of a second to start. */
export async function restoreTo(
  target: string | Buffer,
  vault: FixtureVault,
  row: CatalogSnapshot,
  more: Partial<RestoreOptions> = {},
): Promise<Restored> {
  const notes: RestoreNote[] = [];
  const actions: RestoreAction[] = [];
  const result = await restore({
    source: vault,
    keys: vault.keys,
    snapshot: openSnapshot(vault.keys, vault.objects.get(row.id) as Buffer),
    path: [],
    target: Buffer.from(target as string),
    overwrite: "always",
    dryRun: false,
    delete: false,
    ownerByName: false,
    threads: 1,
    onNote: (note) => notes.push(note),
    onAction: (action) => actions.push(action),
    ...more,
  });
  return { ...result, notes, actions };
}
