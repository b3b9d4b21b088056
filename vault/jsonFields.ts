// Checked access to the members of parsed JSON from outside. Unknown members are ignored.
import { fromHex } from "./bytes.ts";
import { ErrorCode, HoldfastError } from "./errors.ts";
import { limits } from "./limits.ts";

export type JsonObject = Readonly<Record<string, unknown>>;

function corrupt(what: string): HoldfastError {
  return new HoldfastError(ErrorCode.corrupt, what);
}

/**
 * Parses JSON text (or its UTF-8 bytes) of at most `bytesMax` bytes.
 * @throws HoldfastError limit-exceeded; corrupt for bad UTF-8 or JSON
 */
export function parseJson(
  text: string | Uint8Array,
  what: string,
  bytesMax: number = limits.documentBytesMax,
): unknown {
  if (text.length > bytesMax)
    throw new HoldfastError(ErrorCode.limitExceeded, `${what} is over ${bytesMax} bytes`);
  try {
    return JSON.parse(
      typeof text === "string" ? text : new TextDecoder("utf-8", { fatal: true }).decode(text),
    );
  } catch (cause) {
    throw new HoldfastError(ErrorCode.corrupt, `${what} is not JSON`, { cause });
  }
}

/** @throws HoldfastError corrupt */
export function asObject(value: unknown, what: string): JsonObject {
  if (typeof value !== "object" || value === null || Array.isArray(value))
    throw corrupt(`${what} is not an object`);
  return value as JsonObject;
}

/** @throws HoldfastError corrupt; limit-exceeded for more than `countMax` elements */
export function asArray(value: unknown, what: string, countMax: number): readonly unknown[] {
  if (!Array.isArray(value)) throw corrupt(`${what} is not an array`);
  if (value.length > countMax)
    throw new HoldfastError(ErrorCode.limitExceeded, `${what} has ${value.length} elements`);
  return value;
}

/** @throws HoldfastError corrupt */
export function asText(value: unknown, what: string): string {
  if (typeof value !== "string") throw corrupt(`${what} is not a text`);
  return value;
}

/** @throws HoldfastError corrupt; limit-exceeded above `max` */
export function asInteger(
  value: unknown,
  what: string,
  min: number,
  max: number = Number.MAX_SAFE_INTEGER,
): number {
  if (typeof value !== "number" || !Number.isSafeInteger(value) || value < min) {
    throw corrupt(`${what} is not an integer of at least ${min}`);
  }
  if (value > max) throw new HoldfastError(ErrorCode.limitExceeded, `${what} is over ${max}`);
  return value;
}

/** A hex text of exactly `bytes` bytes. @throws HoldfastError corrupt */
export function asHex(value: unknown, what: string, bytes: number): string {
  const text = asText(value, what);
  fromHex(text, bytes);
  return text;
}

/** The bytes of a base64 text with padding, in its canonical form. @throws HoldfastError corrupt */
export function fromBase64(value: unknown, what: string): Buffer {
  const text = asText(value, what);
  const bytes = Buffer.from(text, "base64");
  if (bytes.toString("base64") !== text) throw corrupt(`${what} is not base64`);
  return bytes;
}

/** An RFC 3339 time. @throws HoldfastError corrupt */
export function asTime(value: unknown, what: string): string {
  const text = asText(value, what);
  const form = /^\d{4}-\d\d-\d\d[Tt]\d\d:\d\d:\d\d(\.\d{1,9})?([Zz]|[+-]\d\d:\d\d)$/;
  if (!form.test(text) || Number.isNaN(Date.parse(text))) throw corrupt(`${what} is not an RFC 3339 time`);
  return text;
}

/** A list of feature flags; an absent list is empty. @throws HoldfastError corrupt, limit-exceeded */
export function asFlags(value: unknown, what: string): readonly string[] {
  if (value === undefined) return [];
  return asArray(value, what, limits.featureFlagsMax).map((flag) => asText(flag, what));
}
