// What commands that look into snapshots share: the connection, the records, and the snapshot that is meant.

import { openTree, type SnapshotTree } from "../agent/inspect/snapshotTree.ts";
import { wrongEnd } from "../agent/program/shellCommand.ts";
import { AgentConnection } from "../agent/session/connection.ts";
import { GatewayRecordSource } from "../agent/session/recordSource.ts";
import { findSnapshot, type OpenedSnapshot, openRows } from "../agent/session/snapshotList.ts";
import { agentContext } from "./agentSettings.ts";
import type { CommandContext } from "./cli/command.ts";
import type { Output } from "./cli/output/output.ts";
import { gatewayToRead } from "./gatewayToRead.ts";

/** One command's way into the snapshots of the account. */
export class SnapshotReader {
  readonly context: CommandContext;
  /** The agent's state directory. */
  readonly state: string;
  readonly connection: AgentConnection;
  readonly source: GatewayRecordSource;

  constructor(context: CommandContext, state: string, connection: AgentConnection) {
    this.context = context;
    this.state = state;
    this.connection = connection;
    this.source = new GatewayRecordSource(this.connection.client);
  }

  /** The snapshot of this name, by the command's --item and --device. @throws HoldfastError not-found, usage */
  async find(name: string): Promise<OpenedSnapshot> {
    const { args, output } = this.context;
    const { connection } = this;
    const found = await findSnapshot(connection, {
      name,
      item: args.text("item"),
      device: args.text("device"),
    });
    noteIncomplete(output, found);
    return found;
  }

  /** All snapshots of --item and --device (of this device, where none is named), newest first. */
  async all(): Promise<OpenedSnapshot[]> {
    const { args, output } = this.context;
    const { client, enrollment } = this.connection;
    const device = args.text("device") ?? enrollment.device.name;
    const rows = await client.snapshots({ device, item: args.text("item") });
    return openRows(this.connection, rows, ({ id }, error) =>
      output.warn(error instanceof Error ? error.message : String(error), `snapshot ${id}`),
    );
  }

  open(snapshot: OpenedSnapshot): SnapshotTree {
    return openTree(this.source, snapshot);
  }

  close(): void {
    this.connection.close();
  }
}

/** Tells people where a snapshot is not all that there was; not with --json, where `agent snapshots` tells. */
export function noteIncomplete(output: Output, { row, header, body }: OpenedSnapshot): void {
  if (!header.flags.incomplete) return;
  const why =
    body.program === undefined
      ? "is incomplete: its run stopped at a limit, so files that it lacks may be missing only for that"
      : `is of a command that ${wrongEnd(body.program)}: its output may lack something`;
  output.note(`holdfast: note: snapshot ${row.id.slice(0, 16)} ${why}`);
}

/** Runs `work` with a reader for the command's state directory. */
export async function withSnapshots(
  given: CommandContext,
  work: (reader: SnapshotReader) => Promise<void>,
): Promise<void> {
  const { context, state, line } = await agentContext(given);
  const { signal } = context;
  const way = { line, elsewhere: gatewayToRead(context) };
  const connection = await AgentConnection.open(state, undefined, signal, way);
  const reader = new SnapshotReader(context, state, connection);
  try {
    await work(reader);
  } finally {
    reader.close();
  }
}
