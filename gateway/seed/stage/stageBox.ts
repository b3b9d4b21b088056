// Makes a box that restores: the closure of chosen snapshots in a gateway of its own (docs/seeding.md, "Stage-restore").
//
// The order: the box is prepared like any other, lent to by nobody; it notes what it was begun for; each vault is filled; the line in the
// custody log; what it notes says that it is whole; the datacentre's row says `sealed`. A run that was stopped goes on in the same
// directory, for the same snapshots: what is there is not copied again. The passphrase that was given last counts.

import { createHash } from "node:crypto";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fromHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import {
  type BoxDocument,
  boxUnlockKey,
  createBoxDocument,
  formatBoxDocument,
  openBoxKeyAtDatacentre,
} from "../../../vault/seed/boxDocument.ts";
import type { JobWatch } from "../../admin/job.ts";
import type { StageProgress, StageReport } from "../../admin/stageOperations.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import { Gateway } from "../../gateway.ts";
import { writeFileDurably } from "../../store/files.ts";
import { boxDocumentName, readBoxDocument } from "../boxDirectory.ts";
import { BoxState } from "../boxState.ts";
import { appendCustody, readCustody } from "../custodyFile.ts";
import { type BoxPlan, prepareBox } from "../prepare/prepareBox.ts";
import { type StagedVault, stageVault } from "./stageVault.ts";

export type StagePlan = {
  readonly box: BoxPlan;
  readonly vaults: readonly StagedVault[];
  /** What was asked for: SNAPSHOT:PATH each. */
  readonly chosen: readonly string[];
};

type Begun = { readonly row: BoxRow; readonly document: BoxDocument };

/** The box that a run before began in a directory, which may go on. @throws HoldfastError io-error, corrupt, unsupported */
export async function begunBefore(gateway: Gateway, directory: string): Promise<Begun | undefined> {
  const document = await readBoxDocument(directory);
  if (document?.kind !== "restore" || !existsSync(join(directory, "gateway.json"))) return undefined;
  const row = gateway.catalog.boxes.get(document.box);
  if (row?.id !== document.id || (row.state !== "preparing" && row.state !== "prepared")) return undefined;
  return { row, document };
}

/**
 * One at a time for each directory: the caller sees to that.
 * @throws HoldfastError exists, chunk-missing, chunk-damaged, disk-full, io-error; the signal's reason
 */
export async function stageBox(
  gateway: Gateway,
  plan: StagePlan,
  watch: JobWatch<StageProgress>,
): Promise<NonNullable<StageReport["box"]>> {
  const { directory, by } = plan.box;
  const { row, boxKey } = await boxToFill(gateway, plan.box);
  const { logger, now, version } = gateway;
  try {
    const box = await Gateway.open(directory, { logger, now, version, boxKey });
    try {
      const state = new BoxState(box.catalog.environment);
      const chosen = digestOf(plan.chosen);
      requireSame(state.get().staged?.chosen, chosen, row);
      state.update({ staged: { chosen, whole: false } });
      await fill(gateway, box, row.number, plan, watch);
      await sealCustody(directory, now().toISOString(), by);
      state.update({ staged: { chosen, whole: true } });
    } finally {
      await box.close();
    }
  } finally {
    boxKey.fill(0);
  }
  gateway.catalog.boxes.update(row.number, (known) => ({ ...known, state: "sealed" }));
  const { number, id, name, fingerprint, urls } = row;
  return { number, id, name, fingerprint, urls };
}

/** A new box, or the one of a run before with the new passphrase. */
async function boxToFill(gateway: Gateway, plan: BoxPlan): Promise<{ row: BoxRow; boxKey: Buffer }> {
  const { identity } = gateway.dataDir;
  const begun = await begunBefore(gateway, plan.directory);
  const row = begun?.row ?? (await prepareBox(gateway, plan));
  const document = begun?.document ?? (await readBoxDocument(plan.directory));
  if (document === undefined) {
    throw new HoldfastError(ErrorCode.dataDirInvalid, `${plan.directory} lost its ${boxDocumentName}`);
  }
  const unlockKey = boxUnlockKey(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16));
  const boxKey = openBoxKeyAtDatacentre(document, unlockKey);
  unlockKey.fill(0);
  if (begun === undefined) return { row, boxKey };
  requireSameAccounts(row, plan);
  const renewed = createBoxDocument(document, boxKey, plan.kdf, plan.r);
  await writeFileDurably(join(plan.directory, boxDocumentName), formatBoxDocument(renewed));
  const prepared = gateway.catalog.boxes.update(row.number, (known) => ({ ...known, state: "prepared" }));
  return { row: prepared, boxKey };
}

async function fill(
  gateway: Gateway,
  box: Gateway,
  number: number,
  { vaults }: StagePlan,
  { onProgress, signal }: JobWatch<StageProgress>,
): Promise<void> {
  const records = vaults.reduce(
    (sum, { selection }) => sum + selection.data.count + selection.metadata.count,
    0,
  );
  const bytes = vaults.reduce((sum, { selection }) => sum + selection.bytes, 0);
  let [recordsDone, bytesDone] = [0, 0];
  const onCopied = (count: number, copied: number): void => {
    recordsDone += count;
    bytesDone += copied;
    onProgress({ phase: "copying", records, recordsDone, bytes, bytesDone });
  };
  onCopied(0, 0);
  for (const each of vaults) await stageVault({ gateway, box, number, signal, onCopied }, each);
}

/** One line, however often the end was reached. */
async function sealCustody(directory: string, time: string, by: string): Promise<void> {
  const { entries } = await readCustody(directory);
  if (entries.at(-1)?.event === "sealed") return;
  await appendCustody(directory, { time, event: "sealed", by, note: "to restore from" });
}

function digestOf(chosen: readonly string[]): string {
  return createHash("sha256")
    .update([...new Set(chosen)].sort().join("\0"))
    .digest("hex");
}

function requireSame(before: string | undefined, now: string, { number }: BoxRow): void {
  if (before !== undefined && before !== now) throw begunForOthers(number);
}

function requireSameAccounts({ number, accounts }: BoxRow, plan: BoxPlan): void {
  const names = (rows: BoxRow["accounts"]): string =>
    rows
      .map(({ account }) => account)
      .sort()
      .join();
  if (names(accounts) !== names(plan.accounts)) throw begunForOthers(number);
}

function begunForOthers(number: number): HoldfastError {
  return new HoldfastError(ErrorCode.exists, `the directory holds box ${number}, begun for other snapshots`, {
    next: "Finish it with the command that began it, or choose an empty directory.",
  });
}
