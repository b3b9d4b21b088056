// A drive of the account's snapshots on an enrolled machine: records over HTTPS, keys from this machine.

import { join, resolve } from "node:path";
import { AccountCatalog, FixedKeyring } from "../../agent/session/accountCatalog.ts";
import { CachedRecordSource } from "../../agent/session/cachedRecordSource.ts";
import type { AgentConnection } from "../../agent/session/connection.ts";
import { RenewingRecordSource } from "../../agent/session/renewingSource.ts";
import { SealedCache } from "../../agent/session/sealedCache.ts";
import type { Mounted } from "../../fs/fuse/driver.ts";
import { cachesOf, memoryCacheBytesDefault } from "../../fs/view/recordOpener.ts";
import { VaultView } from "../../fs/view/vaultView.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import type { CommandContext } from "../cli/command.ts";
import { driveLogger } from "./driveLogger.ts";
import { driveLull } from "./driveLull.ts";
import { type DriveOptions, memoryCacheBytes } from "./driveOptions.ts";
import { openThreads } from "./openThreads.ts";
import { mountDrive } from "./serveDrive.ts";

const MiB = 2 ** 20;
const diskBytesDefault = 1024 * MiB;
const diskBytesMin = 32 * MiB;

/** What a drive keeps: sealed records in a folder (0: none), opened ones in memory. */
export type DriveCaches = {
  readonly diskBytes: number;
  readonly folder: string;
  readonly memoryBytes: number | undefined;
};

/** --cache-size, --cache-dir and --memory-cache. @throws HoldfastError usage */
export function driveCaches(context: CommandContext, state: string): DriveCaches {
  const { args } = context;
  const diskBytes = args.bytes("cache-size") ?? diskBytesDefault;
  if (diskBytes !== 0 && diskBytes < diskBytesMin) {
    throw new HoldfastError(ErrorCode.usage, "--cache-size is too small", {
      next: "Give 32MiB at least, or 0 for no cache on disk.",
    });
  }
  const given = args.text("cache-dir");
  const folder = given === undefined ? join(state, "cache", "drive") : resolve(given);
  return { diskBytes, folder, memoryBytes: memoryCacheBytes(context) };
}

/** Mounts. Call `close` when the drive is gone. @throws HoldfastError mount-failed, gateway-unreachable */
export async function openAgentDrive(
  connection: AgentConnection,
  mountpoint: string,
  options: DriveOptions,
  caches: DriveCaches,
): Promise<{ readonly mounted: Mounted; readonly close: () => Promise<void> }> {
  const keys = await connection.allKeys();
  const memory = cachesOf(caches.memoryBytes ?? memoryCacheBytesDefault);
  const gateway = connection.channelSource((bytes) => memory.spare.take(bytes, 0));
  const disk = openDisk(caches);
  const pool = openThreads();
  const lull = driveLull(memory, pool);
  const view = new VaultView({
    source: new RenewingRecordSource(
      disk === undefined ? gateway : new CachedRecordSource(gateway, disk),
      connection,
    ),
    catalog: new AccountCatalog(connection),
    keyring: new FixedKeyring(keys),
    caches: memory,
    pool,
    lull,
  });
  const close = async (): Promise<void> => {
    view.close();
    lull.stop();
    await pool.close();
    gateway.close();
    await disk?.close();
  };
  try {
    const mounted = await mountDrive(view, mountpoint, options, driveLogger);
    lull.begin();
    return { mounted, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The cache on disk. A drive without one is only slower, so a folder that cannot be used is no failure. */
function openDisk({ diskBytes, folder }: DriveCaches): SealedCache | undefined {
  if (diskBytes === 0) return undefined;
  const failed = (error: unknown): void => {
    driveLogger.warn({ err: error, folder }, "nothing more is kept on disk of what is fetched");
  };
  try {
    return new SealedCache(folder, diskBytes, failed);
  } catch (error) {
    failed(error);
    return undefined;
  }
}
