// What is said of files that were damaged, and of what their vault lost with them.

import type { RebuiltVault } from "../gateway/maintenance/rebuild/rebuildVault.ts";
import type { Output } from "./cli/output/output.ts";
import { formatBytes, formatCount } from "./cli/units.ts";

/** Files that were damaged, and where rows came from that packs do not have. */
export function tellDamage(
  output: Output,
  vault: string,
  { damage, damagedSnapshots, leftOut, rows }: Omit<RebuiltVault, "hurt" | "vault">,
): void {
  for (const { path, why, records, lostBytes, pack } of damage) {
    output.event({ event: "damage", vault, path, why, records, lost_bytes: lostBytes, pack });
    output.warn(
      `${path}: ${why}; ${formatCount(records, "record")} whole, ${formatBytes(lostBytes)} are not`,
    );
  }
  for (const { id, why } of damagedSnapshots) {
    output.event({ event: "damage", vault, snapshot: id, why });
    output.warn(`snapshot ${id.slice(0, 16)}: ${why}`);
  }
  for (const id of leftOut) {
    output.event({ event: "left-out", vault, snapshot: id });
    output.note(`Snapshot ${id.slice(0, 16)} was never committed.`);
  }
  if (rows === "none") {
    output.warn(
      `vault ${vault}: names of items, retention and the trash are nowhere but in a replica; items are named after their ids (docs/repair.md)`,
    );
  }
}
