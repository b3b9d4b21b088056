// Names as text without loss, for patterns that speak of characters.
//
// A name that is UTF-8 is that text. Any byte that is not part of valid UTF-8 becomes one character, U+DC00 + byte
// (U+DC80 to U+DCFF, which valid UTF-8 never gives). So every name has exactly one text, different names have
// different texts, and `?` or `.` matches such a byte as one character. Python calls this surrogateescape.

import { isUtf8 } from "node:buffer";

const ESCAPE_BASE = 0xdc00;

/** The text of a name or path. */
export function textOfName(name: Uint8Array): string {
  const bytes = Buffer.from(name.buffer, name.byteOffset, name.byteLength);
  if (isUtf8(bytes)) return bytes.toString("utf8");
  let text = "";
  let valid = 0;
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) {
      text += bytes.toString("utf8", valid, at) + String.fromCharCode(ESCAPE_BASE + (bytes[at] as number));
      valid = at + 1;
    }
    at += Math.max(length, 1);
  }
  return text + bytes.toString("utf8", valid);
}

/** Bytes of the valid UTF-8 character at an offset, 0 where there is none. */
function sequenceLength(bytes: Uint8Array, at: number): number {
  const first = bytes[at] as number;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
  if (first < 0xc2 || first > 0xf4 || at + length > bytes.length) return 0;
  return isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}
