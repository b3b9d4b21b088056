// A drive of the account's snapshots on an enrolled machine: records over HTTPS, keys from this machine.

import { AccountCatalog, FixedKeyring } from "../../agent/session/accountCatalog.ts";
import type { AgentConnection } from "../../agent/session/connection.ts";
import { GatewayRecordSource } from "../../agent/session/recordSource.ts";
import type { Mounted } from "../../fs/fuse/driver.ts";
import { OpenPool } from "../../fs/view/openPool.ts";
import { createCaches } from "../../fs/view/recordOpener.ts";
import { VaultView } from "../../fs/view/vaultView.ts";
import { driveLogger } from "./driveLogger.ts";
import type { DriveOptions } from "./driveOptions.ts";
import { mountDrive } from "./serveDrive.ts";

/** Mounts. Close the view when the drive is gone. @throws HoldfastError mount-failed, gateway-unreachable */
export async function openAgentDrive(
  connection: AgentConnection,
  mountpoint: string,
  options: DriveOptions,
): Promise<{ readonly mounted: Mounted; readonly view: VaultView }> {
  const view = new VaultView({
    source: new GatewayRecordSource(connection.client),
    catalog: new AccountCatalog(connection.client, connection.enrollment.account.name),
    keyring: new FixedKeyring(await connection.allKeys()),
    caches: createCaches(),
    pool: new OpenPool(),
  });
  try {
    return { mounted: await mountDrive(view, mountpoint, options, driveLogger), view };
  } catch (error) {
    view.close();
    throw error;
  }
}
