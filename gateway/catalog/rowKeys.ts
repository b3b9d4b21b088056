// Keys of tables.

import { fromHex } from "../../vault/bytes.ts";

/** An item by its device (32 hex digits) and name. */
export function itemNameKey(device: string, name: string): Buffer {
  return Buffer.concat([fromHex(device, 16), Buffer.from(name)]);
}

/** The range of `itemNameKey`s of a device. */
export function itemNamesOf(device: string): { readonly start: Buffer; readonly end: Buffer } {
  const start = fromHex(device, 16);
  // No byte of a name's UTF-8 is 0xff.
  return { start, end: Buffer.concat([start, Buffer.of(0xff)]) };
}

/** A row by its number, in the order of numbers: snapshots in the order of commits, jobs in that of their beginnings. */
export function orderKeyOf(number: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(number));
  return key;
}
