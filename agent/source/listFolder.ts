// The names of a folder that the walk is to look at.

import { indexOfName, type Listing } from "../platform/listing.ts";
import type { Handle, Platform } from "../platform/port.ts";
import { describeSystemError, SystemError } from "../platform/systemError.ts";
import { type TopNode, topListing } from "./topPaths.ts";
import type { WalkOptions } from "./walk.ts";

/** What a gateway's data directory has (gateway/dataDir.ts). */
const gatewayFile = Buffer.from("gateway.json");
const gatewayFormat = "holdfast-gateway";
const gatewayFileBytesMax = 64 * 1024;

/**
 * Lists a folder, on the way to what was named only what leads there. Undefined, with a warning, where it cannot be listed, and of the data
 * directory of the gateway that the backup goes to: what it stores there it would find there, and store again with each run.
 */
export function listFolder(
  options: WalkOptions,
  handle: Handle,
  path: Buffer,
  top: TopNode | undefined,
): Listing | undefined | Promise<Listing | undefined> {
  const { platform, warn } = options;
  if (top !== undefined && !top.target) return topListing(top);
  let listing: Listing;
  try {
    listing = platform.list(handle);
  } catch (error) {
    warn(path, `folder cannot be listed: ${describeSystemError(error)}`);
    return undefined;
  }
  if (indexOfName(listing, gatewayFile) < 0) return listing;
  return withoutOwnGateway(options, handle, path, listing);
}

async function withoutOwnGateway(
  { platform, warn, gatewayId }: WalkOptions,
  handle: Handle,
  path: Buffer,
  listing: Listing,
): Promise<Listing | undefined> {
  const id = gatewayOf(platform, handle);
  if (id === undefined || id !== (await gatewayId())) return listing;
  warn(path, "the data of the gateway that this backup goes to; left out");
  return undefined;
}

/** The id of the gateway whose data is in a folder. */
function gatewayOf(platform: Platform, folder: Handle): string | undefined {
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
