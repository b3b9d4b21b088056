// holdfast seed status

import type { BoxStatus, OnBoard } from "../../gateway/seed/seedStatus.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { withAdmin } from "../gatewayAccess.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args, output } = context;
  const text = args.operands[0];
  const number = text === undefined ? undefined : Number(text);
  if (number !== undefined && !(Number.isInteger(number) && number > 0)) {
    throw new HoldfastError(ErrorCode.usage, `not the number of a box: ${text}`);
  }
  const { boxes, onBoard } = await withAdmin(context, ({ seed }) => seed.status(number));
  if (output.json) {
    if (onBoard !== null) output.event({ on_board: jsonOf(onBoard) });
    for (const row of boxes) output.event(rowOf(row));
    return;
  }
  if (onBoard !== null) for (const line of linesOf(onBoard)) output.line(line);
  else if (boxes.length === 0) output.line("There are no boxes; `holdfast help seed prepare`.");
  if (boxes.length > 0) output.line(tableOf(boxes));
}

function tableOf(boxes: readonly BoxStatus[]): string {
  return formatTable(
    ["BOX", "NAME", "FOR", "STATE", "ACCOUNTS", "SEAL", "CODE", "PROMISED", "PENDING"],
    boxes.map((row) => [
      String(row.number),
      row.name,
      row.kind === "seed" ? "seeding" : "restoring",
      row.state,
      row.accounts.join(", "),
      String(row.seal),
      row.code ?? "",
      formatCount(row.promisedChunks, "chunk"),
      formatCount(row.pendingSnapshots, "snapshot"),
    ]),
  );
}

function rowOf({ number, promisedChunks, pendingSnapshots, ...row }: BoxStatus): Record<string, unknown> {
  return { box: number, ...row, promised_chunks: promisedChunks, pending_snapshots: pendingSnapshots };
}

function linesOf(box: OnBoard): string[] {
  if (box.kind === "restore") {
    const made = box.sealed
      ? "to restore from"
      : "to restore from, not finished: run `seed stage-restore` again";
    return [`Box ${box.box} of ${box.datacentre}: ${made}.`, onBoardLine(box)];
  }
  const state = !box.sealed ? "open" : box.delivered ? "sealed, and the datacentre knows" : "sealed";
  return [
    `Box ${box.box} of ${box.datacentre}: ${state}${box.code === null ? "" : `, code ${box.code}`}.`,
    onBoardLine(box),
  ];
}

function onBoardLine({ packs, packBytes, snapshots, chunks, freeBytes }: OnBoard): string {
  return `On board: ${formatCount(packs, "pack")} of ${formatBytes(packBytes)}, ${formatCount(snapshots, "snapshot")}, ${formatCount(chunks, "chunk")}; ${formatBytes(freeBytes)} free.`;
}

function jsonOf({ packBytes, freeBytes, ...row }: OnBoard): Record<string, unknown> {
  return { ...row, pack_bytes: packBytes, free_bytes: freeBytes };
}
