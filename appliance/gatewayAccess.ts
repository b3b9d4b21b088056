// How commands with --data reach a gateway: the running one of that directory over its admin socket, else the directory
// itself, opened in this process.

import { pino } from "pino";
import { type OpenedAdmin, openAdmin } from "../gateway/admin/openAdmin.ts";
import type { AdminOperations } from "../gateway/admin/operations.ts";
import type { GatewayOptions } from "../gateway/gateway.ts";
import type { CommandContext } from "./cli/command.ts";
import { dataFolder } from "./locations.ts";
import { version } from "./version.ts";

/** The data directory of a command line. */
export function dataOf(context: CommandContext): string {
  return dataFolder(context.args.text("data"), context.environment);
}

/** Options of a gateway that is opened for one command: it says only what went wrong. */
function shortOptions(): GatewayOptions {
  const logger = pino({ level: "error" }, pino.destination({ fd: 2, sync: true }));
  return { logger, now: () => new Date(), version };
}

/** Runs `work` on the gateway and closes it again where this process opened it. */
export async function withAdmin<Result>(
  context: CommandContext,
  work: (operations: AdminOperations, running: boolean) => Promise<Result>,
): Promise<Result> {
  const admin: OpenedAdmin = await openAdmin(dataOf(context), shortOptions());
  try {
    return await work(admin.operations, admin.running);
  } finally {
    await admin.close();
  }
}
