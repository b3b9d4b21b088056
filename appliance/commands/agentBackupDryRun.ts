// holdfast agent backup --dry-run

import { dryRun } from "../../agent/backup/dryRun.ts";
import type { BackupRequest } from "../../agent/backup/request.ts";
import { displayPath } from "../../agent/platform/systemError.ts";
import type { AgentConnection } from "../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../agent/session/recordSource.ts";
import { newestOf, type OpenedSnapshot } from "../../agent/session/snapshotList.ts";
import { cachePath } from "../../agent/state/stateDirectory.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";

/** The newest snapshot of the item on this device, also an incomplete one, if its chunks are of this device's group. */
async function previousOf(connection: AgentConnection, item: string): Promise<OpenedSnapshot | undefined> {
  const { device } = connection.enrollment;
  const found = await newestOf(connection, item);
  return found?.header.group === device.group ? found : undefined;
}

/** Walks and tells; nothing is sent and no item is made. */
export async function reportDryRun(
  request: BackupRequest,
  context: CommandContext,
  state: string,
  connection: AgentConnection,
): Promise<void> {
  const { output, signal } = context;
  const { vault, device } = connection.enrollment;
  const keys = await connection.keys(vault, "write");
  const previous = await previousOf(connection, request.item);
  const source = new GatewayRecordSource(connection.client);
  const { counts, portion, stopped } = await dryRun(request, {
    keys,
    group: device.group,
    previous:
      previous === undefined
        ? undefined
        : {
            root: Buffer.from(previous.header.root),
            body: previous.body,
            incomplete: previous.header.flags.incomplete,
          },
    read: async (ids) => {
      const results = await source.read(vault, device.group, ids, signal);
      return results.map((result) => {
        if (result.state === "promised") throw awayWith(result.box);
        return result.state === "record" ? result.record : undefined;
      });
    },
    gatewayId: async () => (await connection.client.hello()).id,
    cachePath: cachePath(state, previous?.row.itemId ?? "dry-run"),
    signal,
    warn: (path, what) => output.warn(what, path.length === 0 ? undefined : displayPath(path)),
    found: ({ path, size, change }) => {
      output.event({ event: "would", action: "read", change, path: displayPath(path), bytes: size });
      output.line(`${change.padEnd(8)} ${displayPath(path)} (${formatBytes(size)})`);
    },
  });
  const { files, dirs, bytes, filesRead, bytesRead } = counts;
  if (stopped !== undefined) {
    output.line(
      `Would stop at --limit-${stopped.limit}, before ${displayPath(stopped.path)}, with an incomplete snapshot (portion ${portion}).`,
    );
  }
  output.line(
    `Would read ${formatCount(filesRead, "file")}, ${formatBytes(bytesRead)}, of ${formatCount(files, "file")}, ${formatBytes(bytes)}. Nothing was sent.`,
  );
  output.event({
    event: "done",
    dry_run: true,
    item: request.item,
    incomplete: stopped !== undefined,
    portion,
    stopped_at: stopped === undefined ? null : displayPath(stopped.path),
    files,
    dirs,
    bytes,
    files_read: filesRead,
    bytes_read: bytesRead,
    warnings: output.warnings,
  });
}

/** A dry run compares with pages that only a box has. */
function awayWith(box: number): HoldfastError {
  return new HoldfastError(
    ErrorCode.promised,
    `a page of the previous snapshot is on box ${box}, which is on its way`,
    {
      next: "A backup does not need it: it reads everything, and sends what is new. It also brings this machine's copy of the pages.",
      detail: { box },
    },
  );
}
