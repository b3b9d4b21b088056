// Opens a sealed box again, before it was handed over: its devices are sent to it once more, by its datacentre alone, which signs that.
//
// The order: the datacentre lends the devices anew; secrets.sealed holds the new recalls; the line in the custody log; the records that
// name the box come into force; the manifest goes. Stopped before the last step it is a sealed box, whose recalls are in force when it is
// opened, and the same command does it again.

import { rename } from "node:fs/promises";
import { join } from "node:path";
import type { ReopenAnswer } from "../../../ingest/wire/seed.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { Gateway } from "../../gateway.ts";
import { syncDirectory } from "../../store/files.ts";
import { writeSecrets } from "../boxDirectory.ts";
import { appendCustody } from "../custodyFile.ts";
import { withDatacentre } from "../send/datacentre.ts";
import { manifestPath, readManifest, requireBox } from "./sealBox.ts";

/** `asking`: the datacentre, until it answers. `opening`: from here on it is done, whoever asks it to stop. */
export type ReopenProgress = { readonly phase: "asking" | "opening" };

/**
 * Makes a sealed box take backups again. Its next seal has a higher number.
 * @throws HoldfastError usage where it is not sealed; gateway-unreachable; sequence-conflict where the datacentre imports from it already, or
 * has; disk-full, io-error; cancelled
 */
export async function reopenBox(
  gateway: Gateway,
  by: string,
  { onProgress, signal }: JobWatch<ReopenProgress>,
): Promise<{ box: number; seal: number }> {
  const box = requireBox(gateway);
  const { path } = gateway.dataDir;
  const sealed = await readManifest(path, box);
  if (sealed === undefined || box.document.kind === "restore") {
    throw new HoldfastError(ErrorCode.usage, "the box is not one that was sealed after backups");
  }
  const { seal } = sealed.manifest;
  gateway.homes.pause("the box is being opened again");
  try {
    onProgress({ phase: "asking" });
    const { homes } = await withDatacentre(box, signal, (ask) =>
      ask<ReopenAnswer>({ method: "POST", path: "/v1/seed/reopened", json: { seal } }),
    );
    onProgress({ phase: "opening" });
    const recalls = Object.fromEntries(homes.map(({ account, recall }) => [account, recall]));
    await writeSecrets(path, box.document.id, box.boxKey, { ...box.secrets, recalls });
    await gateway.reload();
    const time = gateway.now().toISOString();
    await appendCustody(path, { time, event: "reopened", by, note: `seal ${seal} is void` });
    for (const { record } of homes) await gateway.homes.adopt(Buffer.from(record));
    await rename(manifestPath(path), join(path, "seed", `manifest.${seal}`));
    await syncDirectory(join(path, "seed"));
    gateway.logger.info({ box: box.document.box, seal }, "box opened again");
    return { box: box.document.box, seal };
  } finally {
    gateway.homes.resume();
  }
}
