// holdfast peer add

import type { CommandContext } from "../cli/command.ts";
import { withPeers } from "../gatewayAccess.ts";
import { giveOutToken } from "../peerTokenOutput.ts";

const holdSecondsDefault = 7 * 86_400;

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const name = args.operand(0);
  const quotaBytes = args.bytes("quota") ?? null;
  const holdSeconds = args.duration("hold") ?? holdSecondsDefault;
  const { id, folder } = await withPeers(context, (peers) =>
    giveOutToken(context, () => peers.addPeer({ name, quotaBytes, holdSeconds })),
  );
  output.event({ event: "done", peer: name, id, folder, quota_bytes: quotaBytes, hold_seconds: holdSeconds });
}
