// Whether a record that the gateway says it has holds what its id names.

import { isHoldfastError } from "../../vault/errors.ts";
import { openRecord, type RecordToOpen } from "../../vault/record.ts";

/** True when the record opens and its content has the wanted id. Fails only for defects of our own. */
export function opens(wanted: RecordToOpen): boolean {
  try {
    openRecord(wanted);
    return true;
  } catch (error) {
    if (isHoldfastError(error)) return false;
    throw error;
  }
}
