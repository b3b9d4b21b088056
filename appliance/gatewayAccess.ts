// How commands with --data reach a gateway: the running one of that directory over its admin socket, else the directory
// itself, opened in this process.

import { AdminClient } from "../gateway/admin/adminClient.ts";
import type { OfflineUpkeep } from "../gateway/admin/offlineUpkeep.ts";
import type { OpenedAdmin } from "../gateway/admin/openAdmin.ts";
import type { AdminOperations } from "../gateway/admin/operations.ts";
import type { PeerOperations } from "../gateway/admin/peerOperations.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
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

/**
 * Runs `work` on a directory that no gateway runs on.
 * @throws HoldfastError data-dir-locked where one does; as Gateway.open
 */
export async function withUpkeep<Result>(
  context: CommandContext,
  work: (upkeep: OfflineUpkeep, operations: AdminOperations) => Promise<Result>,
): Promise<Result> {
  return await withOpened(context, ({ upkeep, operations }) => {
    if (upkeep !== undefined) return work(upkeep, operations);
    throw new HoldfastError(ErrorCode.dataDirLocked, `a gateway runs on ${dataOf(context)}`, {
      next: "Stop it, run this, and start it again. `holdfast gateway check` and `scrub` work while it runs.",
    });
  });
}

async function withOpened<Result>(
  context: CommandContext,
  work: (opened: Omit<OpenedAdmin, "close">) => Promise<Result>,
): Promise<Result> {
  const data = dataOf(context);
  const client = new AdminClient(data);
  if (await client.isRunning()) {
    return work({ operations: client, peers: client.peers, upkeep: undefined, running: true });
  }
  // A whole gateway is loaded only where none runs.
  const { openGatewayHere } = await import("./gatewayHere.ts");
  const admin = await openGatewayHere(data, await boxKeyOf(context, data));
  try {
    return await work(admin);
  } finally {
    await admin.close();
  }
}
