// Lists of extended attributes (docs/format.md 6.4), inline in an entry or as the plaintext of an xattrs record.
import { asBuffer, ByteReader, ByteWriter, compareBytes } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { limits } from "../limits.ts";

/** One attribute: the name with its namespace (`user.`, `system.`, ...) and the value, both bytes of the kernel. */
export type Xattr = { readonly name: Buffer; readonly value: Buffer };

/** Smallest attribute of a list: two lengths and one byte of name. */
const attributeBytesMin = 3;

/**
 * The list sorted by name.
 * @throws HoldfastError corrupt for a name twice, empty or with NUL; limit-exceeded for over 4 MiB or a long name
 */
export function encodeXattrs(list: readonly Xattr[]): Buffer {
  const writer = new ByteWriter();
  writer.varint(list.length);
  let previous: Buffer | undefined;
  for (const { name, value } of [...list].sort((a, b) => compareBytes(a.name, b.name))) {
    if (name.length > limits.nameBytesMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, `attribute name of ${name.length} bytes`);
    }
    checkName(name, previous);
    writer.varint(name.length);
    writer.bytes(name);
    writer.varint(value.length);
    writer.bytes(value);
    if (writer.length > limits.xattrBlobBytesMax) {
      throw new HoldfastError(ErrorCode.limitExceeded, "extended attributes of over 4 MiB");
    }
    previous = name;
  }
  return writer.finish();
}

/**
 * The attributes of a whole list; names and values are views.
 * @throws HoldfastError truncated, corrupt
 */
export function parseXattrs(bytes: Uint8Array): Xattr[] {
  if (bytes.length > limits.xattrBlobBytesMax) {
    throw new HoldfastError(ErrorCode.corrupt, "extended attributes of over 4 MiB");
  }
  const reader = new ByteReader(asBuffer(bytes));
  const list = readXattrs(reader);
  reader.end();
  return list;
}

/** The list at the reader's place, as parseXattrs. */
export function readXattrs(reader: ByteReader): Xattr[] {
  const count = reader.varint();
  if (count * attributeBytesMin > reader.remaining) {
    throw new HoldfastError(ErrorCode.truncated, `${count} attributes in ${reader.remaining} bytes`);
  }
  const list: Xattr[] = [];
  let previous: Buffer | undefined;
  for (let i = 0; i < count; i++) {
    const name = reader.bytes(reader.varint());
    if (name.length > limits.nameBytesMax) {
      throw new HoldfastError(ErrorCode.corrupt, `attribute name of ${name.length} bytes`);
    }
    checkName(name, previous);
    list.push({ name, value: reader.bytes(reader.varint()) });
    previous = name;
  }
  return list;
}

function checkName(name: Buffer, previous: Buffer | undefined): void {
  if (name.length === 0 || name.includes(0)) {
    throw new HoldfastError(ErrorCode.corrupt, "attribute name that is empty or has a NUL");
  }
  if (previous !== undefined && compareBytes(previous, name) >= 0) {
    throw new HoldfastError(ErrorCode.corrupt, "attribute names twice or out of order");
  }
}
