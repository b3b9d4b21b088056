// What accounts, devices, items and vaults may be called. Names become folders of drives, so both ends hold this rule.

import { ErrorCode, HoldfastError } from "../../vault/errors.ts";

/** The same rule as a JSON schema pattern. */
export const namePattern = "^[\\p{L}\\p{N}_](?:[\\p{L}\\p{N} ._@+-]{0,62}[\\p{L}\\p{N}_@+-])?$";

const name = new RegExp(namePattern, "u");

/**
 * What the item is called that holds a box's snapshots of an item which went another way meanwhile. Nobody may give such a name, so
 * nobody writes to it.
 */
export function forkName(item: string, box: number): string {
  return `${item} (box ${box})`;
}

/** Whether an item may have this name: by a person's choice, or as a fork. */
export function isItemName(text: string): boolean {
  return name.test(text.replace(/ \(box [1-9][0-9]{0,4}\)$/, ""));
}

/**
 * Returns the name in normal form (NFC).
 * @throws HoldfastError usage for one that may not be
 */
export function checkName(text: string, what: string): string {
  const normal = text.normalize("NFC");
  if (!name.test(normal)) {
    throw new HoldfastError(
      ErrorCode.usage,
      `${what} names are 1 to 64 letters, digits, spaces and ._@+-, starting with a letter or digit: ${JSON.stringify(text)}`,
    );
  }
  return normal;
}
