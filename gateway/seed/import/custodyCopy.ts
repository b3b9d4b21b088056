// The datacentre's copy of a box's custody log: what the box brought, and what became of it here.
//
// Invariant: the copy begins with what the manifest vouches for, where a source has that; later lines are chained to it.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { dirname, join } from "node:path";
import { isHoldfastError } from "../../../vault/errors.ts";
import { type CustodyEvent, parseCustody } from "../../../vault/seed/custody.ts";
import type { SeedManifest } from "../../../vault/seed/manifest.ts";
import type { Gateway } from "../../gateway.ts";
import { makeFolderDurably, writeFileDurably } from "../../store/files.ts";
import { appendCustodyTo, readCustodyIn } from "../custodyFile.ts";
import type { PackSource } from "./packSources.ts";

function pathOf(gateway: Gateway, box: number): string {
  return join(gateway.dataDir.path, "seed", String(box), "custody");
}

/**
 * Takes the box's log from the first source whose log the manifest vouches for, where there is no copy yet. A log that was changed since is
 * not taken, and said.
 */
export async function takeCustody(
  gateway: Gateway,
  manifest: SeedManifest,
  sources: readonly PackSource[],
): Promise<void> {
  const path = pathOf(gateway, manifest.box);
  if (existsSync(path)) return;
  for (const source of sources) {
    const bytes = await source.custody();
    if (bytes === undefined) continue;
    if (isVouchedFor(bytes, manifest)) return await writeFileDurably(path, bytes);
    gateway.logger.warn(
      { box: manifest.box, source: source.name },
      "a custody log is not what the manifest says",
    );
  }
}

function isVouchedFor(bytes: Buffer, { custody }: SeedManifest): boolean {
  try {
    if (parseCustody(bytes).bytesWhole < bytes.length) return false;
  } catch (error) {
    if (!isHoldfastError(error)) throw error;
    return false;
  }
  let end = 0;
  for (let lines = 0; lines < custody.entries; lines++) {
    end = bytes.indexOf(0x0a, end) + 1;
    if (end === 0) return false;
  }
  return createHash("sha256").update(bytes.subarray(0, end)).digest("hex") === custody.sha256;
}

/** A line in the datacentre's copy, unless it says so already: whoever was cut off says it again. */
export async function noteCustody(gateway: Gateway, box: number, event: CustodyEvent): Promise<void> {
  const path = pathOf(gateway, box);
  if ((await readCustodyIn(path)).entries.some((entry) => entry.event === event)) return;
  // A box that is given up may never have sent anything.
  await makeFolderDurably(dirname(dirname(path)));
  await makeFolderDurably(dirname(path));
  const time = gateway.now().toISOString();
  await appendCustodyTo(path, { time, event, by: gateway.dataDir.settings.name, note: "" });
}
