// Two lines of text, each ended by one line feed: one JSON object, and in hex what proves it (docs/format.md, sections 11.2 and
// 11.5). The proof covers the bytes of the first line, so nobody has to write JSON the same way to check it.
import { asBuffer, fromHex, toHex } from "../bytes.ts";
import { ErrorCode, HoldfastError } from "../errors.ts";
import { asObject, type JsonObject, parseJson } from "../jsonFields.ts";
import { limits } from "../limits.ts";

const lineFeed = 0x0a;

/** `document` as one line, and `prove` of that line's bytes as the other. A document over the limit is a RangeError. */
export function encodeProvenLine(
  document: object,
  prove: (line: Buffer) => Uint8Array,
  bytesMax: number = limits.rootBytesMax,
): Buffer {
  const line = Buffer.from(JSON.stringify(document));
  const bytes = Buffer.concat([line, Buffer.from(`\n${toHex(prove(line))}\n`)]);
  if (bytes.length > bytesMax) throw new RangeError(`a document of ${bytes.length} bytes`);
  return bytes;
}

/**
 * The first line's bytes (a view), and the proof, of `proofBytes` bytes.
 * @throws HoldfastError limit-exceeded, truncated, corrupt
 */
export function splitProvenLine(
  bytes: Uint8Array,
  proofBytes: number,
  what: string,
  bytesMax: number = limits.rootBytesMax,
): { readonly line: Buffer; readonly proof: Buffer } {
  if (bytes.length > bytesMax) {
    throw new HoldfastError(ErrorCode.limitExceeded, `${what} has ${bytes.length} bytes`);
  }
  const text = asBuffer(bytes);
  const end = text.indexOf(lineFeed);
  const length = end + 1 + proofBytes * 2 + 1;
  if (end < 0 || text.length < length) throw new HoldfastError(ErrorCode.truncated, `${what} is cut short`);
  if (text.length > length || text[length - 1] !== lineFeed) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} is not two lines`);
  }
  return {
    line: text.subarray(0, end),
    proof: fromHex(text.toString("latin1", end + 1, length - 1), proofBytes),
  };
}

/** The object in a first line. @throws HoldfastError corrupt */
export function parseLine(line: Uint8Array, what: string): JsonObject {
  return asObject(parseJson(line, what), what);
}
