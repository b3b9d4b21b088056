// Keys of tables.

import { fromHex } from "../../vault/bytes.ts";

/** An item by its device (32 hex digits) and name. */
export function itemNameKey(device: string, name: string): Buffer {
  return Buffer.concat([fromHex(device, 16), Buffer.from(name)]);
}

/** A row by its number, in the order of numbers: snapshots in the order of commits, jobs in that of their beginnings. */
export function orderKeyOf(number: number): Buffer {
  const key = Buffer.alloc(8);
  key.writeBigUInt64BE(BigInt(number));
  return key;
}
