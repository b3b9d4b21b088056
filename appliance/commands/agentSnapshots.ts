// holdfast agent snapshots

import { wrongEnd } from "../../agent/program/shellCommand.ts";
import { AgentConnection } from "../../agent/session/connection.ts";
import { openRows, treeOf } from "../../agent/session/snapshotList.ts";
import type { SnapshotBody } from "../../vault/snapshot.ts";
import { agentContext } from "../agentSettings.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatTable } from "../cli/output/table.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { gatewayToRead } from "../gatewayToRead.ts";

export async function run(given: CommandContext): Promise<void> {
  const { context, state, line } = await agentContext(given);
  const { args, output } = context;
  const way = { line, elsewhere: gatewayToRead(context) };
  const connection = await AgentConnection.open(state, undefined, context.signal, way);
  try {
    const rows = await connection.client.snapshots({ item: args.text("item"), device: args.text("device") });
    const snapshots = await openRows(connection, rows, (row, error) =>
      output.warn(error instanceof Error ? error.message : String(error), `snapshot ${row.id}`),
    );
    output.event(
      snapshots.map((snapshot) => ({
        id: snapshot.row.id,
        item: snapshot.row.item,
        device: snapshot.row.device,
        time: snapshot.body.time,
        received: snapshot.row.received,
        files: snapshot.body.files,
        bytes: snapshot.body.bytes,
        tree: treeOf(snapshot),
        incomplete: snapshot.row.incomplete,
        ...(snapshot.body.program !== undefined && { program: snapshot.body.program }),
        ...(snapshot.row.pending !== undefined && { pending: snapshot.row.pending }),
      })),
    );
    if (snapshots.length === 0) return output.line(noneOf(args.text("item"), args.text("device")));
    output.line(
      formatTable(
        ["SNAPSHOT", "TIME", "DEVICE", "ITEM", "FILES", "SIZE", "PATHS"],
        snapshots.map(({ row, body }) => [
          row.id.slice(0, 16),
          body.time,
          row.device,
          row.item,
          formatCount(body.files, "file"),
          formatBytes(body.bytes),
          `${body.paths.join(" ")}${row.incomplete ? incompleteText(body) : ""}${pendingText(row.pending)}`,
        ]),
      ),
    );
  } finally {
    connection.close();
  }
}

function incompleteText({ program }: SnapshotBody): string {
  return program === undefined ? " (incomplete)" : ` (failed: the command ${wrongEnd(program)})`;
}

/** What a person is told of a snapshot that is not whole at the gateway. */
function pendingText(boxes: readonly number[] | undefined): string {
  if (boxes === undefined) return "";
  if (boxes.includes(0)) return " (a part of it: the rest was left out of this box)";
  if (boxes.length === 0) return " (lacks content that only a backup can bring)";
  return ` (completes when box ${boxes.join(" and box ")} arrives)`;
}

function noneOf(item: string | undefined, device: string | undefined): string {
  if (item === undefined && device === undefined)
    return "No snapshots yet. Make one: holdfast agent backup PATH";
  const whose = [
    item === undefined ? "" : ` of item ${item}`,
    device === undefined ? "" : ` of device ${device}`,
  ];
  return `No snapshots${whose.join("")}. See what there is: holdfast agent snapshots`;
}
