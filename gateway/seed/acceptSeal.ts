// A box's manifest comes into force at its datacentre (docs/seeding.md, "Promises").
//
// The order (docs/concurrency.md, "Boxes"), each step durable before the next, and each repeated without harm by whoever calls again:
//   1. the manifest has its name; devices that were enrolled at the box, and their wraps of keys
//   2. per vault: the list of chunks is promised
//   3. per vault: its snapshots appear, as pending
//   4. the devices' home is here again
//   5. the box's row says which seal counts. Until then the next call does all of it again
//
// Invariant: nothing of this begins before every list was looked through whole.

import { join } from "node:path";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { addDeviceWrap } from "../../vault/keys/keysDocument.ts";
import type { SeedListName, SeedManifest } from "../../vault/seed/manifest.ts";
import { revokeDevice } from "../admin/deviceOperations.ts";
import type { JobWatch } from "../admin/job.ts";
import type { BoxRow } from "../catalog/boxes.ts";
import type { Device } from "../catalog/devices.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { writeFileDurably } from "../store/files.ts";
import { type ListReading, listPath, readList } from "./listFiles.ts";
import { adoptSnapshots } from "./receive/adoptSnapshots.ts";
import { checkLists, type SeedPart } from "./receive/checkLists.ts";

export type AcceptedSeal = {
  readonly box: number;
  readonly seal: number;
  readonly chunks: number;
  readonly snapshots: number;
  /** Snapshots that became forks. */
  readonly forked: number;
  readonly devices: number;
};

export type SealToAccept = {
  readonly manifest: SeedManifest;
  /** Both lines. */
  readonly bytes: Uint8Array;
  /** SHA-256, hex. */
  readonly hash: string;
  /** The seal's folder, with all lists whole. */
  readonly folder: string;
};

/** How far a manifest is taken in: its lists are brought here (`reading`), looked through whole (`checking`), and count one by one (`promising`). */
export type AcceptProgress = {
  readonly phase: "reading" | "checking" | "promising";
  /** Of lists. */
  readonly bytesDone: number;
  readonly bytes: number;
};

/**
 * One at a time for each box: the caller sees to that.
 * @throws HoldfastError corrupt, truncated, limit-exceeded, key-wrong, disk-full, io-error; the signal's reason: asking again does all of it again
 */
export async function acceptSeal(
  gateway: Gateway,
  box: BoxRow,
  sealed: SealToAccept,
  watch: JobWatch<AcceptProgress>,
): Promise<AcceptedSeal> {
  const { manifest, folder, hash } = sealed;
  const checking = readingOf(watch, "checking", manifest, ["packs", "chunks", "snapshots"]);
  const promising = readingOf(watch, "promising", manifest, ["chunks", "snapshots"]);
  const parts = new Map<string, SeedPart>();
  for (const vault of manifest.vaults) {
    parts.set(vault.id, await checkLists(gateway, box, folder, vault, checking));
  }
  await writeFileDurably(join(folder, "manifest"), sealed.bytes);
  let devices = 0;
  let snapshots = 0;
  let forked = 0;
  for (const row of manifest.vaults) {
    const part = parts.get(row.id)!;
    const vault = await gateway.vault(row.id);
    devices += await adoptDevices(gateway, box, vault, part);
    await promiseChunks(vault, manifest, readList(listPath(folder, row.id, "chunks"), promising));
    const items = new Map(part.items.map((item) => [item.id, item]));
    const adopting = { vault, box: box.number, directory: gateway.vaultDirectory(row.id), items };
    const adopted = await adoptSnapshots(
      adopting,
      readList(listPath(folder, row.id, "snapshots"), promising),
    );
    snapshots += adopted.entered + adopted.forked;
    forked += adopted.forked;
    gateway.changes.tell(row.account);
  }
  for (const { account } of box.accounts) await gateway.homes.recalled(account, box.id);
  const seal = { seal: manifest.seal, manifest: hash, time: manifest.time };
  gateway.catalog.boxes.update(box.number, (row) => {
    const before =
      row.state === "preparing" ||
      row.state === "prepared" ||
      // It turned up after all, and nothing of it had come before.
      (row.state === "abandoned" && row.seal === null);
    return { ...row, seal, state: before ? "sealed" : row.state };
  });
  const chunks = manifest.vaults.reduce((sum, vault) => sum + vault.chunks, 0);
  const accepted = { box: box.number, seal: manifest.seal, chunks, snapshots, forked, devices };
  gateway.logger.info(accepted, "manifest of a box accepted");
  return accepted;
}

function readingOf(
  { onProgress, signal }: JobWatch<AcceptProgress>,
  phase: AcceptProgress["phase"],
  { vaults }: SeedManifest,
  names: readonly SeedListName[],
): ListReading {
  const bytes = vaults.reduce(
    (all, { lists }) => names.reduce((sum, name) => sum + lists[name].bytes, all),
    0,
  );
  let bytesDone = 0;
  const onBytes = (read: number): void => {
    bytesDone += read;
    onProgress({ phase, bytesDone, bytes });
  };
  return { signal, onBytes };
}

async function promiseChunks(
  vault: OpenVault,
  { box, seal }: SeedManifest,
  list: AsyncIterable<Uint8Array>,
): Promise<void> {
  const known = vault.boxes.list().find((promised) => promised.box === box);
  if (known !== undefined && known.seal >= seal) return;
  await vault.boxes.promise({ box, seal, list });
}

/** Rows and wraps of devices that are not known here; how many came. */
async function adoptDevices(
  gateway: Gateway,
  { number: box, created }: Pick<BoxRow, "number" | "created">,
  vault: OpenVault,
  { devices, keys }: SeedPart,
): Promise<number> {
  const { catalog, logger } = gateway;
  let added = 0;
  for (const device of devices) {
    const known = catalog.devices.get(device.id);
    if (known !== undefined && (known.account !== device.account || known.revoked)) continue;
    if (device.revoked) {
      if (known === undefined) {
        catalog.write(() => {
          catalog.devices.add({ ...device, name: freeName(catalog.devices, device, box) });
          catalog.devices.revoke(device.id);
        });
      } else if (known.enrolled >= created) {
        // It came with an earlier seal of this box. What was enrolled here is not for a box to revoke.
        await revokeDevice(gateway, catalog.accounts.get(known.account)!, known.id);
      } else logger.warn({ box, device: device.id }, "a device was revoked at a box: revoke it here, too");
      continue;
    }
    const wrap = keys.wraps.find((each) => each.kind === "device" && each.device === device.id);
    const here = vault.keys.wraps.some((each) => each.kind === "device" && each.device === device.id);
    if (wrap?.kind === "device" && !here) {
      if (keys.epoch === vault.keys.epoch) {
        const { generation } = await vault.replaceKeys((current) => addDeviceWrap(current, wrap));
        catalog.vaults.setKeysGeneration(vault.id, generation);
      } else
        logger.warn({ box, device: device.id }, "a device of a box has keys of another epoch; enrol it anew");
    }
    if (known !== undefined) continue;
    catalog.devices.add({ ...device, name: freeName(catalog.devices, device, box) });
    added++;
    // Each is a transaction: others get their turn.
    await new Promise((resolve) => setImmediate(resolve));
  }
  return added;
}

/** The device's name, or one like it where another device has it here. @throws HoldfastError exists */
function freeName(
  devices: Gateway["catalog"]["devices"],
  { account, name }: Pick<Device, "account" | "name">,
  box: number,
): string {
  for (let n = 0; n < 100; n++) {
    const end = n === 0 ? "" : n === 1 ? `-box${box}` : `-box${box}-${n}`;
    const tried = `${[...name].slice(0, 64 - end.length).join("")}${end}`;
    if (devices.byName(account, tried) === undefined) return tried;
  }
  throw new HoldfastError(ErrorCode.exists, `there are too many devices called ${name}`);
}
