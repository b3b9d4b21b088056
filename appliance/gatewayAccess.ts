// How commands with --data reach a gateway: the running one of that directory over its admin socket, else the directory
// itself, opened in this process.

import { AdminClient } from "../gateway/admin/adminClient.ts";
import type { OpenedAdmin } from "../gateway/admin/openAdmin.ts";
import type { AdminOperations } from "../gateway/admin/operations.ts";
import type { PeerOperations } from "../gateway/admin/peerOperations.ts";
import { boxKeyOf } from "./boxKey.ts";
import type { CommandContext } from "./cli/command.ts";
import { dataFolder } from "./locations.ts";

/** The data directory of a command line. */
export function dataOf(context: CommandContext): string {
  return dataFolder(context.args.text("data"), context.environment);
}

/** Runs `work` on the gateway and closes it again where this process opened it. */
export async function withAdmin<Result>(
  context: CommandContext,
  work: (operations: AdminOperations, running: boolean) => Promise<Result>,
): Promise<Result> {
  return await withOpened(context, ({ operations, running }) => work(operations, running));
}

/** As `withAdmin`, for what concerns peers. */
export async function withPeers<Result>(
  context: CommandContext,
  work: (peers: PeerOperations) => Promise<Result>,
): Promise<Result> {
  return await withOpened(context, ({ peers }) => work(peers));
}

async function withOpened<Result>(
  context: CommandContext,
  work: (opened: Pick<OpenedAdmin, "operations" | "peers" | "running">) => Promise<Result>,
): Promise<Result> {
  const data = dataOf(context);
  const client = new AdminClient(data);
  if (await client.isRunning()) return work({ operations: client, peers: client.peers, running: true });
  // A whole gateway is loaded only where none runs.
  const { openGatewayHere } = await import("./gatewayHere.ts");
  const admin = await openGatewayHere(data, await boxKeyOf(context, data));
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}
