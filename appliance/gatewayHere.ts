// A gateway's data directory, opened in this process for one command.

import { pino } from "pino";
import { type OpenedAdmin, openAdmin } from "../gateway/admin/openAdmin.ts";
import type { Gateway } from "../gateway/gateway.ts";
import { GatewayContent } from "./content/gatewayContent.ts";
import { logDestination } from "./logDestination.ts";
import { version } from "./version.ts";

/** Opens it, or finds that a gateway has started meanwhile. It says only what went wrong. @throws HoldfastError as Gateway.open */
export function openGatewayHere(data: string, boxKey: Uint8Array | undefined): Promise<OpenedAdmin> {
  const logger = pino({ level: "error" }, logDestination());
  const content = (gateway: Gateway): GatewayContent => new GatewayContent(gateway);
  return openAdmin(data, { logger, now: () => new Date(), version, boxKey, content });
}
