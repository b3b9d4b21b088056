// A gateway's data directory among what is backed up, or at a target: how it is known, and where it keeps what is backed up to it.

import type { Handle, Platform } from "../platform/port.ts";
import { SystemError } from "../platform/systemError.ts";

/** What a gateway's data directory has (gateway/dataDir.ts). */
export const gatewayFile = Buffer.from("gateway.json");
const gatewayFormat = "holdfast-gateway";
export const gatewayFileBytesMax = 64 * 1024;
/** Where it keeps what is backed up. */
export const gatewayVaults = Buffer.from("vaults");

/** The id of the gateway whose data is in a folder. */
export function gatewayOf(platform: Platform, folder: Handle): string | undefined {
  try {
    const file = platform.openFile(folder, gatewayFile);
    try {
      const bytes = Buffer.alloc(gatewayFileBytesMax);
      const json: unknown = JSON.parse(bytes.toString("utf8", 0, platform.read(file, bytes, 0)));
      if (typeof json !== "object" || json === null) return undefined;
      const { format, id } = json as Record<string, unknown>;
      return format === gatewayFormat && typeof id === "string" ? id : undefined;
    } finally {
      platform.close(file);
    }
  } catch (error) {
    if (error instanceof SystemError || error instanceof SyntaxError) return undefined;
    throw error;
  }
}
