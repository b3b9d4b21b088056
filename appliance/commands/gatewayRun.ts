// holdfast gateway run

import type { CommandContext } from "../cli/command.ts";
import { dataOf } from "../gatewayAccess.ts";
import { startGateway } from "../gatewayProcess.ts";

export async function run({ signal, output, ...rest }: CommandContext): Promise<void> {
  const running = await startGateway(dataOf({ signal, output, ...rest }));
  const { logger } = running.gateway;
  output.event({ event: "listening", url: running.url, fingerprint: running.fingerprint, pid: process.pid });
  if (!signal.aborted) {
    await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve(), { once: true }));
  }
  logger.info("gateway is stopping");
  await running.stop();
  logger.info("gateway has stopped");
}
