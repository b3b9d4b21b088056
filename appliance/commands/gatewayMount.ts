// holdfast gateway mount

import { resolve } from "node:path";
import { setTimeout as pause } from "node:timers/promises";
import { selectBlockEngine } from "../../agent/platform/blockEngine.ts";
import { AdminClient } from "../../gateway/admin/adminClient.ts";
import { Administration } from "../../gateway/administration.ts";
import { Gateway } from "../../gateway/gateway.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { boxKeyOf } from "../boxKey.ts";
import type { CommandContext } from "../cli/command.ts";
import { orHangup } from "../cli/stopSignals.ts";
import { driveOptions, memoryCacheBytes } from "../drive/driveOptions.ts";
import { GatewayDrives } from "../drive/gatewayDrives.ts";
import { untilUnmounted } from "../drive/serveDrive.ts";
import { dataOf } from "../gatewayAccess.ts";
import { gatewayLogger } from "../gatewayProcess.ts";
import { unlockAccount } from "../openAccount.ts";
import { version } from "../version.ts";

export async function run(context: CommandContext): Promise<void> {
  const { args } = context;
  const data = dataOf(context);
  const mountpoint = resolve(args.operand(0));
  const client = new AdminClient(data);
  // While a gateway starts again, this must not open its directory before it does.
  if (args.flag("wait")) await untilRunning(client, context.signal);
  if (await client.isRunning()) {
    if (args.bytes("memory-cache") !== undefined) {
      throw new HoldfastError(ErrorCode.usage, "--memory-cache is for a drive without a running gateway", {
        next: "Set drive-cache-mib in the gateway's config.toml and restart it.",
      });
    }
    return mountInGateway(context, client, mountpoint);
  }
  if (!args.flag("foreground")) {
    throw new HoldfastError(ErrorCode.gatewayUnreachable, `no gateway runs on ${data}`, {
      next: "Start it with `holdfast gateway run`, or add --foreground to open the directory in this process.",
    });
  }
  return mountHere(context, data, mountpoint);
}

/** The running gateway mounts; with --foreground this command stays and unmounts at its end. */
async function mountInGateway(
  context: CommandContext,
  client: AdminClient,
  mountpoint: string,
): Promise<void> {
  const { args, output } = context;
  const signal = args.flag("foreground") ? orHangup(context.signal) : context.signal;
  const { asUser, ...options } = driveOptions(context);
  const vaults = await client.vaults();
  const row = await client.mount({ mountpoint, ...options, ...(asUser === undefined ? {} : { asUser }) });
  output.line(`The drive is at ${row.mountpoint}, in the gateway's process.`);
  const locked = vaults.filter(({ unlocked }) => !unlocked);
  if (locked.length > 0) {
    const names = locked.map(({ account, name }) => `${account}/${name}`).join(", ");
    output.note(`Locked, so closed in the drive: ${names}. Open one: holdfast vault unlock ACCOUNT`);
  }
  if (!args.flag("foreground")) {
    output.line(`Unmount it: umount ${row.mountpoint}`);
    return output.event({ event: "done", mountpoint: row.mountpoint });
  }
  output.event({ event: "mounted", mountpoint: row.mountpoint });
  await untilGone(client, row.mountpoint, signal);
  return output.event({ event: "done", mountpoint: row.mountpoint });
}

const lookMs = 500;

/** Until a gateway answers. @throws HoldfastError cancelled */
async function untilRunning(client: AdminClient, signal: AbortSignal): Promise<void> {
  while (!(await client.isRunning())) {
    if (signal.aborted) throw new HoldfastError(ErrorCode.cancelled, "no gateway has started meanwhile");
    await pause(lookMs, undefined, { signal }).catch(() => undefined);
  }
}

/** Until somebody unmounts the gateway's drive; at a stop it is unmounted from here. */
async function untilGone(client: AdminClient, mountpoint: string, signal: AbortSignal): Promise<void> {
  const { detach } = await import("../../fs/fuse/kernel/mountHelper.ts");
  while (!signal.aborted) {
    const drives = await client.drives();
    if (!drives.some((drive) => drive.mountpoint === mountpoint)) return;
    await pause(lookMs, undefined, { signal }).catch(() => undefined);
  }
  await detach(mountpoint, false);
}

/** No gateway runs: this process opens the data directory and one account's vaults. */
async function mountHere(context: CommandContext, data: string, mountpoint: string): Promise<void> {
  const { output } = context;
  const signal = orHangup(context.signal);
  const gateway = await Gateway.open(data, {
    logger: gatewayLogger("warn"),
    now: () => new Date(),
    version,
    boxKey: await boxKeyOf(context, data),
    blocks: selectBlockEngine(),
  });
  const drives = new GatewayDrives(gateway, memoryCacheBytes(context));
  try {
    const administration = new Administration(gateway);
    const account = await oneAccount(administration, context);
    await unlockAccount(context, administration, account);
    const mounted = await drives.mountHere(mountpoint, driveOptions(context));
    output.line(`The drive is at ${mounted.mountpoint}. Ctrl-C unmounts it.`);
    output.event({ event: "mounted", mountpoint: mounted.mountpoint });
    await untilUnmounted(mounted, signal);
    output.event({ event: "done", mountpoint: mounted.mountpoint });
  } finally {
    await drives.close();
    await gateway.close();
  }
}

/** --account, or the only one there is. @throws HoldfastError usage */
async function oneAccount(administration: Administration, { args }: CommandContext): Promise<string> {
  const given = args.text("account");
  if (given !== undefined) return given;
  const accounts = await administration.accounts();
  if (accounts.length === 1 && accounts[0] !== undefined) return accounts[0].name;
  throw new HoldfastError(ErrorCode.usage, "which account's vaults are to be opened?", {
    next: `Name one with --account: ${accounts.map(({ name }) => name).join(", ")}.`,
  });
}
