// holdfast agent check

import {
  type CheckPort,
  type CheckResult,
  checkSnapshots,
  readShareOf,
} from "../../agent/inspect/checkSnapshots.ts";
import { ProvenChunks } from "../../agent/inspect/provenChunks.ts";
import { toHex } from "../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { formatBytes, formatCount } from "../cli/units.ts";
import { type SnapshotReader, withSnapshots } from "../openedSnapshots.ts";

function checkPort({ connection }: SnapshotReader): CheckPort {
  return {
    exists: (vault, group, ids, signal) => connection.client.exists(vault, group, ids, signal),
    suspect: async (vault, group, ids) => {
      await connection.client.suspect(vault, { group, ids: ids.map((id) => toHex(id)) });
    },
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
    const totalBytes = Math.max(...snapshots.map(({ body }) => body.bytes));
    const readData = args.text("read-data") ?? "0%";
    const readShare = readShareOf(readData, totalBytes);
    const { gateway, vault } = reader.connection.enrollment;
    const origin = `${vault} ${gateway.fingerprint}`;
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
    for (const { kind, chunk, message, hurts } of result.problems) {
      output.event({ event: "problem", kind, chunk, message, hurts });
      const places = hurts.map(({ path }) => path);
      output.fault(
        `chunk ${chunk.slice(0, 16)}: ${message}; it hurts ${places.join(", ") || "no file that is known"}`,
      );
    }
    const seconds = Math.round(nowMs() - startedMs) / 1000;
    output.line(
      `Checked ${formatCount(result.snapshots, "snapshot")}: ${formatCount(result.pages, "page")} and ` +
        `${formatCount(result.chunks, "chunk")} are there; ${formatCount(result.readChunks, "chunk")} ` +
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
