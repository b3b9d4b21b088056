// holdfast peer rotate

import type { CommandContext } from "../cli/command.ts";
import { withPeers } from "../gatewayAccess.ts";
import { giveOutToken } from "../peerTokenOutput.ts";

export async function run(context: CommandContext): Promise<void> {
  const name = context.args.operand(0);
  const { id } = await withPeers(context, (peers) => giveOutToken(context, () => peers.rotatePeer(name)));
  context.output.event({ event: "done", peer: name, id });
}
