// Makes a box that restores: the closure of chosen snapshots in a gateway of its own (docs/seeding.md, "Stage-restore").
//
// The order: the box is prepared like any other, lent to by nobody; then each vault gets what is left out as promised, data, metadata, and
// in one transaction its snapshots; open packs are closed; then the box counts as sealed. A run that was stopped goes on in the same
// directory: what is there is not copied again.

import { join } from "node:path";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { boxUnlockKey, openBoxKeyAtDatacentre } from "../../../vault/seed/boxDocument.ts";
import { encodeChunkList } from "../../../vault/seed/chunkList.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { StageProgress, StageReport } from "../../admin/stageOperations.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import type { Snapshot } from "../../catalog/vaultCatalog.ts";
import { Gateway } from "../../gateway.ts";
import type { OpenVault } from "../../openVault.ts";
import { writeFileDurably } from "../../store/files.ts";
import { readBoxDocument } from "../boxDirectory.ts";
import { appendCustody } from "../custodyFile.ts";
import { type BoxPlan, prepareBox } from "../prepare/prepareBox.ts";
import { copyRecords } from "./copyRecords.ts";
import type { Selection } from "./selection.ts";

/** What a vault gives to the box. */
export type StagedVault = {
  readonly vault: OpenVault;
  readonly snapshots: readonly Snapshot[];
  readonly selection: Selection;
};

const noWriter = "00".repeat(16);

/** @throws HoldfastError exists, chunk-missing, chunk-damaged, disk-full, io-error, cancelled */
export async function stageBox(
  gateway: Gateway,
  plan: BoxPlan,
  staged: readonly StagedVault[],
  watch: JobWatch<StageProgress>,
): Promise<Pick<StageReport, "box">> {
  const row = (await begunBefore(gateway, plan.directory)) ?? (await prepareBox(gateway, plan));
  const document = await readBoxDocument(plan.directory);
  if (document === undefined)
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${plan.directory} lost its box.json`);
  const { identity } = gateway.dataDir;
  const unlockKey = boxUnlockKey(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16));
  const boxKey = openBoxKeyAtDatacentre(document, unlockKey);
  unlockKey.fill(0);
  const { logger, now, version } = gateway;
  const box = await Gateway.open(plan.directory, { logger, now, version, boxKey });
  try {
    const records = staged.reduce(
      (sum, { selection }) => sum + selection.data.length + selection.metadata.length,
      0,
    );
    const bytes = staged.reduce((sum, { selection }) => sum + selection.bytes, 0);
    let [recordsDone, bytesDone] = [0, 0];
    const onCopied = (count: number, copied: number): void => {
      recordsDone += count;
      bytesDone += copied;
      watch.onProgress({ records, recordsDone, bytes, bytesDone });
    };
    onCopied(0, 0);
    for (const each of staged)
      await stageVault(gateway, box, each, row.number, { onCopied, signal: watch.signal });
    await appendCustody(plan.directory, {
      time: now().toISOString(),
      event: "sealed",
      by: plan.by,
      note: "",
    });
  } finally {
    await box.close();
    boxKey.fill(0);
  }
  gateway.catalog.boxes.update(row.number, (known) => ({ ...known, state: "sealed" }));
  const { number, id, name, fingerprint, urls } = row;
  return { box: { number, id, name, fingerprint, urls } };
}

/** The box that a run before had begun to fill in this directory. */
async function begunBefore(gateway: Gateway, directory: string): Promise<BoxRow | undefined> {
  const document = await readBoxDocument(directory).catch(() => undefined);
  if (document === undefined || document.kind !== "restore") return undefined;
  const row = gateway.catalog.boxes.get(document.box);
  return row?.id === document.id && row.state === "prepared" ? row : undefined;
}

async function stageVault(
  gateway: Gateway,
  box: Gateway,
  { vault, snapshots, selection }: StagedVault,
  number: number,
  {
    onCopied,
    signal,
  }: { readonly onCopied: (records: number, bytes: number) => void; readonly signal: AbortSignal },
): Promise<void> {
  const to = await box.vault(vault.id);
  if (selection.leftOut.size > 0 && !to.store.promises.isOpen(number)) {
    await to.boxes.promise({ box: number, seal: 1, list: leftOutList(selection) });
  }
  const names = new Map(gateway.catalog.devices.list().map(({ ordinal, id }) => [ordinal, id]));
  const writerOf = (ordinal: number): string => names.get(ordinal) ?? noWriter;
  const port = { from: vault, to, writerOf, signal, onCopied };
  await copyRecords(port, selection.data);
  await copyRecords(port, selection.metadata);
  for (const snapshot of snapshots) {
    const path = join(box.vaultDirectory(vault.id), "snapshots", snapshot.id);
    await writeFileDurably(path, await vault.snapshotObject(snapshot));
  }
  const owners = new Set(snapshots.map(({ item }) => item));
  const items = vault.catalog.items().filter(({ id }) => owners.has(id));
  await to.store.flush(() => {
    to.catalog.restore(items, snapshots, to.catalog.changes());
    if (selection.leftOut.size > 0) for (const { id } of snapshots) to.waits.mark(id);
  });
  await to.store.closeOpenPacks();
}

function leftOutList({ leftOut }: Selection): AsyncGenerator<Buffer> {
  const groups = [...leftOut].sort(([a], [b]) => a - b);
  return encodeChunkList(
    groups.map(([group, prefixes]) => ({
      ...{ group, count: prefixes.length },
      prefixes: [Buffer.from(prefixes.join(""), "hex")],
    })),
  );
}
