// The keyed tables of the chunker (gear) and of the bundle and page rules (split): 256 random u32 each.
import { ErrorCode, HoldfastError } from "../errors.ts";

/** Bytes of key material behind one table. */
export const tableBytes = 1024;

/**
 * The table that `tableBytes` of key material stand for: 256 little-endian u32.
 * @throws HoldfastError corrupt for another length
 */
export function tableFromBytes(bytes: Uint8Array): Uint32Array {
  if (bytes.length !== tableBytes) {
    throw new HoldfastError(ErrorCode.corrupt, `a table needs ${tableBytes} bytes, found ${bytes.length}`);
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const table = new Uint32Array(256);
  for (let i = 0; i < table.length; i++) table[i] = view.getUint32(i * 4, true);
  return table;
}
