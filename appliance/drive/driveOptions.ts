// The options of mounting commands, and the driver that they choose.

import type { FuseDriver, FuseLogger, FuseMountOptions } from "../../fs/fuse/driver.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";

export type DriverName = FuseDriver["name"];

/** What a mount is asked for, in a form that also goes over the admin socket. */
export type DriveOptions = {
  readonly driver: DriverName;
  readonly allowOther: boolean;
  readonly asUser: { readonly uid: number; readonly gid: number } | undefined;
};

/** --driver, --allow-other and --as-user. @throws HoldfastError usage */
export function driveOptions({ args }: CommandContext): DriveOptions {
  return {
    driver: (args.text("driver") ?? "kernel") as DriverName,
    allowOther: args.flag("allow-other"),
    asUser: parseUser(args.text("as-user")),
  };
}

const memoryCacheBytesMin = 20 * 2 ** 20;

/** --memory-cache; undefined where it was not given. @throws HoldfastError usage when it is too small to work with */
export function memoryCacheBytes({ args }: CommandContext): number | undefined {
  const bytes = args.bytes("memory-cache");
  if (bytes === undefined || bytes >= memoryCacheBytesMin) return bytes;
  throw new HoldfastError(ErrorCode.usage, "--memory-cache is too small", { next: "Give 20MiB at least." });
}

function parseUser(written: string | undefined): DriveOptions["asUser"] {
  if (written === undefined) return undefined;
  const match = /^(?<uid>\d{1,10})(?::(?<gid>\d{1,10}))?$/.exec(written);
  const uid = Number(match?.groups?.uid);
  const gid = Number(match?.groups?.gid ?? uid);
  if (match !== null && uid < 2 ** 32 - 1 && gid < 2 ** 32 - 1) return { uid, gid };
  throw new HoldfastError(ErrorCode.usage, `--as-user is not UID or UID:GID: ${written}`, {
    next: "Give numbers, as `id -u` and `id -g` print them.",
  });
}

/** The driver of this name, loaded when it is needed. */
export async function loadDriver(name: DriverName): Promise<FuseDriver> {
  if (name === "fuse-native") return (await import("../../fs/fuse/nativeDriver.ts")).nativeDriver;
  const { kernelDriver } = await import("../../fs/fuse/kernelDriver.ts");
  if (process.getuid?.() === 0) return kernelDriver();
  const { descriptorReceiver } = await import("../../agent/platform/descriptorReceiver.ts");
  return kernelDriver(descriptorReceiver());
}

/** The driver's own form of the options. */
export function mountOptions(options: DriveOptions, logger: FuseLogger): FuseMountOptions {
  return {
    logger,
    allowOther: options.allowOther,
    ...(options.asUser === undefined ? {} : { asUser: options.asUser }),
  };
}
