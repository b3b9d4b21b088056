// The names of a folder that the walk is to look at.

import { indexOfName, type Listing } from "../platform/listing.ts";
import type { Handle } from "../platform/port.ts";
import { describeSystemError } from "../platform/systemError.ts";
import { gatewayFile, gatewayOf, gatewayVaults } from "./gatewayData.ts";
import { type TopNode, topListing } from "./topPaths.ts";
import { joinPath, type WalkOptions } from "./walk.ts";

/**
 * Lists a folder, on the way to what was named only what leads there. Undefined, with a warning, where it cannot be listed. In the data
 * directory of the gateway that the backup goes to, and there alone, `vaults` is left out, with a warning: what is stored there would be found
 * there, and stored again with each run.
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
  if (indexOfName(listing, gatewayFile) < 0 || indexOfName(listing, gatewayVaults) < 0) return listing;
  return withoutOwnVaults(options, handle, path, listing);
}

async function withoutOwnVaults(
  { platform, warn, gatewayId }: WalkOptions,
  handle: Handle,
  path: Buffer,
  listing: Listing,
): Promise<Listing> {
  const id = gatewayOf(platform, handle);
  if (id === undefined || id !== (await gatewayId())) return listing;
  warn(joinPath(path, gatewayVaults), "what the gateway that this backup goes to stores; left out");
  const left = indexOfName(listing, gatewayVaults);
  return {
    ...listing,
    count: listing.count - 1,
    offsets: listing.offsets.filter((_, index) => index !== left),
    lengths: listing.lengths.filter((_, index) => index !== left),
    kinds: listing.kinds.filter((_, index) => index !== left),
  };
}
