// Sends a sealed box's manifest and lists to its datacentre: what is there already is not sent again.

import { open } from "node:fs/promises";
import { join } from "node:path";
import { query } from "../../../ingest/client/query.ts";
import { type SealAnswer, seedPartBytesMax } from "../../../ingest/wire/seed.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../../vault/errors.ts";
import type { SeedListName } from "../../../vault/seed/manifest.ts";
import type { Gateway } from "../../gateway.ts";
import { readFully } from "../../store/files.ts";
import { BoxState } from "../boxState.ts";
import { listPath } from "../listFiles.ts";
import { readManifest, requireBox } from "../seal/sealBox.ts";
import { type Ask, withDatacentre } from "./datacentre.ts";

export type SendProgress = { readonly bytes: number; readonly totalBytes: number };
type Watch = { readonly onProgress: (progress: SendProgress) => void; readonly signal: AbortSignal };

/**
 * Sends until the datacentre has accepted the seal; nothing is sent of one that it has accepted.
 * @throws HoldfastError usage where the box is not sealed, or does not know where its datacentre is; gateway-unreachable, fingerprint-mismatch,
 * cancelled: it may be repeated; what the datacentre refuses the manifest with
 */
export async function sendSeal(gateway: Gateway, watch: Watch): Promise<{ url: string; sentBytes: number }> {
  const { path } = gateway.dataDir;
  const box = requireBox(gateway);
  const sealed = await readManifest(path, box);
  if (sealed === undefined) {
    throw new HoldfastError(ErrorCode.usage, "the box is not sealed", {
      next: "`holdfast seed seal` first.",
    });
  }
  return await withDatacentre(box, watch.signal, async (ask, url) => {
    const sentBytes = await sendTo(ask, path, sealed, watch);
    new BoxState(gateway.catalog.environment).update({ delivered: sealed.manifest.seal });
    gateway.logger.info({ box: box.document.box, seal: sealed.manifest.seal, url }, "manifest delivered");
    return { url, sentBytes };
  });
}

async function sendTo(
  ask: Ask,
  path: string,
  { bytes, manifest }: NonNullable<Awaited<ReturnType<typeof readManifest>>>,
  { onProgress }: Watch,
): Promise<number> {
  let sentBytes = 0;
  for (;;) {
    const answer = await ask<SealAnswer>({ method: "POST", path: "/v1/seed/manifest", binary: [bytes] });
    if (answer.accepted) return sentBytes;
    const totalBytes = answer.missing.reduce((sum, row) => sum + row.bytes - row.have, sentBytes);
    for (const { vault, list, bytes: length, have } of answer.missing) {
      const file = await open(listPath(join(path, "seed"), vault, list as SeedListName), "r");
      try {
        for (let offset = have; offset < length; ) {
          const part = Buffer.alloc(Math.min(seedPartBytesMax, length - offset));
          if ((await readFully(file.fd, part, offset)) < part.length) throw listChanged(list);
          const place = `/v1/seed/lists/${vault}/${list}${query({ seal: manifest.seal, offset })}`;
          offset = await ask<{ bytes: number }>({ method: "PUT", path: place, binary: [part] }).then(
            (taken) => taken.bytes,
            (error: unknown) => offsetOf(error),
          );
          sentBytes += part.length;
          onProgress({ bytes: sentBytes, totalBytes });
        }
      } finally {
        await file.close();
      }
    }
  }
}

/** Where a list goes on when a part came twice, because an answer was lost. */
function offsetOf(error: unknown): number {
  if (isHoldfastError(error, ErrorCode.sequenceConflict) && typeof error.detail.offset === "number") {
    return error.detail.offset;
  }
  throw error;
}

function listChanged(list: string): HoldfastError {
  return new HoldfastError(
    ErrorCode.corrupt,
    `the list ${list} of the box is shorter than its manifest says`,
    {
      next: "`holdfast seed seal --reopen`, then seal again.",
    },
  );
}
