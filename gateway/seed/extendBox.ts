// A second disk for a box that gets full: a folder replica, to which packs go when the first one is (docs/seeding.md).

import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { Gateway } from "../gateway.ts";
import { addReplica } from "../replica/addReplica.ts";
import { readSettings } from "../settings.ts";
import { formatSettings } from "../settingsText.ts";
import { writeFileDurably } from "../store/files.ts";
import { appendCustody } from "./custodyFile.ts";
import { readManifest, requireBox } from "./seal/sealBox.ts";

/** Packs leave the first disk from so much use of it on, until this is left; what the administrator set stays. */
const evictAbovePercent = 85;
const evictToPercent = 70;

export type ExtendRequest = {
  /** Absolute. */
  readonly disk: string;
  readonly by: string;
};

/**
 * Gives this box a second disk; a disk that it has already is left as it is.
 * @throws HoldfastError usage where this is no box, or a sealed one; as addReplica
 */
export async function extendBox(gateway: Gateway, { disk, by }: ExtendRequest): Promise<{ replica: string }> {
  const box = requireBox(gateway);
  const { path } = gateway.dataDir;
  if ((await readManifest(path, box)) !== undefined) {
    throw new HoldfastError(ErrorCode.usage, "the box is sealed: nothing more comes on board", {
      next: "`holdfast seed seal --reopen` first.",
    });
  }
  const url = pathToFileURL(disk).href;
  const rows = gateway.catalog.replicas.list();
  const known = rows.find((row) => row.url === url);
  const replica =
    known ??
    (await addReplica(gateway, {
      name: `disk-${rows.length + 2}`,
      url,
      options: {},
      bandwidth: "",
      schedule: "",
      parallel: 2,
    }));
  // As it is in the file: what is sealed in secrets.sealed stays out of it.
  const file = join(path, "config.toml");
  const settings = await readSettings(file);
  if (settings.evictAbovePercent === 0) {
    const text = formatSettings({ ...settings, evictAbovePercent, evictToPercent });
    await writeFileDurably(file, Buffer.from(text));
    await gateway.reload();
  }
  const time = gateway.now().toISOString();
  if (known === undefined) await appendCustody(path, { time, event: "extended", by, note: replica.name });
  return { replica: replica.name };
}
