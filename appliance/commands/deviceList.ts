// holdfast device list

import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const devices = await withAdmin(context, (operations) => operations.devices(args.text("account")));
  output.event(devices);
  if (devices.length === 0)
    return output.line("No devices yet. Enroll one: holdfast agent enroll URL --account NAME");
  const rows = devices.map(({ account, name, revoked, isolated, appendOnly, fleet, enrolled, id }) => [
    account,
    name,
    revoked ? "revoked" : "active",
    isolated ? "isolated" : "shared",
    appendOnly ? "adds only" : "adds and reads",
    fleet ?? "-",
    enrolled,
    id,
  ]);
  return output.line(
    formatTable(["ACCOUNT", "DEVICE", "STATE", "CHUNKS", "MAY", "FLEET", "ENROLLED", "ID"], rows),
  );
}
