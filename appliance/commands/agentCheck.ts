// holdfast agent check

import { checkSnapshots } from "../../agent/inspect/checkSnapshots.ts";
import type { CheckPort, CheckResult } from "../../agent/inspect/checkTypes.ts";
import { ProvenChunks } from "../../agent/inspect/provenChunks.ts";
import { readShareOf } from "../../agent/inspect/readShare.ts";
import type { OpenedSnapshot } from "../../agent/session/snapshotList.ts";
import { reportSuspects } from "../../agent/session/suspects.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import type { Output } from "../cli/output/output.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { gatewayToRead } from "../gatewayToRead.ts";
import { type SnapshotReader, withSnapshots } from "../openedSnapshots.ts";

function checkPort({ connection }: SnapshotReader): CheckPort {
  return {
    exists: (vault, group, ids, signal) => connection.client.exists(vault, group, ids, signal),
    suspect: (vault, group, ids) => reportSuspects(connection.client, vault, group, ids),
  };
}

export function run(given: CommandContext): Promise<void> {
  return withSnapshots(given, async (reader) => {
    const { args, output, signal, nowMs } = reader.context;
    const startedMs = nowMs();
    const name = args.operands[0];
    const snapshots = name === undefined ? await reader.all() : [await reader.find(name)];
    if (snapshots.length === 0) {
      throw new HoldfastError(ErrorCode.notFound, "there is no snapshot to check", {
        next: "`holdfast agent snapshots` lists what there is.",
      });
    }
    const ownGroup = reader.connection.enrollment.device.group;
    for (const { row } of snapshots) await reader.connection.keys(row.vault, "verify");
    const totalBytes = Math.max(...snapshots.map(({ body }) => body.bytes));
    const readData = args.text("read-data") ?? "0%";
    const readShare = readShareOf(readData, totalBytes);
    const { gateway, vault } = reader.connection.enrollment;
    const { fingerprint } = gatewayToRead(reader.context) ?? gateway;
    const origin = `${vault} ${fingerprint}`;
    const proven =
      readShare === 0
        ? ProvenChunks.unkept(0)
        : ProvenChunks.open(reader.state, origin, readData, Date.now());
    if (proven.resumed > 0) {
      const started = new Date(proven.startedMs).toISOString();
      const already = formatCount(proven.resumed, "chunk");
      output.note(`Going on with the check that began at ${started}: ${already} read and proven already.`);
    }
    let result: CheckResult;
    try {
      result = await checkSnapshots({
        source: reader.source,
        port: checkPort(reader),
        ownGroup,
        snapshots: snapshots.map((snapshot) => ({ id: snapshot.row.id, opened: reader.open(snapshot) })),
        readShare,
        proven,
        onProgress: ({ filesDone, bytesDone }) =>
          output.progress({ label: "checking", files: filesDone, bytes: bytesDone }),
        signal,
      });
      proven.finish();
    } finally {
      proven.close();
    }
    output.endProgress();
    for (const { kind, chunk, message, writer, hurts } of result.problems) {
      output.event({ event: "problem", kind, chunk, message, writer: writer ?? null, hurts });
      const places = hurts.map(({ path }) => path);
      const by = writer === undefined ? "" : `; device ${writer} wrote it`;
      output.fault(
        `chunk ${chunk.slice(0, 16)}: ${message}${by}; it hurts ${places.join(", ") || "no file that is known"}`,
      );
    }
    warnOfUntold(output, result, ownGroup, snapshots);
    const seconds = Math.round(nowMs() - startedMs) / 1000;
    output.line(
      `Checked ${formatCount(result.snapshots, "snapshot")}: ${formatCount(result.pages, "page")} and ` +
        `${formatCount(result.chunks, "chunk is", "chunks are")} there; ${formatCount(result.readChunks, "chunk")} ` +
        `(${formatBytes(result.readBytes)}) read and proven; ${formatCount(result.problems.length, "problem")}.`,
    );
    if (result.problems.length > 0) {
      throw new HoldfastError(
        ErrorCode.chunkDamaged,
        `${formatCount(result.problems.length, "chunk")} missing or damaged`,
        {
          next: "Run the backup again with --rescan: what the gateway knows to be bad is sent anew where the source still has it.",
        },
      );
    }
    output.event({
      event: "done",
      snapshots: result.snapshots,
      pages: result.pages,
      chunks: result.chunks,
      read_chunks: result.readChunks,
      read_bytes: result.readBytes,
      resumed_chunks: proven.resumed,
      problems: 0,
      seconds,
    });
  });
}

/** Damage that the gateway does not know of yet: it will not ask for good copies until it does. */
function warnOfUntold(
  output: Output,
  { problems, untold }: CheckResult,
  ownGroup: number,
  snapshots: readonly OpenedSnapshot[],
): void {
  if (untold !== undefined) {
    output.warn(`the gateway could not be told which chunks are damaged (${untold.message}): check again`);
  }
  const damaged = problems.filter(({ code }) => code === ErrorCode.chunkDamaged);
  const groups = new Set(damaged.map(({ group }) => group));
  groups.delete(ownGroup);
  const rows = snapshots.map(({ row }) => row).filter(({ group }) => groups.has(group));
  for (const device of new Set(rows.map((row) => row.device))) {
    output.warn(
      `damaged chunks of device ${device} are not of this device's group, so the gateway does not believe this device: ` +
        `run \`holdfast agent check --read-data 100%\` on ${device} as well`,
    );
  }
}
