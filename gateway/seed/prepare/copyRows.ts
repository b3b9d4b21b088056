// What a box gets of its datacentre's databases: accounts, devices, vaults, keys, and items with their newest sequence and head. No content.

import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { type BoxDocument, boxDatabaseKey, boxGroupsStart } from "../../../vault/seed/boxDocument.ts";
import { openHomeRecord } from "../../../vault/seed/homeRecord.ts";
import { openTotpSecret, sealTotpSecret } from "../../auth/totpSecret.ts";
import type { Account } from "../../catalog/accounts.ts";
import type { BoxRow } from "../../catalog/boxes.ts";
import { Catalog } from "../../catalog/catalog.ts";
import type { Device } from "../../catalog/devices.ts";
import { VaultCatalog } from "../../catalog/vaultCatalog.ts";
import type { Gateway } from "../../gateway.ts";
import { openIndexEnvironment } from "../../index/environment.ts";
import { fileError } from "../../store/files.ts";
import { createVaultDirectory } from "../../vaultDocuments.ts";
import { boxGatewaySecret } from "../boxDirectory.ts";
import { BoxState } from "../boxState.ts";

export type CopyTarget = {
  readonly directory: string;
  readonly boxKey: Uint8Array;
  readonly document: BoxDocument;
  readonly accounts: BoxRow["accounts"];
  /** Where the box, and who is enrolled at it, reach this gateway. */
  readonly datacentreUrls: readonly string[];
};

export type BoxContent = {
  /** By account: the home record in force, which names the box. */
  readonly homes: Readonly<Record<string, Buffer>>;
};

/** The devices of an account that a box is for: those that are not revoked, or the chosen ones. */
export function boxDevices(
  gateway: Pick<Gateway, "catalog">,
  { account, devices }: BoxRow["accounts"][number],
): Device[] {
  const own = gateway.catalog.devices.list(account).filter(({ revoked }) => !revoked);
  return devices === null ? own : own.filter(({ id }) => devices.includes(id));
}

/** Fills the empty databases of a box. @throws HoldfastError disk-full, io-error, data-dir-invalid */
export async function copyRows(gateway: Gateway, target: CopyTarget, content: BoxContent): Promise<void> {
  await copyVaults(gateway, target);
  const { directory, boxKey, document, accounts, datacentreUrls } = target;
  const catalog = new Catalog(join(directory, "catalog"), boxDatabaseKey(boxKey, document.id, "catalog"));
  try {
    catalog.write(() => {
      for (const chosen of accounts) {
        const account = gateway.catalog.accounts.get(chosen.account)!;
        const { pendingLogin: _pending, ...settled } = account;
        const totp = totpForBox(gateway, target, settled);
        catalog.accounts.add({ ...settled, ...totp, nextGroup: boxGroupsStart(document.box) });
        for (const { ordinal: _ordinal, ...device } of boxDevices(gateway, chosen)) {
          catalog.devices.add(device);
        }
        for (const vault of gateway.catalog.vaults.list(chosen.account)) catalog.vaults.add(vault);
        const record = content.homes[chosen.account];
        if (record !== undefined) {
          const { generation } = openHomeRecord(record, document.datacentre.signer);
          const row = { record: record.toString(), previous: null, handedOut: generation };
          catalog.homes.put(chosen.account, row);
        }
      }
      const devices = accounts.flatMap((chosen) => boxDevices(gateway, chosen)).map(({ id }) => id);
      new BoxState(catalog.environment).update({ devices });
      catalog.homes.setDirectory({ ...gateway.homes.directory(), urls: datacentreUrls });
    });
  } finally {
    await catalog.close();
  }
}

/** The box asks for the same codes; its catalog has the secret under a key of its own. */
function totpForBox(
  { dataDir: { identity } }: Gateway,
  { boxKey, document }: CopyTarget,
  { id, totp }: Account,
): Pick<Account, "totp"> {
  if (totp === undefined) return {};
  const datacentre = { id: identity.id, secret: Buffer.from(identity.secret, "base64") };
  const box = { id: document.id, secret: boxGatewaySecret(boxKey, document.id) };
  const secret = openTotpSecret(datacentre, id, totp.secret);
  try {
    return { totp: { ...totp, secret: sealTotpSecret(box, id, secret) } };
  } finally {
    secret.fill(0);
  }
}

async function copyVaults(
  gateway: Gateway,
  { directory, boxKey, document, accounts }: CopyTarget,
): Promise<void> {
  try {
    await mkdir(join(directory, "vaults"), { recursive: true, mode: 0o700 });
  } catch (error) {
    throw fileError(error, directory);
  }
  for (const chosen of accounts) {
    const devices = new Set(boxDevices(gateway, chosen).map(({ id }) => id));
    for (const { id } of gateway.catalog.vaults.list(chosen.account)) {
      const vault = await gateway.vault(id);
      const folder = join(directory, "vaults", id);
      await createVaultDirectory(folder, vault.document, vault.keys);
      const key = boxDatabaseKey(boxKey, document.id, `vaults/${id}/index`);
      const environment = openIndexEnvironment(join(folder, "index"), key);
      try {
        const items = vault.catalog.items().filter(({ device }) => devices.has(device));
        const target = new VaultCatalog(environment);
        environment.write(() => target.restore(items, [], vault.catalog.changes()));
      } finally {
        await environment.close();
      }
    }
  }
}
