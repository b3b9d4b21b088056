// `gateway run`: the gateway with its listeners and its drives in this process, until it is to stop.

import { type Logger, pino } from "pino";
import { selectBlockEngine } from "../agent/platform/blockEngine.ts";
import { selectCachedRead } from "../agent/platform/cachedRead.ts";
import { selectSha256 } from "../agent/platform/nativeSha256.ts";
import { AdminClient } from "../gateway/admin/adminClient.ts";
import { openWhenFree } from "../gateway/admin/openWhenFree.ts";
import { readDataDir } from "../gateway/dataDir.ts";
import { dataDirLocked } from "../gateway/dataLock.ts";
import { RunningGateway } from "../gateway/runningGateway.ts";
import { ErrorCode, HoldfastError } from "../vault/errors.ts";
import { GatewayContent } from "./content/gatewayContent.ts";
import { GatewayDrives } from "./drive/gatewayDrives.ts";
import { logDestination } from "./logDestination.ts";
import { version } from "./version.ts";

/** Logs JSON lines to stderr. */
export function gatewayLogger(level: string): Logger {
  return pino({ level }, logDestination());
}

/**
 * Opens a data directory and listens. `boxKey`: of a box.
 * @throws HoldfastError as Gateway.open; io-error when the address cannot be listened on
 */
export async function startGateway(data: string, boxKey: Uint8Array | undefined): Promise<RunningGateway> {
  const { settings } = await readDataDir(data, boxKey);
  const logger = gatewayLogger(settings.logLevel);
  try {
    const running = await openWhenFree(new AdminClient(data), () => start(data, boxKey, logger));
    if (running === undefined) throw dataDirLocked(data);
    return running;
  } catch (error) {
    throw listenFailure(error, settings.listen);
  }
}

async function start(data: string, boxKey: Uint8Array | undefined, logger: Logger): Promise<RunningGateway> {
  const running = await RunningGateway.start(data, {
    logger,
    now: () => new Date(),
    version,
    readNow: selectCachedRead(),
    boxKey,
    upgrades: true,
    sha256: selectSha256(),
    blocks: selectBlockEngine(),
    drives: (gateway) => new GatewayDrives(gateway),
    content: (gateway) => new GatewayContent(gateway),
  });
  const { url, fingerprint } = running;
  logger.info({ url, fingerprint, data, version }, "gateway is listening");
  return running;
}

function listenFailure(error: unknown, address: string): unknown {
  const { code, syscall } = error as NodeJS.ErrnoException;
  if (syscall !== "listen" && syscall !== "bind") return error;
  const why =
    code === "EADDRINUSE" ? "another program listens there" : code === "EACCES" ? "permission denied" : code;
  return new HoldfastError(ErrorCode.ioError, `cannot listen on ${address}: ${why}`, {
    next: "Stop the other program, or set another `listen` in config.toml.",
    cause: error,
  });
}
