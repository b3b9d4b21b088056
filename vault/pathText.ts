// Paths are bytes; in JSON they are text: bytes that are not UTF-8 are written as \xHH and a backslash as \\ (docs/format.md
// section 8). The form is exact both ways.
import { isUtf8 } from "node:buffer";
import { asBuffer } from "./bytes.ts";
import { ErrorCode, HoldfastError } from "./errors.ts";

/** The text of a path's bytes. */
export function pathToText(path: Uint8Array): string {
  const bytes = asBuffer(path);
  if (isUtf8(bytes)) return bytes.toString("utf8").replaceAll("\\", "\\\\");
  let text = "";
  for (let at = 0; at < bytes.length; ) {
    const length = sequenceLength(bytes, at);
    if (length === 0) text += `\\x${bytes[at]!.toString(16).padStart(2, "0")}`;
    else if (bytes[at] === 0x5c) text += "\\\\";
    else text += bytes.toString("utf8", at, at + length);
    at += Math.max(length, 1);
  }
  return text;
}

/** Length of the valid UTF-8 sequence that starts at `at`, or 0. */
function sequenceLength(bytes: Buffer, at: number): number {
  const lead = bytes[at]!;
  const length = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return at + length <= bytes.length && isUtf8(bytes.subarray(at, at + length)) ? length : 0;
}

/**
 * The bytes of a path's text.
 * @throws HoldfastError corrupt for a backslash that begins neither `\\` nor `\xHH`
 */
export function textToPath(text: string): Buffer {
  if (!text.includes("\\")) return Buffer.from(text, "utf8");
  const parts: Buffer[] = [];
  for (const [part] of text.matchAll(/\\x[0-9a-f]{2}|\\\\|[^\\]+|\\/g)) {
    if (part === "\\")
      throw new HoldfastError(ErrorCode.corrupt, "a backslash that escapes nothing in a path");
    if (part === "\\\\") parts.push(Buffer.from("\\"));
    else if (part.startsWith("\\x")) parts.push(Buffer.from(part.slice(2), "hex"));
    else parts.push(Buffer.from(part, "utf8"));
  }
  return Buffer.concat(parts);
}
