// The vault's part of the catalog, as a replica keeps it (docs/format.md, section 11.6): what packs and snapshots do not say.
//
// Snapshots are not in it: the manifest lists them, with the time they were received, and their own headers say the rest. So are
// an item's head and number: they are those of its newest snapshot.

import { isItemName } from "../../../ingest/wire/names.ts";
import { toHex } from "../../../vault/bytes.ts";
import { ErrorCode, HoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asText, parseJson } from "../../../vault/jsonFields.ts";
import { limits } from "../../../vault/limits.ts";
import { Width } from "../../../vault/magic.ts";
import type { PartDefinition } from "../../catalog/itemDefinitions.ts";
import type { RetentionRows } from "../../catalog/retention.ts";
import type { OpenVault } from "../../openVault.ts";
import { parseDefinitions } from "./definitionsPart.ts";
import { exportRetention, parseRetention } from "./retentionPart.ts";

export type PartItem = {
  /** 32 hex digits. */
  readonly id: string;
  /** The device's id. */
  readonly device: string;
  readonly name: string;
};

/** A copy that a reader found wrong: it must not come back as a good one. `pack` is null for a record of which there is no copy at all. */
export type PartNeed = {
  readonly group: number;
  /** 64 hex digits. */
  readonly id: string;
  /** Name of the pack, 64 hex digits. */
  readonly pack: string | null;
  readonly offset: number;
  readonly length: number;
  /** Id of the device that reported it. */
  readonly reporter: string;
};

export type VaultPart = {
  /** Number of times that snapshots appeared or went. */
  readonly changes: number;
  readonly items: readonly PartItem[];
  readonly definitions: readonly PartDefinition[];
  readonly needs: readonly PartNeed[];
  readonly retention: RetentionRows;
};

/** What is asked of a vault for its part. */
export type VaultState = Pick<OpenVault, "id" | "catalog" | "needs"> & {
  readonly store: Pick<OpenVault["store"], "packs">;
};

/** What fits the bytes anyway: each has tens of bytes. */
const rowsMax = 2 ** 20;
const what = "a vault's part of the catalog";

/**
 * The JSON text of the vault's part as it is now, for `sealCatalog`. Closed packs alone count: what lies in an open one is not in the
 * replica either. Not `counted`: without the number of changes, which every commit raises.
 */
export function exportVaultPart(vault: VaultState, { counted = true } = {}): Buffer {
  const items = vault.catalog.items().map(({ id, device, name }) => ({ id, device, name }));
  const needs = vault.needs.list().flatMap(({ group, id, pack, offset, length, reporter }): PartNeed[] => {
    const row = vault.store.packs.get(pack);
    if (row === undefined) return [{ group, id, pack: null, offset, length, reporter }];
    return row.name === undefined ? [] : [{ group, id, pack: toHex(row.name), offset, length, reporter }];
  });
  const definitions = vault.catalog.definitions.rows();
  return Buffer.from(
    JSON.stringify({
      format: "holdfast-vault-catalog",
      version: 1,
      vault: vault.id,
      changes: counted ? vault.catalog.changes() : 0,
      items,
      ...(definitions.length > 0 && { definitions }),
      needs,
      retention: exportRetention(vault.catalog.retention.rows()),
    }),
  );
}

/**
 * Parses an opened vault's part. `vault`: the id that it must be of.
 * @throws HoldfastError corrupt, limit-exceeded; unsupported for a higher version
 */
export function parseVaultPart(text: Uint8Array, vault: string): VaultPart {
  const json = asObject(parseJson(text, what, limits.catalogBytesMax), what);
  if (json.format !== "holdfast-vault-catalog") {
    throw new HoldfastError(ErrorCode.corrupt, `not ${what}`);
  }
  const version = asInteger(json.version, `version of ${what}`, 1);
  if (version !== 1) {
    throw new HoldfastError(ErrorCode.unsupported, `${what} has version ${version}; this program knows 1`, {
      next: "Use a newer version of this program.",
    });
  }
  if (json.vault !== vault) throw new HoldfastError(ErrorCode.corrupt, `${what} is of another vault`);
  const items = asArray(json.items, "items", rowsMax).map(parseItem);
  const ids = new Set(items.map(({ id }) => id));
  const names = new Set(items.map(({ device, name }) => `${device}${name}`));
  if (ids.size < items.length || names.size < items.length) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} names an item twice`);
  }
  return {
    changes: asInteger(json.changes, "changes", 0),
    items,
    definitions: parseDefinitions(json.definitions, rowsMax),
    needs: asArray(json.needs, "needs", rowsMax).map(parseNeed),
    retention: parseRetention(json.retention, rowsMax),
  };
}

function parseItem(value: unknown): PartItem {
  const json = asObject(value, "item");
  const name = asText(json.name, "item name");
  if (!isItemName(name)) throw new HoldfastError(ErrorCode.corrupt, "what no item may be called");
  return { id: asHex(json.id, "item id", 16), device: asHex(json.device, "device id", Width.deviceId), name };
}

function parseNeed(value: unknown): PartNeed {
  const json = asObject(value, "need");
  return {
    group: asInteger(json.group, "group", 0, 0xffff_ffff),
    id: asHex(json.id, "record id", Width.id),
    pack: json.pack === null ? null : asHex(json.pack, "pack name", 32),
    offset: asInteger(json.offset, "offset", 0, limits.packBytesMax),
    length: asInteger(json.length, "length", 0, limits.recordBytesMax),
    reporter: asHex(json.reporter, "device id", Width.deviceId),
  };
}
