// Where packs are in a vault's directory (docs/format.md, section 2).

import { join } from "node:path";
import { toHex } from "../../vault/bytes.ts";

/** Folder of packs that are still written to. */
export function openFolder(vault: string): string {
  return join(vault, "open");
}

/** File of an open pack. */
export function openPackPath(vault: string, ordinal: number): string {
  return join(vault, "open", `${ordinal}.pack`);
}

/** The ordinal in an open pack's file name, or undefined for another name. */
export function openPackOrdinal(fileName: string): number | undefined {
  const match = /^(0|[1-9][0-9]{0,9})\.pack$/.exec(fileName);
  return match === null ? undefined : Number(match[1]);
}

/** Folder of a closed pack. */
export function closedPackFolder(vault: string, name: Uint8Array): string {
  return join(vault, "packs", toHex(name.subarray(0, 1)));
}

/** File of a closed pack. */
export function closedPackPath(vault: string, name: Uint8Array): string {
  return join(closedPackFolder(vault, name), toHex(name));
}
