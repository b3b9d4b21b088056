// holdfast peer remove

import type { CommandContext } from "../cli/command.ts";
import { withPeers } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const deleteData = args.flag("delete-data");
  const { name, id, folder } = await withPeers(context, (peers) =>
    peers.removePeer(args.operand(0), deleteData),
  );
  const data = deleteData
    ? "Its replicas are deleted."
    : `Its replicas stay in ${folder}, which can be read as file://${folder}.`;
  output.line(`Peer ${name} is removed; its token opens nothing any more. ${data}`);
  output.event({ event: "done", peer: name, id, folder, deleted: deleteData });
}
