// holdfast quickstart

import { mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { BackupRequest } from "../../agent/backup/request.ts";
import { AgentConnection } from "../../agent/session/connection.ts";
import { noLimits } from "../../agent/source/portion.ts";
import { resolveTopPaths } from "../../agent/source/topPaths.ts";
import { lockState } from "../../agent/state/stateDirectory.ts";
import { mountAt } from "../../fs/fuse/mountTable.ts";
import { ErrorCode, HoldfastError, isHoldfastError } from "../../vault/errors.ts";
import { pathToText } from "../../vault/pathText.ts";
import type { CommandContext } from "../cli/command.ts";
import { askYes } from "../cli/password.ts";
import { orHangup } from "../cli/stopSignals.ts";
import { openAgentDrive } from "../drive/agentDrive.ts";
import { untilUnmounted } from "../drive/serveDrive.ts";
import { quickstartFolder } from "../locations.ts";
import { stopGateway } from "../quickstart/gatewayChild.ts";
import { type Layout, layoutOf } from "../quickstart/layout.ts";
import { takeLock } from "../quickstart/lock.ts";
import { prepare, rememberedPath, rememberPath } from "../quickstart/prepare.ts";
import { listParts, removeParts, stopQuickstart } from "../quickstart/remove.ts";
import { printResult } from "../quickstart/tryNext.ts";
import { backUp } from "./agentBackup.ts";

const item = "files";

export async function run(context: CommandContext): Promise<void> {
  const { args, environment } = context;
  const layout = layoutOf(quickstartFolder(args.text("dir"), environment));
  if (args.flag("stop")) return stop(context, layout);
  if (args.flag("remove")) return remove(context, layout);
  const path = resolve(args.operands[0] ?? rememberedPath(layout) ?? ".");
  const request = backupRequest(path, layout);
  mkdirSync(layout.root, { recursive: true, mode: 0o700 });
  takeLock(layout.lock, layout.root);
  try {
    await start(context, layout, request);
  } finally {
    await stopGateway(layout.gateway);
  }
}

async function stop({ output }: CommandContext, layout: Layout): Promise<void> {
  const stopped = await stopQuickstart(layout);
  output.line(stopped ? "Stopped: the drive is unmounted." : `No quickstart runs in ${layout.root}.`);
  output.event({ event: "done", stopped });
}

async function remove(context: CommandContext, layout: Layout): Promise<void> {
  const { output, args, signal } = context;
  if (!listParts(layout, output)) {
    output.line(`Nothing to remove: there is no quickstart in ${layout.root}.`);
    return output.event({ event: "done", removed: false });
  }
  const next = "Add --yes to delete without a question.";
  if (!args.flag("yes") && !(await askYes("Delete all of this, backups included?", signal, next))) {
    throw new HoldfastError(ErrorCode.cancelled, "nothing was deleted", { next });
  }
  await stopQuickstart(layout);
  await removeParts(layout);
  output.line("Removed.");
  return output.event({ event: "done", removed: true });
}

/** Glob characters of a path, without their meaning. */
function literalGlob(path: string): string {
  return path.replaceAll(/[\\*?[\]]/g, "\\$&");
}

/** @throws HoldfastError not-found */
function backupRequest(path: string, layout: Layout): BackupRequest {
  return {
    paths: resolveTopPaths([path]),
    item,
    // Its own packs would be new in every run.
    rules: { excludes: [literalGlob(layout.root)] },
    rescan: false,
    reference: true,
    oneFileSystem: false,
    excludeCaches: false,
    limits: noLimits,
    chunker: "auto-1",
  };
}

async function start(context: CommandContext, layout: Layout, request: BackupRequest): Promise<void> {
  const { output, args, environment } = context;
  const signal = orHangup(context.signal);
  await prepare(layout, output, signal);
  const path = (request.paths[0] as BackupRequest["paths"][number]).path;
  rememberPath(layout, path.toString());
  const connection = new AgentConnection(layout.agent);
  try {
    const lock = lockState(layout.agent);
    const place = { context, state: layout.agent, connection };
    const { report } = await backUp(request, place).finally(() => lock.release());
    report();
    const drive = await openDrive(context, layout, connection);
    const { account, device } = connection.enrollment;
    printResult(
      {
        layout,
        path: pathToText(path),
        driveFolder: drive === undefined ? undefined : join(layout.drive, account.name, device.name, item),
        environment,
        dir: args.text("dir"),
      },
      output,
    );
    if (drive === undefined) await untilAborted(signal);
    else {
      await untilUnmounted(drive.mounted, signal);
      await drive.close();
    }
    output.event({ event: "done", stopped: true });
    output.note("Unmounted and stopped. Run the same command again to go on.");
  } finally {
    connection.close();
  }
}

/** Mounts, or says loudly why there is no drive and goes on without. */
async function openDrive(
  { output }: CommandContext,
  layout: Layout,
  connection: AgentConnection,
): Promise<Awaited<ReturnType<typeof openAgentDrive>> | undefined> {
  // A dead mount of a killed run cannot even be looked at; the driver clears it away.
  if (process.platform !== "linux" || (await mountAt(layout.drive)) === undefined) {
    mkdirSync(layout.drive, { recursive: true, mode: 0o700 });
  }
  const options = { driver: "kernel", allowOther: false, asUser: undefined } as const;
  try {
    // The gateway is on this machine: nothing is gained by keeping its records twice.
    const caches = { diskBytes: 0, folder: "", memoryBytes: undefined };
    return await openAgentDrive(connection, layout.drive, options, caches);
  } catch (error) {
    if (!isHoldfastError(error, ErrorCode.mountFailed)) throw error;
    const next = error.next ?? "See: holdfast doctor";
    output.warn(
      `NO DRIVE: ${error.message}. Going on without it: everything else works. For a drive: ${next}`,
    );
    return undefined;
  }
}

function untilAborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  // A listener alone does not keep the process alive.
  const keepAlive = setInterval(() => undefined, 60_000);
  return new Promise((resolve) => {
    signal.addEventListener("abort", () => {
      clearInterval(keepAlive);
      resolve();
    });
  });
}
