// Brings the definitions of a fleet's devices to what its templates say (docs/schedules.md, "Fleets").
//
// Invariants
// - What is written depends on templates, devices and definitions as they are now, and nothing else: it may be done at any time, and again. So whoever
//   changes one of them does it afterwards, and a vault is opened with it.
// - A definition that does not follow a template is not touched.

import type { Device } from "./catalog/devices.ts";
import type { FleetItem } from "./catalog/fleetItems.ts";
import type { Item } from "./catalog/vaultCatalog.ts";
import type { Gateway } from "./gateway.ts";
import type { OpenVault } from "./openVault.ts";

type Port = Pick<Gateway, "catalog" | "dataDir" | "logger" | "now">;

/** In one transaction, where there is anything to do. @throws HoldfastError disk-full, io-error */
export function followFleets({ catalog, dataDir, logger, now }: Port, vault: OpenVault): void {
  // What is backed up there, its datacentre says.
  if (dataDir.box !== undefined) return;
  const account = catalog.vaults.get(vault.id)?.account;
  if (account === undefined) return;
  const devices = catalog.devices
    .list(account)
    .filter((device) => device.vault === vault.id && !device.revoked);
  const templates = Map.groupBy(catalog.fleetItems.list(account), ({ fleet }) => fleet);
  const items = Map.groupBy(vault.catalog.items(), ({ device }) => device);
  const changes = devices.flatMap((device) =>
    changesOf(vault, device, items.get(device.id) ?? [], templates.get(device.fleet ?? "") ?? []),
  );
  if (changes.length === 0) return;
  const at = now().toISOString();
  vault.store.environment.write(() => {
    for (const { device, name, known, template } of changes) {
      try {
        const { id } = known ?? vault.catalog.ensureItem(device.id, name);
        vault.catalog.definitions.follow(id, template, at);
      } catch (error) {
        // It has as many items as a device may have.
        if (known !== undefined) throw error;
        logger.warn({ err: error, device: device.name, item: name }, "a fleet's item is one too many");
      }
    }
  });
}

type Change = {
  readonly device: Device;
  readonly name: string;
  readonly known: Item | undefined;
  /** undefined: it follows none any more. */
  readonly template: FleetItem | undefined;
};

function changesOf(
  { catalog: { definitions } }: OpenVault,
  device: Device,
  items: readonly Item[],
  templates: readonly FleetItem[],
): Change[] {
  const left = items
    .filter(({ id, name }) => {
      const from = definitions.get(id)?.from;
      return from !== undefined && !templates.some(({ item }) => item === name);
    })
    .map((known): Change => ({ device, name: known.name, known, template: undefined }));
  const wanted = templates.flatMap((template): Change[] => {
    const known = items.find(({ name }) => name === template.item);
    const row = known && definitions.get(known.id);
    const isOwn = row !== undefined && row.from === undefined;
    const isCurrent = row?.from?.fleet === template.fleet && row.from.revision === template.revision;
    return isOwn || isCurrent ? [] : [{ device, name: template.item, known, template }];
  });
  return [...left, ...wanted];
}

/** The same for all vaults of an account. @throws HoldfastError as followFleets, and what opening a vault says */
export async function followFleetsOf(gateway: Gateway, account: string): Promise<void> {
  for (const vault of await gateway.vaultsOf(account)) followFleets(gateway, vault);
}
