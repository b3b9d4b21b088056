// The manifest that a box brings itself, for one that came without a line.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { claimedManifest } from "../../../vault/seed/manifest.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { errnoOf, fileError, readFully } from "../../store/files.ts";

/**
 * Accepts the manifest of the first of these sources that has a newer one of the box than is here. One that is not newer counts for nothing,
 * and, while there is one here, neither does one that cannot be read.
 * @throws HoldfastError as SealReceiver.file
 */
export async function takeManifest(gateway: Gateway, box: BoxRow, sources: readonly string[]): Promise<void> {
  for (const source of sources) {
    if (source.startsWith("https://")) continue;
    const bytes = await manifestIn(source);
    if (bytes === undefined) continue;
    try {
      const claimed = claimedManifest(bytes);
      if (claimed.box === box.number && claimed.seal <= (box.seal?.seal ?? 0)) continue;
    } catch (error) {
      if (!isHoldfastError(error) || box.seal === null) throw error;
      gateway.logger.warn({ box: box.number, source, err: error }, "a manifest on a box cannot be read");
      continue;
    }
    await gateway.seals.directory(source, bytes);
    return;
  }
}

async function manifestIn(source: string): Promise<Buffer | undefined> {
  const path = join(source, "seed", "manifest");
  try {
    const file = await open(path, "r");
    try {
      const bytes = Buffer.alloc(limits.signedBytesMax);
      return bytes.subarray(0, await readFully(file.fd, bytes, 0));
    } finally {
      await file.close();
    }
  } catch (error) {
    if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") return undefined;
    throw fileError(error, path);
  }
}
