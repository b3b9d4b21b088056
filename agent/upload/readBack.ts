// Whether a record that the gateway says it has holds what its id names, and what that is.

import { toHex } from "../../vault/bytes.ts";
import { isHoldfastError } from "../../vault/errors.ts";
import { openRecord, type RecordToOpen } from "../../vault/record.ts";

/** What is in the record, when it opens and that has the wanted id. Fails only for defects of our own. */
export function opened(wanted: RecordToOpen): ReturnType<typeof openRecord> | undefined {
  try {
    return openRecord(wanted);
  } catch (error) {
    if (isHoldfastError(error)) return undefined;
    throw error;
  }
}

/** The warning about a record that did not, and was reported. `writer` is the name of the device, where known. */
export function wrongRecord(id: Uint8Array, writer: string | undefined): string {
  const chunk = `chunk ${toHex(id).slice(0, 16)}`;
  const told = "is not what its id names; the gateway was told and takes a good copy again";
  if (writer === undefined) return `${chunk} ${told}`;
  return `${chunk}, which device ${writer} wrote, ${told}. Find out what is wrong with device ${writer}`;
}
