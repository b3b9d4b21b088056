// Item definitions in a vault's part of the sealed catalog (docs/format.md, section 11.6).

import { parseDefinition } from "../../../ingest/schedule/itemDefinition.ts";
import { ErrorCode, isHoldfastError } from "../../../vault/errors.ts";
import { asArray, asHex, asInteger, asObject, asTime } from "../../../vault/jsonFields.ts";
import type { PartDefinition } from "../../catalog/itemDefinitions.ts";

/**
 * Absent in catalogs of before there were any. One with a rule or time zone that this program does not know is passed over.
 * @throws HoldfastError corrupt, limit-exceeded
 */
export function parseDefinitions(value: unknown, rowsMax: number): PartDefinition[] {
  if (value === undefined) return [];
  return asArray(value, "definitions", rowsMax).flatMap((each) => {
    const json = asObject(each, "definition of an item");
    const row = {
      item: asHex(json.item, "item id", 16),
      revision: asInteger(json.revision, "revision", 1),
      changed: asTime(json.changed, "time of a definition"),
    };
    try {
      return [{ ...row, definition: parseDefinition(json.definition) }];
    } catch (error) {
      if (isHoldfastError(error, ErrorCode.usage)) return [];
      throw error;
    }
  });
}
