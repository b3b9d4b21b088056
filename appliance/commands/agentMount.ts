// holdfast agent mount

import { resolve } from "node:path";
import { AgentConnection } from "../../agent/session/connection.ts";
import { readEnrollment } from "../../agent/state/enrollment.ts";
import { makeCacheFolder } from "../../agent/state/stateDirectory.ts";
import { lineWords } from "../agentLine.ts";
import { agentContext } from "../agentSettings.ts";
import type { CommandContext } from "../cli/command.ts";
import { orHangup } from "../cli/stopSignals.ts";
import { type DriveCaches, driveCaches, openAgentDrive } from "../drive/agentDrive.ts";
import { startDaemon, tellFailed, tellMounted } from "../drive/background.ts";
import { type DriveOptions, driveOptions } from "../drive/driveOptions.ts";
import { untilUnmounted } from "../drive/serveDrive.ts";
import { gatewayToRead } from "../gatewayToRead.ts";

export async function run(given: CommandContext): Promise<void> {
  const { context, state, line } = await agentContext(given);
  const mountpoint = resolve(context.args.operand(0));
  const options = driveOptions(context);
  const caches = driveCaches(context, state);
  const folder = resolve(state, "drives");
  const elsewhere = gatewayToRead(context);
  if (context.args.flag("foreground")) {
    try {
      const connection = await AgentConnection.open(state, undefined, context.signal, { line, elsewhere });
      makeCacheFolder(state);
      await serve(context, connection, mountpoint, options, caches, folder);
    } catch (error) {
      tellFailed(error);
      throw error;
    }
    return;
  }
  // A name that was mistyped does not become a directory.
  readEnrollment(state);
  const daemon = await startDaemon(
    [
      "agent",
      "mount",
      mountpoint,
      "--foreground",
      "--state",
      state,
      ...written(options),
      ...writtenCaches(caches),
      ...lineWords(context.args),
      ...(elsewhere === undefined
        ? []
        : ["--gateway", elsewhere.url, "--fingerprint", elsewhere.fingerprint]),
    ],
    folder,
    mountpoint,
  );
  context.output.line(
    `The drive is at ${daemon.mountpoint} (process ${daemon.pid}). Unmount it: umount ${daemon.mountpoint}`,
  );
  context.output.event({ event: "done", ...daemon });
}

/** The options as words of a command line. */
function written({ driver, allowOther, asUser }: DriveOptions): string[] {
  return [
    ...["--driver", driver],
    ...(allowOther ? ["--allow-other"] : []),
    ...(asUser === undefined ? [] : ["--as-user", `${asUser.uid}:${asUser.gid}`]),
  ];
}

function writtenCaches({ diskBytes, folder, memoryBytes }: DriveCaches): string[] {
  const sizes = ["--cache-size", String(diskBytes), "--cache-dir", folder];
  return memoryBytes === undefined ? sizes : [...sizes, "--memory-cache", String(memoryBytes)];
}

async function serve(
  { output, signal }: CommandContext,
  connection: AgentConnection,
  mountpoint: string,
  options: DriveOptions,
  caches: DriveCaches,
  folder: string,
): Promise<void> {
  const untilStopped = orHangup(signal);
  try {
    const { mounted, close } = await openAgentDrive(connection, mountpoint, options, caches);
    const forget = tellMounted(folder, mounted.mountpoint);
    output.line(`The drive is at ${mounted.mountpoint}. Ctrl-C unmounts it.`);
    output.event({ event: "mounted", mountpoint: mounted.mountpoint });
    await untilUnmounted(mounted, untilStopped);
    await close();
    forget();
    output.event({ event: "done", mountpoint: mounted.mountpoint });
  } finally {
    connection.close();
  }
}
