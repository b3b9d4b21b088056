// Item definitions in a vault's part of the sealed catalog, and templates in the gateway's (docs/format.md, section 11.6).

import { parseDefinition } from "../../../ingest/schedule/itemDefinition.ts";
import { checkName } from "../../../ingest/wire/names.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import {
  asArray,
  asHex,
  asInteger,
  asObject,
  asText,
  asTime,
  type JsonObject,
} from "../../../vault/jsonFields.ts";
import type { FleetItem } from "../../catalog/fleetItems.ts";
import type { DefinitionRow, PartDefinition } from "../../catalog/itemDefinitions.ts";

/**
 * Absent in catalogs of before there were any. One with a rule or time zone that this program does not know is passed over.
 * @throws HoldfastError corrupt, limit-exceeded
 */
export function parseDefinitions(value: unknown, rowsMax: number): PartDefinition[] {
  return parseRows(value, "definitions", rowsMax, (json) => ({
    ...rowOf(json),
    item: asHex(json.item, "item id", 16),
    ...(json.from !== undefined && { from: fromOf(asObject(json.from, "from")) }),
  }));
}

/** As `parseDefinitions`. @throws HoldfastError corrupt, limit-exceeded */
export function parseFleetItems(value: unknown, rowsMax: number): FleetItem[] {
  return parseRows(value, "fleetItems", rowsMax, (json) => ({
    ...rowOf(json),
    account: asHex(json.account, "account id", 16),
    fleet: checkName(asText(json.fleet, "fleet"), "fleet"),
    item: checkName(asText(json.item, "item"), "item"),
  }));
}

function parseRows<Row>(
  value: unknown,
  what: string,
  rowsMax: number,
  parse: (json: JsonObject) => Row,
): Row[] {
  if (value === undefined) return [];
  return asArray(value, what, rowsMax).flatMap((each) => {
    try {
      return [parse(asObject(each, "definition of an item"))];
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.usage)) return [];
      throw error;
    }
  });
}

function rowOf(json: JsonObject): Omit<DefinitionRow, "from"> {
  return {
    revision: asInteger(json.revision, "revision", 1),
    changed: asTime(json.changed, "time of a definition"),
    definition: parseDefinition(json.definition),
  };
}

function fromOf(json: JsonObject): NonNullable<DefinitionRow["from"]> {
  return { fleet: asText(json.fleet, "fleet"), revision: asInteger(json.revision, "revision", 1) };
}
