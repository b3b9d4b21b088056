// What is said of snapshots and files that damage has hurt.

import type { HurtSnapshot } from "../gateway/maintenance/rebuild/markHurt.ts";
import type { HurtFile } from "../gateway/maintenance/vaultContent.ts";
import type { Output } from "./cli/output/output.ts";
import { formatCount } from "./cli/units.ts";

/** Snapshots of a vault that are not whole. */
export function tellHurt(output: Output, vault: string, hurt: readonly HurtSnapshot[]): void {
  for (const { id, item, received, lacking, ids } of hurt) {
    output.event({ event: "hurt", vault, snapshot: id, item, received, lacking, chunks: ids });
    output.warn(
      `snapshot ${id.slice(0, 16)} of ${received} lacks ${formatCount(lacking, "chunk")}; what is here can be read, and a backup with --rescan sends what its source still has`,
    );
  }
}

/** The files of them, by name; null where the vault is locked. */
export function tellHurtFiles(output: Output, vault: string, files: readonly HurtFile[] | null): void {
  for (const { snapshot, path, why } of files ?? []) {
    output.event({ event: "hurt-file", vault, snapshot, path, why });
    output.warn(`snapshot ${snapshot.slice(0, 16)}: ${path}: ${why}`);
  }
  if (files !== null) return;
  output.note(
    "Names of files are sealed: unlock the vault, or give --account and its password where no gateway runs.",
  );
}
