// The reference reader as a witness: it restores what a gateway's folder holds, with code of its own.

import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { restore } from "../reference/restore.ts";
import { Vault } from "../reference/vault.ts";
import type { Site } from "./program.ts";
import { describeTree } from "./sourceTree.ts";

/** Opens the vault's folder as it stands on disk by the account's recovery key. */
export function openBesides(site: Site): Promise<Vault> {
  return Vault.open(site.vaultFolder, { recoveryKey: readFileSync(site.recoveryKeyFile, "utf8").trim() });
}

/** Restores a snapshot and describes what is found of `source` in it. Fails when anything could not be had. */
export function restoreBesides(vault: Vault, snapshot: string, source: string): Map<string, string> {
  const { snapshots, damaged } = vault.snapshots();
  if (damaged.length > 0) throw new Error(`damaged snapshots: ${JSON.stringify(damaged)}`);
  const wanted = snapshots.find(({ id }) => id === snapshot);
  if (wanted === undefined) throw new Error(`the vault has no snapshot ${snapshot}`);
  const target = mkdtempSync(join(tmpdir(), "holdfast-reference-"));
  try {
    const report = restore(vault, wanted, join(target, "tree"));
    if (report.failed.length > 0) throw new Error(`not restored: ${JSON.stringify(report.failed)}`);
    return describeTree(join(target, "tree", source));
  } finally {
    rmSync(target, { recursive: true, force: true });
  }
}
