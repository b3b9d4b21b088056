// Item definitions in the gateway's own process (docs/schedules.md).

import { Calendar } from "../../ingest/schedule/calendar.ts";
import { parseDefinition } from "../../ingest/schedule/itemDefinition.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { noAccount } from "../catalog/accounts.ts";
import { type DefinitionRow, noDefinition, requireRoom } from "../catalog/itemDefinitions.ts";
import type { Item } from "../catalog/vaultCatalog.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import type { DefinedItemAnswer, DefinitionRequest, ItemOperations } from "./itemOperations.ts";
import { requireNoBox } from "./requestChecks.ts";
import type { ItemName } from "./retentionOperations.ts";
import { vaultsInScope } from "./retentionScope.ts";

export function itemOperations(gateway: Gateway): ItemOperations {
  return {
    list: async (scope) => {
      const answers: DefinedItemAnswer[] = [];
      for (const { vault, account, name, items, deviceName } of await vaultsInScope(gateway, scope)) {
        for (const item of items) {
          const row = vault.catalog.definitions.get(item.id);
          const names = { account, vault: name, device: deviceName(item.device), item: item.name };
          if (row !== undefined) answers.push(answerOf(gateway, vault, item, names, row));
        }
      }
      return answers.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    },
    set: async (request) => await setDefinition(gateway, request),
  };
}

const placeOf = ({ account, device, item }: ItemName): string => [account, device, item].join("/");

async function setDefinition(
  gateway: Gateway,
  { account: accountName, device: deviceName, item: name, revision, definition }: DefinitionRequest,
): Promise<DefinedItemAnswer | null> {
  requireNoBox(gateway.dataDir, "which says what is backed up, and when", "Do that there.");
  const { catalog } = gateway;
  const account = catalog.accounts.byName(accountName);
  if (account === undefined) throw noAccount(accountName);
  const device = catalog.devices.byName(account.id, deviceName);
  if (device === undefined) {
    throw new HoldfastError(ErrorCode.notFound, `account ${accountName} has no device ${deviceName}`, {
      next: "`holdfast device list` shows which there are.",
    });
  }
  const vault = await gateway.vault(device.vault);
  const checked = definition === null ? undefined : parseDefinition(definition);
  const itemName = checkName(name, "item");
  // A removal, and a change of what was there, is of an item that is there.
  const known = vault.catalog.items().find((each) => each.device === device.id && each.name === itemName);
  if (known === undefined && (checked === undefined || revision > 0)) throw noDefinition();
  const item = known ?? vault.catalog.ensureItem(device.id, itemName);
  const row = vault.store.environment.write(() => {
    const set = vault.catalog.definitions.set(item.id, revision, checked, gateway.now().toISOString());
    requireRoom(definitionsOf(vault, device.id).map((each) => each.definition));
    return set;
  });
  if (row === undefined) return null;
  const vaultName = catalog.vaults.get(vault.id)?.name ?? vault.id;
  return answerOf(
    gateway,
    vault,
    item,
    { account: account.name, vault: vaultName, device: device.name, item: item.name },
    row,
  );
}

/** Of a device, by name. */
export function definitionsOf(
  { catalog }: OpenVault,
  device: string,
): (DefinitionRow & Pick<Item, "id" | "name" | "head">)[] {
  return catalog
    .items()
    .filter((item) => item.device === device)
    .flatMap(({ id, name, head }) => {
      const row = catalog.definitions.get(id);
      return row === undefined ? [] : [{ id, name, head, ...row }];
    })
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

function answerOf(
  gateway: Gateway,
  { catalog }: OpenVault,
  { id, head }: Item,
  names: ItemName,
  row: DefinitionRow,
): DefinedItemAnswer {
  const received = head === null ? null : (catalog.snapshot(head)?.received ?? null);
  const report = catalog.definitions.report(id) ?? null;
  const isOver = report !== null && received !== null && received > report.at;
  const { enabled } = row.definition;
  const dueMs = enabled ? new Calendar(row.definition).nextDue(gateway.now().getTime()) : undefined;
  return {
    ...names,
    ...row,
    nextDue: dueMs === undefined ? null : new Date(dueMs).toISOString(),
    received,
    report: isOver ? null : report,
    estimate: received === null ? (catalog.definitions.estimate(id) ?? null) : null,
  };
}
