// Whether a record that the gateway says it has holds what its id names, and what that is.

import { isHoldfastError } from "../../vault/errors.ts";
import { openRecord, type RecordToOpen } from "../../vault/record.ts";

/** The content, when the record opens and its content has the wanted id. Fails only for defects of our own. */
export function opened(wanted: RecordToOpen): Buffer | undefined {
  try {
    return openRecord(wanted).plaintext;
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}
