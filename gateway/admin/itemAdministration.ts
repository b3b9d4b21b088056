// Item definitions in the gateway's own process (docs/schedules.md).

import { Calendar } from "../../ingest/schedule/calendar.ts";
import { parseDefinition } from "../../ingest/schedule/itemDefinition.ts";
import { checkName } from "../../ingest/wire/names.ts";
import { ErrorCode, HoldfastError } from "../../vault/errors.ts";
import { noAccount } from "../catalog/accounts.ts";
import type { FleetItem } from "../catalog/fleetItems.ts";
import { type DefinitionRow, noDefinition, requireRoom } from "../catalog/itemDefinitions.ts";
import type { Item } from "../catalog/vaultCatalog.ts";
import { followFleets, followFleetsOf } from "../fleets.ts";
import type { Gateway } from "../gateway.ts";
import type { OpenVault } from "../openVault.ts";
import { setFleet } from "./deviceOperations.ts";
import type { DefinedItemAnswer, DefinitionRequest, ItemOperations } from "./itemOperations.ts";
import { requireNoBox } from "./requestChecks.ts";
import type { ItemName, RetentionScope } from "./retentionOperations.ts";
import { vaultsInScope } from "./retentionScope.ts";

export function itemOperations(gateway: Gateway): ItemOperations {
  return {
    list: async (scope) => {
      const answers: DefinedItemAnswer[] = templatesIn(gateway, scope);
      if (scope.device?.startsWith("@") === true) return answers;
      for (const { vault, account, name, items, deviceName } of await vaultsInScope(gateway, scope)) {
        for (const item of items) {
          const row = vault.catalog.definitions.get(item.id);
          const names = { account, vault: name, device: deviceName(item.device), item: item.name };
          if (row !== undefined) answers.push(answerOf(gateway, vault, item, names, row));
        }
      }
      return answers.sort((a, b) => (placeOf(a) < placeOf(b) ? -1 : 1));
    },
    set: async (request) =>
      request.device.startsWith("@")
        ? await setTemplate(gateway, request)
        : await setDefinition(gateway, request),
    setFleet: async (name, device, fleet) => {
      const account = gateway.catalog.accounts.byName(name);
      if (account === undefined) throw noAccount(name);
      await setFleet(gateway, account, device, fleet);
    },
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
  if (row === undefined) followFleets(gateway, vault);
  // Without one of its own it may follow its fleet.
  const now = row ?? vault.catalog.definitions.get(item.id);
  if (now === undefined) return null;
  const vaultName = catalog.vaults.get(vault.id)?.name ?? vault.id;
  return answerOf(
    gateway,
    vault,
    item,
    { account: account.name, vault: vaultName, device: device.name, item: item.name },
    now,
  );
}

/** Templates of a scope, as items of `@FLEET`. @throws HoldfastError not-found for an account that is not there */
function templatesIn(
  gateway: Gateway,
  { account: name, vault, device, item }: RetentionScope,
): DefinedItemAnswer[] {
  const { accounts, fleetItems } = gateway.catalog;
  if (vault !== undefined || (device !== undefined && !device.startsWith("@"))) return [];
  const account = name === undefined ? undefined : accounts.byName(name);
  if (name !== undefined && account === undefined) throw noAccount(name);
  return fleetItems
    .list(account?.id, device?.slice(1))
    .filter((row) => item === undefined || row.item === item)
    .map((row) => templateAnswer(gateway, row));
}

async function setTemplate(
  gateway: Gateway,
  { account: accountName, device, item, revision, definition }: DefinitionRequest,
): Promise<DefinedItemAnswer | null> {
  requireNoBox(gateway.dataDir, "which says what is backed up, and when", "Do that there.");
  const { catalog } = gateway;
  const account = catalog.accounts.byName(accountName);
  if (account === undefined) throw noAccount(accountName);
  const place = {
    account: account.id,
    fleet: checkName(device.slice(1), "fleet"),
    item: checkName(item, "item"),
  };
  const checked = definition === null ? undefined : parseDefinition(definition);
  if (checked === undefined && revision === 0) throw noDefinition();
  const at = gateway.now().toISOString();
  const row = catalog.write(() => catalog.fleetItems.set(place, revision, checked, at));
  await followFleetsOf(gateway, account.id);
  return row === undefined ? null : templateAnswer(gateway, row);
}

function templateAnswer(gateway: Gateway, { account, fleet, item, ...row }: FleetItem): DefinedItemAnswer {
  return {
    ...{
      account: gateway.catalog.accounts.get(account)?.name ?? account,
      vault: "",
      device: `@${fleet}`,
      item,
    },
    ...row,
    ...{ nextDue: nextDueOf(gateway, row), received: null, report: null, estimate: null },
  };
}

function nextDueOf(gateway: Gateway, { definition }: DefinitionRow): string | null {
  const dueMs = definition.enabled ? new Calendar(definition).nextDue(gateway.now().getTime()) : undefined;
  return dueMs === undefined ? null : new Date(dueMs).toISOString();
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
  return {
    ...names,
    ...row,
    nextDue: nextDueOf(gateway, row),
    received,
    report: isOver ? null : report,
    estimate: received === null ? (catalog.definitions.estimate(id) ?? null) : null,
  };
}
