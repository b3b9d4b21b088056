// Takes an account off the gateway for good (docs/security.md, "Removing an account").
//
// Invariants
// - The gateway does not run, and a vault that was opened for something else is closed first: nothing holds what goes.
// - Order: the row that says so; keys documents; rows of the catalog; directories; statement; the row goes. Each step is durable before the next and
//   may be repeated, so whatever stopped it, the next start of the gateway finishes it before it opens any vault.
// - What the statement counts was counted before anything went.

import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex } from "../../vault/bytes.ts";
import { type Deletion, openDeletion, signDeletion } from "../../vault/deletion.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { SigningKey } from "../../vault/keys/signature.ts";
import { gatewayReceiptSeed } from "../../vault/replica/receipt.ts";
import { ReportRows } from "../alerts/reports/reportRows.ts";
import type { Account } from "../catalog/accounts.ts";
import type { RemovalRow } from "../catalog/removals.ts";
import type { Gateway } from "../gateway.ts";
import { errnoOf, fileError, makeFolderDurably, writeFileDurably } from "../store/files.ts";
import { removeCopies } from "../upgrade/copies.ts";
import { describeVault, eraseDirectory, eraseKeys } from "./vaultFiles.ts";

type RemovalPort = Pick<
  Gateway,
  "authenticator" | "catalog" | "closeVault" | "dataDir" | "now" | "sealing" | "vaultDirectory"
>;

/** What would go. @throws HoldfastError forbidden while a box has the account on board; io-error */
export async function planRemoval(gateway: RemovalPort, { id, name }: Account): Promise<RemovalRow> {
  const { catalog, dataDir, now } = gateway;
  const known = catalog.removals.get(id);
  if (known !== undefined) return known;
  const out = catalog.boxes.outWith(id);
  if (out !== undefined) {
    throw new HoldfastError(ErrorCode.forbidden, `box ${out.number} has account ${name} on board`, {
      next: `Import it, or give it up: holdfast seed abandon ${out.number}.`,
    });
  }
  const vaults = catalog.vaults.list(id);
  const described = [];
  for (const vault of vaults) described.push(await describeVault(gateway.vaultDirectory(vault.id), vault));
  const remains = catalog.replicas.list().map((replica) => ({
    replica: replica.name,
    url: replica.url,
    vaults: vaults
      .filter((vault) => (catalog.replicas.seen(replica.id, vault.id)?.generation ?? 0) > 0)
      .map((vault) => vault.id),
  }));
  return {
    ...{ gateway: dataDir.identity.id, account: id, name, begun: now().toISOString() },
    devices: catalog.devices.list(id).length,
    appPasswords: catalog.appPasswords.list(id).length,
    vaults: described,
    remains: remains.filter((row) => row.vaults.length > 0),
  };
}

/** Removes it. The statement is signed and kept. @throws HoldfastError as planRemoval; disk-full: the same goes on */
export async function removeAccount(gateway: RemovalPort, account: Account): Promise<Deletion> {
  const { catalog } = gateway;
  const row = await planRemoval(gateway, account);
  catalog.write(() => {
    catalog.removals.put(row);
    catalog.accounts.update(account.id, (before) => ({ ...before, disabled: true }));
  });
  return await finishRemoval(gateway, row);
}

/** Goes on where a removal was stopped. @throws HoldfastError disk-full, io-error */
export async function finishRemoval(gateway: RemovalPort, row: RemovalRow): Promise<Deletion> {
  const { authenticator, catalog, dataDir, now, sealing } = gateway;
  for (const { id } of row.vaults) {
    await gateway.closeVault(id);
    await eraseKeys(gateway.vaultDirectory(id));
  }
  catalog.write(() => {
    for (const { id } of row.vaults) catalog.vaults.remove(id);
    for (const { id } of catalog.appPasswords.list(row.account)) catalog.appPasswords.remove(row.account, id);
    catalog.devices.removeOf(row.account);
    catalog.invites.removeOf(row.account);
    catalog.fleetItems.removeOf(row.account);
    authenticator.secondFactor.forget(row.account);
    catalog.homes.remove(row.account);
    new ReportRows(catalog.environment).remove(row.account);
    catalog.accounts.remove(row.account);
  });
  await sealing.bring();
  // They name the account.
  await removeCopies(dataDir.path);
  for (const { id } of row.vaults) await eraseDirectory(gateway.vaultDirectory(id));
  const deletion: Deletion = { ...row, time: now().toISOString() };
  const folder = removalsFolder(dataDir.path);
  await makeFolderDurably(folder);
  await writeFileDurably(join(folder, row.account), signDeletion(deletion, signerOf(gateway)));
  catalog.removals.remove(row.account);
  return deletion;
}

function removalsFolder(path: string): string {
  return join(path, "removals");
}

function signerOf({ dataDir: { identity } }: Pick<Gateway, "dataDir">): SigningKey {
  return new SigningKey(gatewayReceiptSeed(Buffer.from(identity.secret, "base64"), fromHex(identity.id, 16)));
}

/** Statements of what was removed, the oldest first, with both lines of each. @throws HoldfastError as openDeletion; io-error */
export async function listRemovals(gateway: Pick<Gateway, "dataDir">): Promise<StatedRemoval[]> {
  const folder = removalsFolder(gateway.dataDir.path);
  const names = await readdir(folder).catch((error: unknown) => {
    if (errnoOf(error) === "ENOENT") return [];
    throw fileError(error, folder);
  });
  const signer = signerOf(gateway).publicKey;
  const stated: StatedRemoval[] = [];
  for (const name of names.filter((each) => /^[0-9a-f]{32}$/.test(each))) {
    const bytes = await readFile(join(folder, name));
    stated.push({ ...openDeletion(bytes, signer), statement: bytes.toString() });
  }
  return stated.sort((a, b) => (a.time < b.time ? -1 : 1));
}

export type StatedRemoval = Deletion & { readonly statement: string };
