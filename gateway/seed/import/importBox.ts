// Imports a box at its datacentre: every vault of the manifest, then the end of its promises, receipt and custody log.
//
// Invariants
// - One import of a box at a time; what it takes counts portion by portion (importVault.ts), so any stop is one to go on from.
// - Promises end only when nothing is left, or when the owner says that nothing more is to come.
// - The order at the end is: promises closed in each vault, state of the box, custody log, receipt. Each may be repeated.

import { join } from "node:path";
import { fromHex, toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { SigningKey } from "../../../vault/keys/signature.ts";
import { gatewayReceiptSeed } from "../../../vault/replica/receipt.ts";
import { boxGroupsStart } from "../../../vault/seed/boxDocument.ts";
import type { SeedManifest } from "../../../vault/seed/manifest.ts";
import { signSeedReceipt } from "../../../vault/seed/seedReceipt.ts";
import type { ImportProgress, ImportReport, ImportRequest } from "../../admin/importOperations.ts";
import type { JobWatch } from "../../admin/job.ts";
import { sharedGroup } from "../../catalog/accounts.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import { unknownWriter } from "../../catalog/devices.ts";
import type { Gateway } from "../../gateway.ts";
import { writeFileDurably } from "../../store/files.ts";
import { whileHeld } from "../../store/vaultHolds.ts";
import { fromAgents } from "../lacking.ts";
import { BoxLists } from "./boxLists.ts";
import { noteCustody, takeCustody } from "./custodyCopy.ts";
import { importVault } from "./importVault.ts";
import { PackIntake } from "./packIntake.ts";
import type { PackSource } from "./packSources.ts";

const straysMax = 100;
/** Packs of a vault up to which strays are looked for: about 200 MB of memory, and 32 TiB of packs of the usual size. */
const listedMax = 2 ** 21;

type Importing = {
  readonly request: Pick<ImportRequest, "finish" | "dryRun">;
  readonly watch: JobWatch<ImportProgress>;
  readonly lists: BoxLists;
};

/** @throws HoldfastError as ImportOperations.run */
export async function importBox(
  gateway: Gateway,
  box: BoxRow,
  sources: readonly PackSource[],
  request: Pick<ImportRequest, "finish" | "dryRun">,
  watch: JobWatch<ImportProgress>,
): Promise<ImportReport> {
  const lists = await BoxLists.open(gateway.dataDir.path, box);
  const vaults = await Promise.all(lists.manifest.vaults.map(({ id }) => gateway.vault(id)));
  // What is found here is relied on without a lease.
  return await whileHeld(vaults, "an import", () =>
    importLists(gateway, box, sources, { request, watch, lists }),
  );
}

async function importLists(
  gateway: Gateway,
  box: BoxRow,
  sources: readonly PackSource[],
  { request, watch, lists }: Importing,
): Promise<ImportReport> {
  const { manifest } = lists;
  const [packs, packBytes] = manifest.vaults.reduce(
    ([count, bytes], vault) => [count + vault.packs, bytes + vault.packBytes],
    [0, 0],
  );
  if (!request.dryRun) await begin(gateway, box, manifest, sources);
  const report = {
    ...{ box: box.number, seal: manifest.seal, packs, packBytes, left: 0, refused: 0 },
    ...{ takenBytes: 0, readBytes: 0 },
    outcomes: { kept: 0, merged: 0, present: 0 },
    leftPacks: [] as { pack: string; why: string }[],
    strays: [] as string[],
  };
  let [packsDone, bytesDone, left] = [0, 0, 0];
  const tell = (): void =>
    watch.onProgress({ box: box.number, packsDone, packs, bytesDone, bytes: packBytes, left });
  tell();
  for (const { id, account } of manifest.vaults) {
    const vault = await gateway.vault(id);
    const done = await importVault({
      ...{
        vault,
        box: box.number,
        sources,
        packs: lists.packs(id),
        signal: watch.signal,
        dryRun: request.dryRun,
      },
      intake: new PackIntake(vault, {
        directory: gateway.vaultDirectory(id),
        writerOrdinal: (device) => gateway.catalog.devices.get(toHex(device))?.ordinal ?? unknownWriter,
        mayBring: groupsOf(gateway, box, account),
      }),
      onPack: (pack, outcome) => {
        packsDone++;
        bytesDone += pack.bytes;
        if (outcome === "left") left++;
        tell();
      },
    });
    for (const outcome of ["kept", "merged", "present"] as const)
      report.outcomes[outcome] += done.outcomes[outcome];
    report.takenBytes += done.takenBytes;
    report.readBytes += done.readBytes;
    report.left += done.left;
    report.refused += done.refused;
    report.leftPacks.push(...done.leftPacks);
    report.strays.push(...(await straysOf(lists, id, sources)));
  }
  const over = !request.dryRun && (report.left === 0 || request.finish);
  if (over) {
    requireNewest(gateway, lists);
    await endPromises(gateway, box, manifest.vaults);
  }
  if (!request.dryRun) {
    for (const { id } of manifest.vaults) await (await gateway.vault(id)).waits.settle();
  }
  const counts = await snapshotCounts(gateway, lists);
  const state = gateway.catalog.boxes.get(box.number)!.state;
  const receipt = over ? await writeReceipt(gateway, lists, { ...report, ...counts }) : null;
  return { ...report, ...counts, state, receipt };
}

/** Before the first pack. */
async function begin(
  gateway: Gateway,
  box: BoxRow,
  manifest: SeedManifest,
  sources: readonly PackSource[],
): Promise<void> {
  if (box.state === "sealed") {
    gateway.catalog.boxes.update(box.number, (row) => ({ ...row, state: "importing" }));
  }
  await takeCustody(gateway, manifest, sources);
  await noteCustody(gateway, box.number, "importing");
}

/** One may have been taken in while this import began. */
function requireNewest({ catalog }: Gateway, { manifest: { box }, hash }: BoxLists): void {
  if (catalog.boxes.get(box)?.seal?.manifest === hash) return;
  throw new HoldfastError(ErrorCode.sequenceConflict, `a newer manifest of box ${box} came meanwhile`, {
    next: "Run this again: it goes on with that one.",
  });
}

/** Nothing more is expected of a box: what it promised and is not here is needed from agents. */
export async function endPromises(
  gateway: Gateway,
  box: BoxRow,
  vaults: readonly { readonly id: string }[],
  state: "imported" | "abandoned" = "imported",
): Promise<void> {
  for (const { id } of vaults) {
    const vault = await gateway.vault(id);
    if (vault.store.promises.isOpen(box.number)) await vault.boxes.close(box.number);
  }
  if (gateway.catalog.boxes.get(box.number)!.state !== state) {
    gateway.catalog.boxes.update(box.number, (row) => ({ ...row, state }));
  }
  await noteCustody(gateway, box.number, state);
}

/** The account's shared group, those of devices that the box was made for, and the box's own. */
function groupsOf(
  { catalog }: Gateway,
  { number, accounts }: BoxRow,
  account: string,
): (group: number) => boolean {
  const lent = accounts.filter((row) => row.account === account);
  const groups = new Set(
    catalog.devices
      .list(account)
      .filter(({ id }) => lent.some(({ devices }) => devices === null || devices.includes(id)))
      .map(({ group }) => group),
  );
  return (group) =>
    group === sharedGroup ||
    groups.has(group) ||
    (group >= boxGroupsStart(number) && group < boxGroupsStart(number + 1));
}

async function straysOf(lists: BoxLists, vault: string, sources: readonly PackSource[]): Promise<string[]> {
  if ((lists.manifest.vaults.find(({ id }) => id === vault)?.packs ?? 0) > listedMax) return [];
  const listed = new Set<string>();
  for await (const { name } of lists.packs(vault)) listed.add(toHex(name).slice(0, 24));
  const strays: string[] = [];
  for (const source of sources) {
    strays.push(...(await source.strays(vault, (name) => listed.has(name.slice(0, 24)), straysMax)));
  }
  return [...new Set(strays)].slice(0, straysMax);
}

async function snapshotCounts(
  gateway: Gateway,
  lists: BoxLists,
): Promise<{ snapshots: number; whole: number; needs: number }> {
  let [snapshots, whole, needs] = [0, 0, 0];
  for (const { id } of lists.manifest.vaults) {
    const vault = await gateway.vault(id);
    for await (const snapshot of lists.snapshots(id)) {
      snapshots++;
      if (vault.catalog.snapshot(snapshot) !== undefined && vault.catalog.waiting.get(snapshot) === undefined)
        whole++;
    }
    needs += (await vault.waits.lacking()).get(fromAgents)?.size ?? 0;
  }
  return { snapshots, whole, needs };
}

async function writeReceipt(
  gateway: Gateway,
  { manifest, hash, folder }: BoxLists,
  { packs, packBytes, outcomes, snapshots, whole, needs }: Omit<ImportReport, "state" | "receipt">,
): Promise<string> {
  const { identity } = gateway.dataDir;
  const seed = gatewayReceiptSeed(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16));
  const { box, id, seal } = manifest;
  const receipt = {
    ...{ box, id, seal, manifest: hash, packs, packBytes, present: outcomes.present },
    ...{ taken: outcomes.kept + outcomes.merged, needs, snapshots, whole, time: gateway.now().toISOString() },
  };
  const path = join(folder, "receipt");
  await writeFileDurably(path, signSeedReceipt(receipt, new SigningKey(seed)));
  return path;
}

/** A box may be imported once its manifest has come. @throws HoldfastError exists */
export function requireImportable(box: BoxRow): void {
  if (box.kind === "seed") return;
  throw new HoldfastError(
    ErrorCode.exists,
    `box ${box.number} was made to restore from: it carries nothing here`,
    {
      next: "`holdfast seed status --data DIR` lists the boxes.",
    },
  );
}
