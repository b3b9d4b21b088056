// What a manifest that was carried here would promise: it and its lists are read and compared, and nothing is written.

import { createHash } from "node:crypto";
import { seedPartBytesMax } from "../../../ingest/wire/seed.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { claimedManifest, seedLists } from "../../../vault/seed/manifest.ts";
import type { JobWatch } from "../../admin/job.ts";
import { noSuchBox } from "../../catalog/boxes.ts";
import type { Gateway } from "../../gateway.ts";
import type { AcceptProgress } from "../acceptSeal.ts";
import { type CarriedManifest, cutShort } from "./carriedManifest.ts";
import { checkManifest } from "./incomingSeal.ts";

export type ManifestLook = {
  readonly box: number;
  readonly seal: number;
  /** It was taken in before. */
  readonly already: boolean;
  readonly packs: number;
  readonly packBytes: number;
  readonly chunks: number;
  readonly snapshots: number;
  /** Of its lists, and how long it took to read and hash them once. */
  readonly listBytes: number;
  readonly readSeconds: number;
};

/** @throws HoldfastError as SealReceiver.carried: not-found, truncated, corrupt, seal-invalid, forbidden, sequence-conflict; the signal's reason */
export async function lookAtManifest(
  gateway: Gateway,
  { bytes, read }: CarriedManifest,
  { onProgress, signal }: JobWatch<AcceptProgress>,
): Promise<ManifestLook> {
  const claimed = claimedManifest(bytes);
  const row = gateway.catalog.boxes.get(claimed.box);
  if (row === undefined) throw noSuchBox(claimed.box);
  const { manifest, hash } = checkManifest(gateway, row, bytes, true);
  const lists = manifest.vaults.flatMap(({ id, lists: of }) =>
    seedLists.map((list) => ({ vault: id, list, ...of[list] })),
  );
  const listBytes = lists.reduce((sum, list) => sum + list.bytes, 0);
  let bytesDone = 0;
  const startedMs = performance.now();
  for (const { vault, list, bytes: length, sha256 } of lists) {
    const digest = createHash("sha256");
    for (let offset = 0; offset < length; ) {
      signal.throwIfAborted();
      const part = await read({ vault, list }, offset, Math.min(seedPartBytesMax, length - offset));
      if (part.length === 0) throw cutShort();
      digest.update(part);
      offset += part.length;
      bytesDone += part.length;
      onProgress({ phase: "reading", bytesDone, bytes: listBytes });
    }
    if (digest.digest("hex") === sha256) continue;
    throw new HoldfastError(
      ErrorCode.corrupt,
      `the list of ${list} has another hash than the manifest says`,
      {
        next: "Bring the file again: `holdfast seed seal --offline --manifest-out FILE` writes it anew.",
      },
    );
  }
  const sum = (of: "packs" | "packBytes" | "chunks" | "snapshots"): number =>
    manifest.vaults.reduce((total, vault) => total + vault[of], 0);
  return {
    ...{ box: manifest.box, seal: manifest.seal, listBytes },
    already: row.seal?.manifest === hash && row.state !== "prepared",
    ...{ packs: sum("packs"), packBytes: sum("packBytes") },
    ...{ chunks: sum("chunks"), snapshots: sum("snapshots") },
    readSeconds: (performance.now() - startedMs) / 1000,
  };
}
