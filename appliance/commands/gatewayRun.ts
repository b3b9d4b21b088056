// holdfast gateway run

import { userInfo } from "node:os";
import type { RunningGateway } from "../../gateway/runningGateway.ts";
import { boxKeyOf } from "../boxKey.ts";
import type { CommandContext } from "../cli/command.ts";
import { dataOf } from "../gatewayAccess.ts";
import { startGateway } from "../gatewayProcess.ts";
import { watchedService } from "../service/watched.ts";

/** The longest that a timer takes. */
const neverMs = 2 ** 31 - 1;

export async function run(context: CommandContext): Promise<void> {
  const { signal, output } = context;
  const data = dataOf(context);
  const watched = await watchedService(context.environment);
  const running = await startGateway(data, await boxKeyOf(context, data));
  const { logger } = running.gateway;
  await running.administration.seed.started(userInfo().username);
  output.event({ event: "listening", url: running.url, fingerprint: running.fingerprint, pid: process.pid });
  watched.ready(`listening at ${running.url}`);
  const living = setInterval(watched.alive, watched.aliveMs ?? neverMs);
  const onHangup = (): void => void reload(running);
  process.on("SIGHUP", onHangup);
  const stopped = new Promise<void>((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
  const failure = await Promise.race([running.gateway.broken, stopped]);
  process.off("SIGHUP", onHangup);
  watched.stopping();
  if (failure !== undefined) {
    logger.fatal({ err: failure }, "gateway cannot go on");
    await running.abandon();
    throw failure;
  }
  logger.info("gateway is stopping");
  await running.stop();
  clearInterval(living);
  logger.info("gateway has stopped");
}

/** SIGHUP: a file that is wrong leaves everything as it is, and says so in the log. */
async function reload(running: RunningGateway): Promise<void> {
  const { logger, dataDir } = running.gateway;
  const { listen } = dataDir.settings;
  try {
    await running.reload();
    const { settings } = running.gateway.dataDir;
    logger.info(
      { logLevel: settings.logLevel, fingerprint: running.fingerprint },
      "settings were read again",
    );
    if (settings.listen !== listen)
      logger.warn({ listen: settings.listen }, "another listen needs a restart");
  } catch (error) {
    logger.error({ err: error }, "settings were not read again; the former ones stay");
  }
}
