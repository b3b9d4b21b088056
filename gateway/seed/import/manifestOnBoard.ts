// The manifest that a box brings itself, for one that came without a line.

import { join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import { limits } from "../../../vault/limits.ts";
import { claimedManifest } from "../../../vault/seed/manifest.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import { errnoOf, fileError } from "../../store/files.ts";
import { readForeignFile } from "../../store/foreignFile.ts";
import { manifestInDirectory } from "../receive/carriedManifest.ts";

/**
 * Accepts the manifest of the first of these sources that has a newer one of the box than is here. One that is not newer counts for nothing,
 * unless the box was to be opened again and is sealed as before; and, while there is one here, neither does one that cannot be read.
 * @throws HoldfastError as SealReceiver.carried
 */
export async function takeManifest(
  gateway: Gateway,
  box: BoxRow,
  sources: readonly string[],
  signal: AbortSignal,
): Promise<void> {
  for (const source of sources) {
    if (source.startsWith("https://")) continue;
    const path = join(source, "seed", "manifest");
    try {
      const bytes = await readForeignFile(path, limits.signedBytesMax);
      const claimed = claimedManifest(bytes);
      const here = box.seal?.seal ?? 0;
      const isNews = claimed.seal > here || (claimed.seal === here && box.state === "prepared");
      if (claimed.box === box.number && !isNews) continue;
      await gateway.seals.carried(manifestInDirectory(source, bytes), {
        onProgress: () => undefined,
        signal,
      });
      return;
    } catch (error) {
      if (errnoOf(error) === "ENOENT" || errnoOf(error) === "ENOTDIR") continue;
      const unreadable = !isHoldfastError(error) || ["corrupt", "truncated"].includes(error.code);
      if (!unreadable || box.seal === null) throw isHoldfastError(error) ? error : fileError(error, path);
      gateway.logger.warn({ box: box.number, source, err: error }, "a manifest on a box cannot be read");
    }
  }
}
