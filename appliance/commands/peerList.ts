// holdfast peer list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes } from "../cli/units.ts";
import { withPeers } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { output } = context;
  const all = await withPeers(context, (peers) => peers.peers());
  output.event(
    all.map(({ usedBytes, quotaBytes, holdSeconds, ...peer }) => ({
      ...peer,
      used_bytes: usedBytes,
      quota_bytes: quotaBytes,
      hold_seconds: holdSeconds,
    })),
  );
  if (all.length === 0) {
    return output.line("No gateway keeps replicas here. Let one: holdfast peer add NAME --token-file FILE");
  }
  const rows = all.map(({ name, usedBytes, quotaBytes, objects, holdSeconds, created, folder }) => [
    name,
    formatBytes(usedBytes),
    quotaBytes === null ? "-" : formatBytes(quotaBytes),
    String(objects),
    `${Math.round(holdSeconds / 864) / 100}d`,
    created,
    folder,
  ]);
  return output.line(formatTable(["PEER", "USED", "QUOTA", "OBJECTS", "HOLD", "ADDED", "FOLDER"], rows));
}
